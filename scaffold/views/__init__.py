"""Results as people read them, one module a command."""
