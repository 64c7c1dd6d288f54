"""What the process of a peer speaks: a line for each request, a line of JSON for each answer.

How this works. The process runs in the environment of its peer, so this module knows the standard
library only. Its first line says what it offers: for each workload the variants of its setting, ""
being the plain one, and why it lacks the others. A request is ``WORKLOAD PARAMETERS``, the latter a
JSON object with the variant; the answer holds values by name, their unit and the setting in words,
or an error. ``close`` releases connections between two workloads. The end of the input ends it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TextIO

_SCALES = {"µs": 1e6, "ms": 1e3}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one request has measured; ``seconds`` is what that took, by which the next is sized."""

    values: Mapping[str, float]
    unit: str
    setting: str
    seconds: float = 0.0


def timed(seconds: float, pieces: int, unit: str, setting: str) -> Answer:
    """Return the time of one of several pieces of work, in a unit such as "µs/step"."""
    value = seconds / pieces * _SCALES[unit.partition("/")[0]]
    return Answer(values={"value": value}, unit=unit, setting=setting, seconds=seconds)


Offers = Mapping[str, Mapping[str, Callable[..., Answer]]]
"""By workload and variant, what measures it: a function of the parameters."""


def serve(offers: Offers, lacks: Mapping[str, str], close: Callable[[], None]) -> None:
    """Answer requests until the input ends."""
    answers = own_output()

    def say(message: Mapping[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    say({"offers": {name: list(variants) for name, variants in offers.items()}, "lacks": lacks})
    for line in sys.stdin:
        workload, _, rest = line.partition(" ")
        try:
            say(_answer(offers, workload, json.loads(rest), close))
        except Exception as error:  # noqa: BLE001 -- a workload that fails leaves the others
            say({"error": f"{type(error).__name__}: {error}"[:300]})
    close()


def _answer(
    offers: Offers, workload: str, parameters: dict[str, Any], close: Callable[[], None]
) -> Mapping[str, Any]:
    if workload == "close":
        close()
        return {}
    measure = offers[workload][parameters.pop("variant")]
    return asdict(measure(**parameters))


def own_output() -> TextIO:
    """Return the standard output, and send what libraries print to where errors go."""
    output = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return output


def payload(mib: float) -> list[dict[str, Any]]:
    """Return a list of documents whose JSON has a size in MiB."""
    row = {"id": 123456, "name": "a customer", "tags": ["a", "b", "c"], "price": 12.5, "ok": True}
    count = max(1, int(mib * 2**20 / len(json.dumps(row, separators=(",", ":")))))
    return [row | {"id": 100_000 + number} for number in range(count)]
