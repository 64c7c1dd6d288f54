"""Two hundred orders, three workers, one of which is killed.

``main.py [URL]`` keeps everything in a SQLite file of a new folder, or in the PostgreSQL database of the URL.
The workers are processes, started as one starts them on any machine: ``sayiir worker orders:order``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from orders import LARGE, Order, order

from sayiir import WorkflowClient, WorkflowHandle, open_backend

ORDERS = 200
STEPS = ("pay", "reserve", "draw_label", "pack", "ship")
WORKERS = {"ada": "io", "bob": "io", "carl": "cpu"}
KILL_AT = 50


class Team:
    """The worker processes, and the folder in which they tell what they do."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self._url = url
        self.processes = {name: self._start(name, tags) for name, tags in WORKERS.items()}

    def _start(self, name: str, tags: str) -> subprocess.Popen[bytes]:
        options = [f"--worker-id={name}", f"--tags={tags}", "--concurrency=8", "--claim-ttl=4s"]
        environment = {
            **os.environ,
            "SAYIIR_DATABASE_URL": self._url,
            "ORDERS_FOLDER": str(self.folder),
            "ORDERS_WORKER": name,
        }
        with (self.folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "sayiir", "worker", "orders:order", *options],
                cwd=Path(__file__).parent,
                env=environment,
                stdout=log,
                stderr=log,
            )

    def ledger(self) -> Counter[tuple[str, str]]:
        """Return how often each worker has begun each step."""
        path = self.folder / "ledger"
        lines = path.read_text().splitlines() if path.exists() else []
        return Counter((line.split()[0], line.split()[1]) for line in lines)

    def kill(self, name: str, at: int) -> None:
        """Kill a worker, without a warning, when it has begun so many steps."""
        wait_until(lambda: sum(self.ledger()[name, step] for step in STEPS) >= at)
        self.processes[name].kill()
        self.processes[name].wait()

    def stop(self) -> list[int]:
        """Let the others finish what runs; return their exit codes."""
        left = [process for process in self.processes.values() if process.poll() is None]
        for process in left:
            process.send_signal(signal.SIGTERM)
        return [process.wait(60) for process in left]


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not holds() and time.monotonic() < until:
        time.sleep(0.01)


def submit(client: WorkflowClient, batch: str) -> list[WorkflowHandle]:
    orders = [
        Order(id=f"{batch}-{number:03}", item="lamp", amount=number * 10 % 1000)
        for number in range(ORDERS)
    ]
    stored = client.submit_many(order, [(one["id"], one) for one in orders])
    handles = [handle for handle in stored if isinstance(handle, WorkflowHandle)]
    assert len(handles) == ORDERS, stored
    return handles


def is_large(handle: WorkflowHandle) -> bool:
    return int(handle.instance_id.rpartition("-")[2]) * 10 % 1000 >= LARGE


def follow(handles: list[WorkflowHandle], team: Team) -> None:
    began = time.monotonic()
    small = [handle for handle in handles if not is_large(handle)]
    large = [handle for handle in handles if is_large(handle)]
    team.kill("bob", KILL_AT)
    print("bob is killed (SIGKILL) at his work; ada and carl go on.")
    shipped = Counter(handle.result(timeout="2m")["result"] for handle in small)
    print(f"{shipped['shipped']} small orders are shipped.")
    wait_until(lambda: all(handle.status().status == "awaiting_signal" for handle in large))
    print(f"{len(large)} large orders wait for an approval. Grace approves them.")
    for handle in large:
        handle.send_signal("approval", {"by": "Grace"})
    shipped = Counter(handle.result(timeout="2m")["result"] for handle in large)
    print(f"{shipped['shipped, approved by Grace']} large orders are shipped.")
    print(f"All of it took {time.monotonic() - began:.1f} s.\n")


def report(team: Team) -> None:
    ledger = team.ledger()
    print(f"{'steps begun by':<16}" + "".join(f"{name:>7}" for name in WORKERS))
    for step in STEPS:
        print(f"{step:<16}" + "".join(f"{ledger[name, step]:>7}" for name in WORKERS))
    again = ledger.total() - ORDERS * len(STEPS)
    payments = len(list((team.folder / "bank").iterdir()))
    print(f"\n{ORDERS * len(STEPS)} steps were to do.")
    print(f"{again} were begun again by others, because bob died before their results were stored.")
    print(f"{payments} payments were taken, one for each order.")


def main(url: str | None) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = url or f"sqlite:///{folder}/orders.db"
        backend = open_backend(store)
        client = WorkflowClient(backend)
        handles = submit(client, uuid4().hex[:4])
        print(f"{len(handles)} orders are submitted.")
        team = Team(folder, store)
        print("Workers: ada and bob for tasks without tags, carl also for those tagged 'cpu'.")
        try:
            follow(handles, team)
        finally:
            codes = team.stop()
        report(team)
        print(f"The workers that were left stopped as asked: exit codes {codes}.")
        backend.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
