"""The worker that shares the instances of a store with all others."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from time import monotonic
from typing import Any

from sayiir_core.authoring import Workflow
from sayiir_core.duration import Duration, parse_duration
from sayiir_core.ids import check_name
from sayiir_core.ports.backend import Backend
from sayiir_runtime.gate import built_workflow, checked_backend
from sayiir_runtime.instrumented import instrument_of
from sayiir_runtime.payloads import CodecChoice, resolve_codec
from sayiir_runtime.runner.lease import CLAIM_TTL, HEARTBEAT_INTERVAL
from sayiir_runtime.worker.clerk import SIGNAL_RETENTION
from sayiir_runtime.worker.desk import RESERVE_SECONDS, Desk
from sayiir_runtime.worker.handle import WorkerHandle
from sayiir_runtime.worker.serving import Serving
from sayiir_runtime.worker.team import Team

DEFAULT_CONCURRENCY = 32
DEFAULT_GRACE = timedelta(seconds=30)


class PooledWorker:
    """Run tasks of submitted instances, together with any number of other workers.

    ``concurrency`` bounds the bodies that run at once. With ``tags`` it takes only tasks whose
    tags it has, and those without; with none it takes every task. ``poll_interval`` bounds how
    long it waits without looking; by default that adapts. A worker that dies is noticed after
    ``claim_ttl``, and renews its lease every ``heartbeat_interval``. ``shutdown_grace`` is how long
    what runs may go on after ``shutdown``. With ``health_port`` (0 for any free one) it answers
    ``/live``, ``/ready`` and ``/metrics`` there over HTTP, to this host alone unless
    ``health_host`` says otherwise.
    """

    def __init__(
        self,
        worker_id: str,
        backend: Backend,
        *,
        poll_interval: Duration | None = None,
        claim_ttl: Duration = CLAIM_TTL,
        heartbeat_interval: Duration | None = None,
        concurrency: int = DEFAULT_CONCURRENCY,
        tags: Iterable[str] | None = None,
        shutdown_grace: Duration = DEFAULT_GRACE,
        signal_retention: Duration = SIGNAL_RETENTION,
        codec: CodecChoice = None,
        health_port: int | None = None,
        health_host: str = "127.0.0.1",
    ) -> None:
        self.worker_id = check_name(worker_id, "worker id")
        self._backend = checked_backend(backend)
        self._concurrency = _checked_concurrency(concurrency)
        self._tags = _checked_tags(tags)
        self._poll = None if poll_interval is None else _span(poll_interval)
        if self._poll == timedelta(0):
            raise ValueError("poll_interval must be longer than 0, or the worker would never rest")
        self._ttl = _span(claim_ttl)
        self._heartbeat = (
            min(HEARTBEAT_INTERVAL, self._ttl / 4)
            if heartbeat_interval is None
            else _span(heartbeat_interval)
        )
        if not timedelta(0) < self._heartbeat <= self._ttl / 2:
            raise ValueError(
                f"heartbeat_interval ({self._heartbeat}) must be more than 0 and at most half of "
                f"claim_ttl ({self._ttl}), or the worker would lose its lease between two beats"
            )
        self._grace = parse_duration(shutdown_grace)
        self._retention = _span(signal_retention)
        self._codec = resolve_codec(codec)
        self._health = None if health_port is None else (health_host, health_port)

    def start(self, workflows: Iterable[Workflow[Any, Any]]) -> WorkerHandle:
        """Start to work in the background, and return the handle that stops it.

        Raises ``DefinitionError`` for two workflows that share an identity and call different
        functions, ``TypeError`` for what is no built workflow, ``OSError`` for a health port that
        is taken, ``RuntimeError`` if no thread can be started, as when the interpreter shuts
        down. A store that cannot be reached is waited for.
        """
        if not isinstance(workflows, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"start takes a list of workflows, not {type(workflows).__name__}")
        served = [built_workflow(workflow) for workflow in workflows]
        serving = Serving(served, self._codec, self._tags, instrument=instrument_of(self._backend))
        if not serving.programs:
            raise ValueError("a worker needs at least one workflow, as built by Flow(...).build()")
        desk = Desk(
            serving,
            concurrency=self._concurrency,
            aging_interval=self._backend.claims.aging_interval,
            clock=self._backend.now,
            monotonic=monotonic,
            reserve_seconds=min(RESERVE_SECONDS, self._ttl.total_seconds() / 4),
        )
        team = Team(
            self.worker_id,
            self._backend,
            desk,
            ttl=self._ttl,
            heartbeat=self._heartbeat,
            poll=self._poll,
            grace=self._grace,
            signal_retention=self._retention,
            health=self._health,
        )
        team.start()
        return WorkerHandle(team)


Worker = PooledWorker
"""The name under which the reference knows it."""


def _checked_concurrency(concurrency: object) -> int:
    if not isinstance(concurrency, int) or isinstance(concurrency, bool):
        raise TypeError(f"concurrency must be a number of tasks, not {concurrency!r}")
    if concurrency < 1:
        raise ValueError(f"concurrency must be at least 1, not {concurrency}")
    return concurrency


def _checked_tags(tags: Iterable[str] | None) -> frozenset[str]:
    if isinstance(tags, str):
        raise TypeError(f"tags must be a list of tags, such as [{tags!r}], not one text")
    checked = frozenset(tags or ())
    for tag in checked:
        check_name(tag, "tag")
    return checked


def _span(duration: Duration) -> timedelta:
    return timedelta(seconds=parse_duration(duration))
