"""Pools of workers: they claim cursors of any instance, run bodies, and commit in batches."""

from sayiir_runtime.worker.handle import WorkerHandle
from sayiir_runtime.worker.pooled import PooledWorker, Worker

__all__ = ["PooledWorker", "Worker", "WorkerHandle"]
