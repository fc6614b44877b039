"""Everything that touches a terminal: messages, live blocks, single prompts."""
