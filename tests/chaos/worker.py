"""One worker process of a chaos run: ``worker.py URL SEED LOG WORKER_ID TTL``."""

from __future__ import annotations

import importlib.util
import json
import logging
import sys
from pathlib import Path

from sayiir import open_backend
from sayiir_runtime.worker import PooledWorker


def main(url: str, seed: str, log: str, worker_id: str, ttl: str) -> None:
    """Work until killed, or until told to end; then say what was counted."""
    spec = importlib.util.spec_from_file_location("plans", Path(__file__).parent / "plans.py")
    assert spec is not None
    assert spec.loader is not None
    plans = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plans)
    logging.basicConfig(level=logging.WARNING, format=f"{worker_id} %(message)s")
    worker = PooledWorker(worker_id, open_backend(url), claim_ttl=ttl, concurrency=16)
    handle = worker.start(plans.workflows(int(seed), plans.BodyLog(Path(log))))
    sys.stdin.read()
    handle.shutdown(5)
    handle.join()
    sys.stdout.write(json.dumps(handle.report().counts) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
