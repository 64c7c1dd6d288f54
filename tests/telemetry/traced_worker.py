"""A worker process that exports what it does by the standard variables: URL of the store."""

from __future__ import annotations

import sys
import threading

from traced_flows import workflow

from sayiir import PooledWorker, init_tracing, open_backend

init_tracing("workers")
backend = open_backend(sys.argv[1])
handle = PooledWorker(sys.argv[2], backend, claim_ttl="2s").start([workflow])
threading.Thread(target=lambda: (sys.stdin.read(), handle.shutdown()), daemon=True).start()
handle.join()
backend.close()
