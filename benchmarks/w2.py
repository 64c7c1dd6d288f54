"""W2: ten steps on the memory store, against putting every value into a dict as text and back."""

from __future__ import annotations

import orjson
from chain import STEPS, chain, inc
from guests import guests
from measure import Result, Settings, Side, Target, seconds, take_turns

from sayiir import InMemoryBackend, run_durable_workflow


def w2(settings: Settings) -> list[Result]:
    """Measure a step with its checkpoint where storing costs nothing."""
    count = settings.size(1_000)
    with guests(settings, "w2", count=count) as peers:
        times = take_turns(settings.repeats, remembering(count), peers)
    return [
        Result(
            workload="W2",
            what="memory store",
            unit="µs/step",
            times=times,
            target=Target(of="sayiir-1.0.0", at_most=0.6),
            notes=peers.notes,
        )
    ]


def remembering(count: int) -> dict[str, Side]:
    """Return the sides, each of ``count`` chains."""
    workflow = chain(inc)

    def ours() -> None:
        backend = InMemoryBackend()
        for number in range(count):
            run_durable_workflow(workflow, f"i{number}", 0, backend)

    def limit() -> None:
        stored: dict[tuple[str, int], bytes] = {}
        for number in range(count):
            key, text = f"i{number}", orjson.dumps(0)
            for step in range(STEPS):
                text = orjson.dumps(inc(orjson.loads(text)))
                stored[key, step] = text

    assert run_durable_workflow(workflow, "one", 0).output == STEPS
    scale = 1e6 / (count * STEPS)
    return {"ours": lambda: seconds(ours) * scale, "limit": lambda: seconds(limit) * scale}
