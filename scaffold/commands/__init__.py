"""One module for each command; the command-line interface only dispatches to them."""
