"""Stores with one deliberate bug each; see ``test_broken_stores.py``."""
