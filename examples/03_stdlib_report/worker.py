"""The process that runs the workflow, until it ends or is killed.

Usage: worker.py start|resume DATABASE LOG SOURCE_ROOT REPORT
"""

from __future__ import annotations

import logging
import sys

from flow import INSTANCE_ID, build

from sayiir import SQLiteBackend, resume_workflow, run_durable_workflow


def main(verb: str, database: str, log: str, root: str, report: str) -> int:
    """Run or resume the one instance in a database; return 0 if it completed."""
    logging.basicConfig(filename=log, level=logging.INFO, format="%(message)s")
    logging.getLogger("sayiir").setLevel(logging.WARNING)
    backend = SQLiteBackend(database)
    if verb == "start":
        job = {"root": root, "report": report}
        status = run_durable_workflow(build(), INSTANCE_ID, job, backend)
    else:
        status = resume_workflow(build(), INSTANCE_ID, backend)
    if not status.is_completed():
        print(f"{status.status}: {status.error}", file=sys.stderr)
    return 0 if status.is_completed() else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
