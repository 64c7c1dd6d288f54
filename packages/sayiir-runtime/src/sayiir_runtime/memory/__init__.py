"""The memory backend: the model of every store, and the fastest one."""

from sayiir_runtime.memory.backend import InMemoryBackend
from sayiir_runtime.memory.clock import SystemClock

__all__ = ["InMemoryBackend", "SystemClock"]
