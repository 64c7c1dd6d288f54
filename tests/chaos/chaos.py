"""A chaos run: real worker processes over a real server, while everything is broken in turn."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import psycopg

from sayiir_postgres import PostgresBackend
from sayiir_pytest.postgres_server import PostgresServer
from sayiir_pytest.proxy import Proxy
from sayiir_pytest.strategies import Expected, expected
from sayiir_runtime.client import WorkflowClient

FOLDER = Path(__file__).parent
TTL = "3s"
CALL_TIMEOUT = "1s"
_PATIENCE_SECONDS = 90.0


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a run has shown. ``wrong`` must be empty, ``repeated`` is bounded by the deaths.

    ``refused`` are the late writes that the workers of the end were answered ``Lost`` for, and
    ``reports`` how many of them said so; what killed workers had counted is gone.
    """

    instances: int = 0
    wrong: list[str] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    restarts: int = 0
    cuts: int = 0
    stalls: int = 0
    freezes: int = 0
    bodies: int = 0
    repeated: int = 0
    recorded_twice: int = 0
    refused: int = 0
    reports: int = 0
    seconds: float = 0.0


class Chaos:
    """One run over one server; the workers reach it through a proxy."""

    def __init__(
        self,
        server: PostgresServer,
        folder: Path,
        load: ModuleType,
        *,
        seed: int,
        instances: int,
        workers: int = 3,
    ) -> None:
        self.seed = seed
        self._load = load
        self.outcome = Outcome(instances=instances)
        self._server = server
        self._random = Random(seed)
        self._log = folder / "bodies.log"
        self._stderr = (folder / "workers.log").open("ab")
        self._counts = folder / "counts.log"
        self._stdout = self._counts.open("ab")
        self._size = workers
        self._workers: list[subprocess.Popen[str]] = []
        self._numbers = 0
        self._dsn = server.dsn
        self._host, self._port = (
            "127.0.0.1",
            int(psycopg.conninfo.conninfo_to_dict(self._dsn)["port"]),
        )
        self._expected: dict[str, Expected] = {}
        self._signals: list[tuple[float, str, str, Any]] = []
        self._backend = PostgresBackend(self._dsn, call_timeout=CALL_TIMEOUT)
        self._thaws: list[threading.Timer] = []
        self._client = WorkflowClient(self._backend)

    def run(self, seconds: float) -> Outcome:
        """Break things for some time, then let everything end; return what was found."""
        began = time.monotonic()
        with Proxy(self._host, self._port) as proxy:
            self._proxy = proxy
            try:
                self._submit()
                for position in range(self._size):
                    self._employ(position)
                sender = threading.Thread(target=self._send_signals, args=(seconds,), daemon=True)
                sender.start()
                self._break_things(began + seconds)
                sender.join()
                self._wait_for_ends()
                self._dismiss()
            finally:
                for thaw in self._thaws:
                    thaw.join()
                for worker in self._workers:
                    worker.kill()
                    worker.communicate()
                self._backend.close()
                self._stderr.close()
                self._stdout.close()
        self._count_bodies()
        self._add_up_refusals()
        self._look_at_records()
        self.outcome.seconds = time.monotonic() - began
        return self.outcome

    # The load.

    def _submit(self) -> None:
        # The bodies of this process never run.
        built = self._load.workflows(self.seed, self._load.BodyLog(self._log))
        drawn = self._load.plans(self.seed)
        for number in range(self.outcome.instances):
            kind = number % len(built)
            instance_id, value = f"c{number}", self._random.randint(0, 99)
            outcome = expected(drawn[kind], value)
            self._expected[instance_id] = outcome
            self._client.submit(built[kind], instance_id, value)
            for name, payload in outcome.signals:
                self._signals.append((self._random.random(), instance_id, name, payload))
        self._signals.sort()

    def _send_signals(self, seconds: float) -> None:
        began = time.monotonic()
        for share, instance_id, name, payload in self._signals:
            time.sleep(max(0.0, began + share * seconds - time.monotonic()))
            self._patiently(partial(self._client.send_signal, instance_id, name, payload))

    def _patiently(self, call: Any) -> Any:
        """Make a call through outages, as a client that knows its server would."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return call()
            except Exception as error:
                if not getattr(error, "transient", False) or time.monotonic() > until:
                    raise
                time.sleep(0.2)

    # The trouble.

    def _employ(self, position: int) -> None:
        self._numbers += 1
        place = f"127.0.0.1:{self._proxy.port}"
        url = f"postgresql://postgres@{place}/postgres?call_timeout={CALL_TIMEOUT}"
        arguments = [url, str(self.seed), str(self._log), f"w{position}", TTL]
        worker = subprocess.Popen(
            [sys.executable, str(FOLDER / "worker.py"), *arguments],
            stdin=subprocess.PIPE,
            stdout=self._stdout,
            stderr=self._stderr,
            text=True,
        )
        self._workers.insert(position, worker)

    def _dismiss(self) -> None:
        """Let the workers of the end leave in good order, so that they say what they counted."""
        for worker in self._workers:
            worker.communicate(timeout=_PATIENCE_SECONDS)

    def _break_things(self, until: float) -> None:
        troubles = [self._kill] * 4 + [
            self._cut,
            self._stall,
            self._freeze,
            self._restart_server,
            self._terminate,
        ]
        while time.monotonic() < until:
            time.sleep(self._random.uniform(0.7, 1.5))
            self._random.choice(troubles)()
        self._proxy.flow()

    def _kill(self) -> None:
        position = self._random.randrange(len(self._workers))
        victim = self._workers.pop(position)
        victim.kill()
        victim.communicate()
        self.outcome.kills += 1
        self._employ(position)

    def _cut(self) -> None:
        self._proxy.cut()
        self.outcome.cuts += 1

    def _stall(self) -> None:
        self._proxy.stall()
        threading.Timer(self._random.uniform(0.5, 5.0), self._proxy.flow).start()
        self.outcome.stalls += 1

    def _freeze(self) -> None:
        """Stop some processes of the server for a while, so that whom they serve waits in vain."""
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                "AND backend_type = 'client backend' AND random() < 0.5"
            ).fetchall()
        pids = [pid for (pid,) in rows]
        _send_all(pids, signal.SIGSTOP)
        thaw = threading.Timer(self._random.uniform(0.5, 5.0), _send_all, (pids, signal.SIGCONT))
        thaw.start()
        self._thaws.append(thaw)
        self.outcome.freezes += 1

    def _restart_server(self) -> None:
        self._server.restart("immediate")
        self.outcome.restarts += 1

    def _terminate(self) -> None:
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' "
                "AND random() < 0.5"
            )
        self.outcome.cuts += 1

    # The end.

    def _wait_for_ends(self) -> None:
        until = time.monotonic() + _PATIENCE_SECONDS
        waiting = set(self._expected)
        while waiting and time.monotonic() < until:
            for instance_id in sorted(waiting):
                status = self._patiently(partial(self._client.status, instance_id))
                if status.is_completed() or status.is_failed() or status.is_cancelled():
                    waiting.discard(instance_id)
                    self._judge(instance_id, status)
            time.sleep(0.2)
        for instance_id in sorted(waiting):
            explained = [f"{it.path}: {it.sentence}" for it in self._client.explain(instance_id)]
            self.outcome.wrong.append(f"{instance_id} never ends: {'; '.join(explained)}")

    def _judge(self, instance_id: str, status: Any) -> None:
        self.outcome.ends[status.status] += 1
        outcome = self._expected[instance_id]
        if status.is_completed():
            fits = outcome.status == "completed" and status.output == outcome.output
        else:
            fits = outcome.status == "failed" and outcome.explains(status.error or "")
        if not fits:
            self.outcome.wrong.append(f"{instance_id} is {status}, expected {outcome}")

    def _count_bodies(self) -> None:
        lines = Counter(self._log.read_text().splitlines())
        self.outcome.bodies = sum(lines.values())
        self.outcome.repeated = sum(count - 1 for count in lines.values())

    def _add_up_refusals(self) -> None:
        reports = [json.loads(line) for line in self._counts.read_text().splitlines()]
        self.outcome.reports = len(reports)
        self.outcome.refused = sum(report["refused"] for report in reports)

    def _look_at_records(self) -> None:
        with psycopg.connect(self._dsn) as connection:
            rows = connection.execute(
                "SELECT count(*) FROM (SELECT 1 FROM sayiir.steps WHERE status = 'succeeded' "
                "GROUP BY run, node, turns HAVING count(*) > 1) AS twice"
            ).fetchall()
        self.outcome.recorded_twice = rows[0][0]


def _send_all(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
