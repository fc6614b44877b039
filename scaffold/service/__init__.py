"""A generated service and what follows from its name."""
