"""Codecs with one deliberate bug each; see ``test_broken_codecs.py``."""
