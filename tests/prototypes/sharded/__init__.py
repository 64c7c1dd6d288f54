"""A prototype: one backend over several, each of which keeps whole instances. See ADR 19."""

from tests.prototypes.sharded.backend import ShardedBackend

__all__ = ["ShardedBackend"]
