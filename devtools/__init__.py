"""Hold what ``dev.py`` does: standard library only, run before anything is installed."""
