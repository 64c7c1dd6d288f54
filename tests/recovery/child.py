"""A process that runs or resumes one instance to its end, and may be killed on the way.

``child.py URL WORKFLOW INSTANCE``; it prints the status as JSON. ``RECOVERY_KILL_AT_CALL`` is
``before:7`` or ``after:7``: it dies at its seventh changing store call.
"""

from __future__ import annotations

import json
import os
import sys
import time

import workflows

from sayiir import InstanceBusyError, open_backend, resume_workflow, run_durable_workflow
from sayiir_pytest.crash import CrashingBackend, CrashPoint, Moment, as_backend

KILL_AT_CALL = "RECOVERY_KILL_AT_CALL"


class KilledBackend(CrashingBackend):
    """A backend whose process really dies."""

    def die(self, _name):
        """End this process as ``kill -9`` does."""
        workflows.die()


def opened(url):
    """Open the store, with the place to die at if there is one."""
    text = os.environ.get(KILL_AT_CALL)
    point = None
    if text is not None:
        moment, _, call = text.partition(":")
        point = CrashPoint(int(call), Moment[moment.upper()])
    return KilledBackend(open_backend(url), point)


def main(url, name, instance_id):
    """Start or continue the instance, and go on through its delays."""
    backend = as_backend(opened(url))
    try:
        run(backend, getattr(workflows, name)(), instance_id)
    finally:
        backend.close()


def run(backend, workflow, instance_id):
    """Run or resume until it ends or waits for a signal."""
    status = run_durable_workflow(workflow, instance_id, 5, backend, "use_existing")
    while status.is_waiting() or status.is_in_progress():
        time.sleep(0.005)
        status = resume_workflow(workflow, instance_id, backend)
    tell({"status": status.status, "output": status.output, "error": status.error})


def tell(facts):
    """Print what the parent reads."""
    sys.stdout.write(json.dumps(facts))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except InstanceBusyError as busy:
        told = {"holder": busy.holder, "host": busy.host, "age": busy.lease_age_seconds}
        tell({"status": "busy", "error": str(busy), **told})
