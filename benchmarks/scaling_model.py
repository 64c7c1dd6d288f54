"""Predict how many steps per second a PostgreSQL server and its workers make, and what stops them.

The model is linear where it was measured to be. A run of a shape costs ``instance`` once (its claim and
its end), ``step`` for each of its steps and ``instance`` again for each branch, whose cursor is born and
removed as an instance's is. That gives CPU time of server and workers and bytes of log per step; what
there is of each, divided by it, is a bound, and the lowest bound is the prediction.

Two things are not linear. A commit waits for the log to reach the disk, and a worker process commits one
batch after the other. And the keys of a run stand at a random place in their index: between
two checkpoints the first change of each page is logged as a whole page, and what does not fit into memory is
read first; so a step becomes dearer with the number of steps that are stored, until the ids of runs grow
with time (``Store.ordered``). Seconds and bytes throughout.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

PAGE = 8192
BATCH = 500
"""The steps that a worker process commits at once at most; it commits one batch after the other."""
CONNECTIONS = 6
"""What a worker process has at most: four for calls, one that tells and one that listens."""


@dataclass(frozen=True, slots=True)
class Load:
    """CPU seconds and bytes of log."""

    server: float
    client: float
    log: float

    def __add__(self, other: Load) -> Load:
        return Load(self.server + other.server, self.client + other.client, self.log + other.log)

    def times(self, factor: float) -> Load:
        return Load(self.server * factor, self.client * factor, self.log * factor)


@dataclass(frozen=True, slots=True)
class Shape:
    """What one instance is made of."""

    name: str
    steps: int
    branches: int = 0


@dataclass(frozen=True, slots=True)
class Constants:
    """What one instance and one step cost.

    ``step_key`` and ``run_key`` are the bytes of an entry in the index of steps and of runs, and
    ``row`` those of an instance, all as the server's own page layout has them. ``file_bytes`` is what
    a step of a short chain adds to tables and indexes for good.
    """

    instance: Load
    step: Load
    step_key: float = 52.0
    run_key: float = 28.0
    row: float = 290.0
    file_bytes: float = 350.0

    def load(self, shape: Shape) -> Load:
        """Return what one step of this shape costs, its share of the instance included."""
        whole = self.instance.times(1 + shape.branches) + self.step.times(shape.steps)
        return whole.times(1 / shape.steps)


@dataclass(frozen=True, slots=True)
class Store:
    """What is stored already, and how it is kept."""

    steps: int = 0
    memory: float = math.inf
    checkpoint_seconds: float = 300.0
    ordered: bool = False
    """Whether the ids of runs grow with time; or one partition is written at a time."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is. ``worker_cores`` is None where the workers share the server's cores."""

    name: str
    server_cores: float
    processes: int
    worker_cores: float | None = None
    sync_seconds: float = 0.001
    disk_bytes: float = math.inf
    disk_operations: float = math.inf
    connections: int = 10_000


@dataclass(frozen=True, slots=True)
class Prediction:
    """Every bound in steps per second; the lowest one is the rate."""

    bounds: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def first(self) -> str:
        """Return what saturates first."""
        return min(self.bounds, key=self.bounds.__getitem__)

    @property
    def rate(self) -> float:
        """Return steps per second."""
        return self.bounds[self.first]


def fit(one: Shape, one_load: Load, other: Shape, other_load: Load) -> Constants:
    """Solve for instance and step, given what a step costs in chains of two lengths."""
    long, short = one_load.times(one.steps), other_load.times(other.steps)
    step = (long + short.times(-1)).times(1 / (one.steps - other.steps))
    return Constants(instance=short + step.times(-other.steps), step=step)


def pages(constants: Constants, shape: Shape, store: Store, instances: float) -> float:
    """Return how many index pages so many new instances touch, each counted once.

    So many draws of one of P leaves, each as likely: P (1 - e^(-draws / P)) are drawn at least once.
    Nothing is touched at random if runs are in the order of time.
    """
    if store.ordered or not instances:
        return 0.0
    stored = store.steps / shape.steps + instances
    # A page of random keys is two thirds full.
    leaves = [
        max(1.0, stored * size / (PAGE * 0.69))
        for size in (constants.step_key * shape.steps, constants.run_key)
    ]
    return sum(count * -math.expm1(-instances / count) for count in leaves)


def index_bytes(constants: Constants, shape: Shape, store: Store) -> float:
    """Return how large the randomly written indexes are."""
    per_step = constants.step_key + constants.run_key / shape.steps
    return 0.0 if store.ordered else store.steps * per_step / 0.69


def predict(constants: Constants, shape: Shape, machine: Machine, store: Store) -> Prediction:
    """Return the bounds for steps of this shape, over what is stored."""
    load = constants.load(shape)
    bounds = {"worker processes (one core each)": machine.processes / load.client}
    if machine.worker_cores is None:
        bounds["cores"] = machine.server_cores / (load.server + load.client)
    else:
        bounds["server cores"] = machine.server_cores / load.server
        bounds["worker cores"] = machine.worker_cores / load.client
    bounds["one commit at a time"] = _by_commits(load, machine)
    usable = machine.connections / CONNECTIONS
    bounds["connections"] = usable / load.client
    bounds["disk bandwidth"] = _by_disk(constants, shape, machine, store, load)
    misses = _misses(constants, shape, store)
    if misses:
        bounds["disk reads"] = machine.disk_operations / misses
    return Prediction(bounds)


def _by_commits(load: Load, machine: Machine) -> float:
    """Return what workers commit that send one full batch after the other."""
    seconds = machine.sync_seconds + BATCH * load.server
    return machine.processes * BATCH / seconds


def _by_disk(
    constants: Constants, shape: Shape, machine: Machine, store: Store, load: Load
) -> float:
    """Return the rate whose log and pages fill the disk's bandwidth, by halving an interval."""
    if math.isinf(machine.disk_bytes):
        return math.inf
    low, high = 0.0, machine.disk_bytes / load.log
    for _ in range(60):
        rate = (low + high) / 2
        instances = rate * store.checkpoint_seconds / shape.steps
        # A page is logged in full once, and written to its file once.
        touched = pages(constants, shape, store, instances) / store.checkpoint_seconds
        needed = rate * (load.log + constants.file_bytes) + 2 * PAGE * touched
        low, high = (rate, high) if needed < machine.disk_bytes else (low, rate)
    return low


def _misses(constants: Constants, shape: Shape, store: Store) -> float:
    """Return how many pages per step must be read because the indexes do not fit into memory."""
    size = index_bytes(constants, shape, store)
    missing = max(0.0, 1 - store.memory / size) if size else 0.0
    return 2 * missing / shape.steps


def error(predicted: float, measured: float) -> float:
    """Return how far a prediction is off, as a share of what was measured."""
    return predicted / measured - 1


def middle(values: Sequence[float]) -> float:
    """Return the median."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
