"""Pools of workers over one store: what the laws of pools share.

How this works: unlike ``World`` this lives on the real clock, because workers are threads that wait.
A *crew* is a number of workers, each with its tags; a pool starts one, over one or two backend
objects on the same data, and ends it again.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from sayiir_core.authoring import Workflow
from sayiir_core.ports.backend import Backend
from sayiir_core.workflow.group import tags_in
from sayiir_pytest.process import World
from sayiir_pytest.strategies import Expected
from sayiir_runtime.client import WorkflowClient, WorkflowHandle
from sayiir_runtime.status import WorkflowStatus
from sayiir_runtime.worker import PooledWorker, WorkerHandle

TAGS: Final = ("cpu", "gpu")
LATE: Final = 60.0


@dataclass(frozen=True)
class Crew:
    """How many workers there are, and which tags each has (none: it takes everything)."""

    tags: tuple[frozenset[str], ...]
    concurrency: int

    def __str__(self) -> str:
        return f"{[sorted(tags) for tags in self.tags]}, {self.concurrency} at once"


def crew_of(size: int, chance: random.Random) -> Crew:
    """Return workers with tags by chance, of which at least one serves each tag."""
    tags = [frozenset(chance.sample(TAGS, chance.randint(0, len(TAGS)))) for _ in range(size)]
    if size == 1:
        tags = [frozenset()]
    elif not any(not each or each >= set(TAGS) for each in tags):
        # Each of the two tags has somebody now, and tasks without tags have anybody.
        tags[:2] = [frozenset({"cpu"}), frozenset({"gpu"})]
    return Crew(tuple(tags), chance.choice([1, 2, 8]))


class PoolWorld:
    """A store on the real clock, and the backend objects that are open on it."""

    def __init__(self, make: Callable[[], Backend]) -> None:
        first = make()
        self.backends = [first, make()] if first.capabilities.shared else [first]
        self.client = WorkflowClient(first)
        self.records = World(lambda _: first)

    def close(self) -> None:
        """Close whatever was opened."""
        for backend in self.backends:
            backend.close()

    @contextmanager
    def at_work(self, crew: Crew, workflow: Workflow[Any, Any]) -> Iterator[list[WorkerHandle]]:
        """Have a crew work, and end it in good order."""
        handles = [
            PooledWorker(
                f"w{number}",
                self.backends[number % len(self.backends)],
                tags=tags,
                concurrency=crew.concurrency,
                poll_interval=0.02,
            ).start([workflow])
            for number, tags in enumerate(crew.tags)
        ]
        try:
            yield handles
        finally:
            for handle in handles:
                handle.shutdown(grace=0)
            for handle in handles:
                assert handle.join(LATE), f"worker {handle.worker_id} does not end"
            _wait_for_bodies()

    def run(
        self,
        workflow: Workflow[Any, Any],
        instance_id: str,
        value: Any,
        *,
        crew: Crew,
        outcome: Expected,
        chance: random.Random,
    ) -> tuple[WorkflowStatus, dict[str, frozenset[str]]]:
        """Run an instance through a crew while its signals are sent, some before it exists.

        Returns how it ended, and the tags of each worker by its session.
        """
        signals = list(outcome.signals)
        early = chance.randint(0, len(signals))
        for name, payload in signals[:early]:
            self.client.send_signal(instance_id, name, payload)
        handle = self.client.submit(workflow, instance_id, value)
        with self.at_work(crew, workflow) as workers:
            sender = threading.Thread(
                target=self._send, args=(handle, signals[early:], chance), daemon=True
            )
            sender.start()
            status = handle.wait(LATE)
            sender.join(LATE)
            reports = [worker.report() for worker in workers]
        for report in reports:
            # Nobody died and nobody was asked to stop, so nothing that was written was in vain.
            assert report.counts["refused"] == 0, report
        sessions = {
            str(report.session): tags for report, tags in zip(reports, crew.tags, strict=True)
        }
        return status, sessions

    def _send(
        self, handle: WorkflowHandle, signals: list[tuple[str, int]], chance: random.Random
    ) -> None:
        for name, payload in signals:
            threading.Event().wait(chance.choice([0, 0, 0.002, 0.01]))
            handle.send_signal(name, payload)

    def check_rest(self, instance_id: str) -> None:
        """What has ended is in nobody's hands."""
        head = self.records.head(instance_id)
        assert not head.executing
        assert [it for it in head.cursors.values() if it.session is not None] == []

    def check_tags(
        self,
        workflow: Workflow[Any, Any],
        instance_id: str,
        sessions: dict[str, frozenset[str]],
    ) -> None:
        """Each task with a tag was recorded by a worker that serves it."""
        nodes = workflow.definition.nodes
        for row in self.records.steps(instance_id):
            tags = sessions[row.session]
            assert not tags or tags_in(nodes[row.record.node].group) <= tags, (row, sessions)


def _wait_for_bodies() -> None:
    """Let the bodies end that were given up, so that they are not taken for those of later crews."""
    deadline = time.monotonic() + LATE
    while any("-task-" in thread.name for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "a body does not end"
        time.sleep(0.001)
