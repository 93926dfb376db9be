"""One history, single-source; start with history.py."""
