"""``sayiir worker``: run the tasks of submitted instances until told to stop."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import platform
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any, Final

from sayiir.cli.load import load_workflows
from sayiir.cli.refusal import EXIT_FAILED, EXIT_OK, CommandError
from sayiir.cli.stops import Stops
from sayiir.cli.store import (
    DATABASE_VARIABLE,
    add_database,
    database_url,
    open_store,
    without_secrets,
)
from sayiir.cli.telemetry import init_telemetry
from sayiir_core.authoring import Workflow
from sayiir_core.errors import SayiirError
from sayiir_core.ports.backend import Backend
from sayiir_core.workflow.group import tags_in
from sayiir_runtime.logs import CorrelationFilter, JsonFormatter
from sayiir_runtime.payloads import codec_from_environment
from sayiir_runtime.worker import PooledWorker, WorkerHandle
from sayiir_runtime.worker.pooled import DEFAULT_CONCURRENCY
from sayiir_runtime.worker.processes import Supervisor

logger = logging.getLogger("sayiir.worker")

_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s [%(process)d]: %(message)s"
_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
_LAST_PORT: Final = 65_535
_LOOK_SECONDS: Final = 0.1
_SAY_SECONDS: Final = 5.0
_DESCRIPTION: Final = """\
Run the tasks of submitted instances. The first SIGTERM or SIGINT lets what runs end (for --grace at
most) and gives the rest back; a second one, a second later or more, gives everything back at
once; a third one ends the process wherever it is."""
_EPILOG: Final = """\
exit codes: 0 stopped as asked; 1 ended unasked, or a process of --processes could not be kept
running; 2 called wrongly, so that the same call would fail again"""


def add(commands: Any) -> None:
    """Add the command to a parser's commands."""
    parser = commands.add_parser(
        "worker",
        help="run the tasks of submitted instances",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    add_database(parser)
    option = parser.add_argument
    option(
        "workflows",
        nargs="+",
        metavar="MODULE[:ATTRIBUTE]",
        help="the workflows to serve; the attribute is one, or a list or dict of them",
    )
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
    _add_what_is_seen(option)
    option("--parent-pipe", type=int, help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def _add_what_is_seen(option: Callable[..., Any]) -> None:
    """Add the options for logs and probes."""
    option(
        "--log-level",
        type=str.upper,
        choices=_LEVELS,
        default="INFO",
        help="of the loggers sayiir.* (%(default)s)",
    )
    option(
        "--health-port",
        type=int,
        help="answer /live, /ready and /metrics there over HTTP; each further process has the next",
    )
    option(
        "--health-host",
        default="127.0.0.1",
        help="who may ask: an address of this host (%(default)s)",
    )
    option(
        "--log-format", choices=("text", "json"), default="text", help="of the log (%(default)s)"
    )


def run(options: argparse.Namespace) -> int:
    """Work until stopped; return the exit code."""
    _set_up_logging(options)
    if options.processes < 1:
        raise CommandError(f"--processes must be at least 1, not {options.processes}")
    last_port = (options.health_port or 0) + options.processes - 1
    if options.health_port and last_port > _LAST_PORT:
        raise CommandError(
            f"--health-port={options.health_port} leaves no ports for {options.processes} processes, "
            f"as the last would have {last_port}; name {_LAST_PORT - options.processes + 1} or less"
        )
    url = database_url(options)
    if options.processes > 1:
        command = [sys.executable, "-m", "sayiir", "worker", *_arguments_of(options)]
        environment = {**os.environ, DATABASE_VARIABLE: url}
        return Supervisor(
            command,
            environment,
            options.processes,
            _name(options),
            own=lambda position: _health_of(options, position),
        ).run()
    stops = Stops(options.parent_pipe)
    workflows = load_workflows(options.workflows)
    # After the user's modules, which may have set up telemetry of their own.
    init_telemetry()
    backend = open_store(url)
    # What is loaded by now lives as long as the process; the collector looks through it no more.
    gc.freeze()
    try:
        handle = _start(options, workflows, backend)
        _say_what_is_served(options, workflows, without_secrets(url))
        return _serve(handle, stops)
    finally:
        backend.close()


def _set_up_logging(options: argparse.Namespace) -> None:
    handler = logging.StreamHandler()
    handler.addFilter(CorrelationFilter())
    if options.log_format == "json":
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter(_FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("sayiir").setLevel(options.log_level)


def _start(
    options: argparse.Namespace, workflows: Iterable[Workflow[Any, Any]], backend: Backend
) -> WorkerHandle:
    try:
        worker = PooledWorker(
            _name(options),
            backend,
            concurrency=options.concurrency,
            tags=_tags(options),
            poll_interval=options.poll_interval,
            claim_ttl=options.claim_ttl,
            shutdown_grace=options.grace,
            codec=codec_from_environment(os.environ),
            health_port=options.health_port,
            health_host=options.health_host,
        )
        return worker.start(workflows)
    except (SayiirError, ValueError, OSError) as error:
        raise CommandError(str(error)) from error


def _say_what_is_served(
    options: argparse.Namespace, workflows: Iterable[Workflow[Any, Any]], store: str
) -> None:
    tags = set(_tags(options))
    known: set[str] = set()
    for workflow in workflows:
        groups = {node.group for node in workflow.definition.nodes}
        known = known.union(*map(tags_in, groups))
        others = sorted(group for group in groups if tags and not tags_in(group) <= tags)
        left = f"; leaves tasks tagged {' and '.join(others)} to others" if others else ""
        logger.info("serves %s%s", workflow.definition.identity, left)
    for tag in sorted(tags - known):
        logger.warning("no task of these workflows has the tag %r", tag)
    logger.info(
        "worker %s on %s: %d tasks at once, tags %s, lease %s, grace %s; "
        "stop it with SIGTERM or Ctrl-C",
        _name(options),
        store,
        options.concurrency,
        ",".join(sorted(tags)) or "any",
        options.claim_ttl,
        options.grace,
    )


def _serve(handle: WorkerHandle, stops: Stops) -> int:
    session = None
    speak_at: float | None = None
    while not handle.join(_LOOK_SECONDS):
        report = handle.report()
        if session is None and report.session is not None:
            session = report.session
            logger.info("worker %s works as session %s", handle.worker_id, session)
        reason = stops.take()
        if reason is not None and speak_at is None:
            handle.shutdown()
            logger.warning("%s: %s", reason, _ending(report.running))
            speak_at = monotonic() + _SAY_SECONDS
        elif reason is not None:
            logger.warning("%s again: giving everything back", reason)
            handle.abort()
        elif speak_at is not None and monotonic() >= speak_at:
            logger.warning("still stopping: %s", _ending(report.running))
            speak_at = monotonic() + _SAY_SECONDS
    report = handle.report()
    if report.abandoned:
        logger.warning("%d tasks did not end in time and run again elsewhere", report.abandoned)
    counts = ", ".join(f"{number} {name}" for name, number in report.counts.items() if number)
    logger.info("worker %s has stopped: %s", handle.worker_id, counts or "it had nothing to do")
    if stops.were_asked:
        return EXIT_OK
    logger.error("worker %s has ended although nobody asked it to", handle.worker_id)
    return EXIT_FAILED


def _ending(running: list[str]) -> str:
    if not running:
        return "nothing runs"
    counted = sorted(Counter(running).items())
    return "letting these tasks end: " + ", ".join(f"{path} ({n})" for path, n in counted)


def _name(options: argparse.Namespace) -> str:
    return options.worker_id or f"{platform.node() or 'worker'}:{os.getpid()}"


def _tags(options: argparse.Namespace) -> list[str]:
    return [tag.strip() for tag in options.tags.split(",") if tag.strip()]


def _health_of(options: argparse.Namespace, position: int) -> list[str]:
    """Return where a child answers probes: at a port of its own, so that each can be asked."""
    if options.health_port is None:
        return []
    port = options.health_port + position if options.health_port else 0
    return [f"--health-port={port}", f"--health-host={options.health_host}"]


def _arguments_of(options: argparse.Namespace) -> list[str]:
    """Return the arguments of one child; the URL goes through its environment, unseen by ``ps``."""
    pairs = {
        "--concurrency": str(options.concurrency),
        "--tags": options.tags,
        "--poll-interval": options.poll_interval,
        "--claim-ttl": options.claim_ttl,
        "--grace": options.grace,
        "--log-level": options.log_level,
        "--log-format": options.log_format,
    }
    given = [f"{name}={value}" for name, value in pairs.items() if value]
    return [*options.workflows, *given]
