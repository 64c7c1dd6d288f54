"""Payloads of two codecs side by side in one run: mixed.py URL CHOSEN."""

import sys
from typing import Any

from sayiir import Flow, open_backend
from sayiir_core.errors import UnknownCodecError
from sayiir_core.ids import InstanceId
from sayiir_core.snapshot.reference import INPUT, SignalRef, StepRef
from sayiir_runtime.codec import PayloadCodec
from sayiir_runtime.codec.envelope import parse_header
from sayiir_runtime.plugins import create_plugin_manager
from sayiir_runtime.runner.checkpointing import CheckpointingRunner

URL, CHOSEN = sys.argv[1:]


def collect(numbers: list[int]) -> list[str]:
    return [f"part {number}" for number in numbers]


def total(answer: dict[str, Any]) -> int:
    return int(answer["bonus"]) + 1


workflow = Flow[Any, Any]("mixed").then(collect).wait_for_signal("go").then(total).build()
codecs = create_plugin_manager().codecs
json_only = PayloadCodec([codecs["json"]])
chosen = PayloadCodec(codecs.values(), default=CHOSEN)
backend = open_backend(URL)

# Begun by a process without the codec, signalled and finished by one that writes with it.
CheckpointingRunner(backend, codec=json_only).run(workflow, "it", list(range(1000)))
backend.signals.send(InstanceId("it"), "go", chosen.encode({"bonus": 41}))
status = CheckpointingRunner(backend, codec=chosen).resume(workflow, "it")
print(status.output)  # noqa: T201 - a program of a user

run_id = backend.instances.load(InstanceId("it")).header.run_id
leaves = [INPUT, StepRef(0), SignalRef(1), StepRef(2)]
for payload in backend.results.payloads(InstanceId("it"), run_id, leaves):
    assert payload is not None
    try:
        without = str(json_only.decode(payload))
    except UnknownCodecError:
        without = "unknown"
    alike = without == str(chosen.decode(payload))
    print(parse_header(payload).codec, len(payload), "alike" if alike else without)  # noqa: T201 - a program of a user
