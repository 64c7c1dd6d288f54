"""Executors with one bug each."""
