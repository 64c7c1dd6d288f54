"""``sayiir worker``: run the tasks of submitted instances until told to stop."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from typing import Any, Final

from sayiir.cli.load import load_workflows
from sayiir_core.ports.backend import Backend
from sayiir_runtime.plugins import open_backend
from sayiir_runtime.worker import PooledWorker, WorkerHandle
from sayiir_runtime.worker.pooled import DEFAULT_CONCURRENCY
from sayiir_runtime.worker.processes import Supervisor, parent_is_gone

logger = logging.getLogger("sayiir.worker")

DATABASE_VARIABLE: Final = "SAYIIR_DATABASE_URL"
_DESCRIPTION: Final = """\
Run the tasks of submitted instances. The first SIGTERM or SIGINT lets what runs end (for --grace at
most) and gives the rest back; a second one gives everything back at once. Exit code 0: stopped as
asked; 1: could not start, or a process of --processes could not be kept running."""


def add(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser(
        "worker", help="run the tasks of submitted instances", description=_DESCRIPTION
    )
    option = parser.add_argument
    option("workflows", nargs="+", metavar="MODULE[:ATTRIBUTE]", help="the workflows to serve")
    option("--database", metavar="URL", help=f"the store; by default ${DATABASE_VARIABLE}")
    option("--worker-id", help="a name for this worker; by default host and process id")
    option(
        "--concurrency", type=int, default=DEFAULT_CONCURRENCY, help="tasks at once (%(default)s)"
    )
    option("--tags", default="", help="take only tasks with these tags, and those without: a,b")
    option("--processes", type=int, default=1, help="worker processes (%(default)s)")
    option(
        "--poll-interval", metavar="DURATION", help="look at least this often; adapts by default"
    )
    option("--claim-ttl", metavar="DURATION", default="30s", help="lease of a worker (%(default)s)")
    option(
        "--grace", metavar="DURATION", default="30s", help="for what runs at the end (%(default)s)"
    )
    option("--log-level", default="INFO", help="of the loggers sayiir.* (%(default)s)")
    option("--child", action="store_true", help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Work until stopped; return the exit code."""
    logging.basicConfig(
        level=options.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    if options.processes < 1:
        raise ValueError(f"--processes must be at least 1, not {options.processes}")
    url = options.database or os.environ.get(DATABASE_VARIABLE)
    if not url:
        raise ValueError(
            f"no store: give --database URL or set {DATABASE_VARIABLE}, for instance to "
            f"sqlite:///file.db or postgresql://host/database"
        )
    if options.processes > 1:
        command = [sys.executable, "-m", "sayiir", "worker", *_arguments_of(options), "--child"]
        environment = {**os.environ, DATABASE_VARIABLE: url}
        return Supervisor(command, environment, options.processes, _name(options)).run()
    workflows = load_workflows(options.workflows)
    backend = open_backend(url)
    worker = PooledWorker(
        _name(options),
        backend,
        concurrency=options.concurrency,
        tags=[tag.strip() for tag in options.tags.split(",") if tag.strip()],
        poll_interval=options.poll_interval,
        claim_ttl=options.claim_ttl,
        shutdown_grace=options.grace,
    )
    for workflow in workflows:
        logger.info("serves %s", workflow.definition.identity)
    _serve(worker.start(workflows), backend, is_child=options.child)
    return 0


def _serve(handle: WorkerHandle, backend: Backend, *, is_child: bool) -> None:
    stops = 0

    def stop(number: int, _frame: object) -> None:
        nonlocal stops
        stops += 1
        name = signal.Signals(number).name
        if stops == 1:
            running = handle.report().running
            logger.warning("%s: letting %d running tasks end: %s", name, len(running), running)
            handle.shutdown()
        else:
            logger.warning("%s again: giving everything back", name)
            handle.abort()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    logger.info("worker %s works; stop it with SIGTERM or Ctrl-C", handle.worker_id)
    # In pieces, because a signal is handled only between two calls of the main thread.
    while not handle.join(0.2):
        if is_child and stops == 0 and parent_is_gone():
            logger.warning("the process that started this worker is gone: stopping, too")
            stops += 1
            handle.shutdown()
    backend.close()
    logger.info("worker %s has stopped: %s", handle.worker_id, handle.report().counts)


def _name(options: argparse.Namespace) -> str:
    return options.worker_id or f"{os.uname().nodename}:{os.getpid()}"


def _arguments_of(options: argparse.Namespace) -> list[str]:
    """Return the arguments of one child; the URL goes through its environment, unseen by ``ps``."""
    pairs = {
        "--concurrency": str(options.concurrency),
        "--tags": options.tags,
        "--poll-interval": options.poll_interval,
        "--claim-ttl": options.claim_ttl,
        "--grace": options.grace,
        "--log-level": options.log_level,
    }
    given = [f"{name}={value}" for name, value in pairs.items() if value]
    return [*options.workflows, *given]
