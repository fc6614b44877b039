"""Shell completion. The commands and questions are in `words.json`, since importing them takes too long."""
