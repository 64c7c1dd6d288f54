"""Durable workflows for Python: a checkpoint after every task, no replay, no server."""
