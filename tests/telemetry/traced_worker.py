"""A worker process that exports what it does by the standard variables: URL of the store."""

from __future__ import annotations

import sys
import threading

from traced_flows import workflow

from sayiir import PooledWorker, init_tracing, open_backend
from sayiir_otel import otel_instruments
from sayiir_runtime.telemetry.observed import with_instruments

init_tracing("workers")
backend = with_instruments(open_backend(sys.argv[1]), [otel_instruments()])
handle = PooledWorker(sys.argv[2], backend, claim_ttl="2s").start([workflow])
threading.Thread(target=lambda: (sys.stdin.read(), handle.shutdown()), daemon=True).start()
handle.join()
backend.close()
