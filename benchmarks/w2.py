"""W2: ten steps on the memory store, every value going through its stored form."""

from __future__ import annotations

from chain import STEPS, chain, inc
from guests import guests
from measure import Result, Settings, Target, seconds, take_turns

from sayiir import InMemoryBackend, run_durable_workflow


def w2(settings: Settings) -> list[Result]:
    """Measure a step with its checkpoint where storing costs nothing."""
    count = settings.size(1_000)
    workflow = chain(inc)

    def ours() -> None:
        backend = InMemoryBackend()
        for number in range(count):
            run_durable_workflow(workflow, f"i{number}", 0, backend)

    assert run_durable_workflow(workflow, "one", 0).output == STEPS
    scale = 1e6 / (count * STEPS)
    sides = {"ours": lambda: seconds(ours) * scale}
    with guests(settings, "w2", count=count) as peers:
        times = take_turns(settings.repeats, sides, peers)
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
