"""Executors: running bodies somewhere else than on a thread of their driver."""
