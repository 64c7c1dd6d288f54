"""Run workloads on the original Sayiir: reads ``WORKLOAD COUNT`` lines, answers with seconds.

Runs in an environment of its own, where ``sayiir`` is that library. ``chain.py`` is shared, so
both do the same work.
"""

from __future__ import annotations

import sys
import time

from chain import chain, document, inc, same

from sayiir import InMemoryBackend, run_durable_workflow, run_workflow


def main() -> None:
    increasing, passing, value = chain(inc), chain(same), document()
    for line in sys.stdin:
        workload, count = line.split()
        backend = InMemoryBackend()
        start = time.perf_counter()
        for number in range(int(count)):
            if workload == "w1":
                run_workflow(increasing, 0)
            elif workload == "w1b":
                run_workflow(passing, value)
            else:
                run_durable_workflow(increasing, f"i{number}", 0, backend)
        print(time.perf_counter() - start, flush=True)


main()
