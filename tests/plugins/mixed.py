"""Payloads of two codecs side by side in one run: mixed.py URL CHOSEN."""

import sys
from typing import Any

from sayiir import Flow, open_backend, resume_workflow, run_durable_workflow, send_signal
from sayiir_core.errors import UnknownCodecError
from sayiir_core.ids import InstanceId
from sayiir_core.snapshot.reference import INPUT, SignalRef, StepRef
from sayiir_runtime.codec import JsonCodec, PayloadCodec
from sayiir_runtime.codec.envelope import parse_header
from sayiir_runtime.payloads import default_codec

URL, CHOSEN = sys.argv[1:]


def collect(numbers: list[int]) -> list[str]:
    return [f"part {number}" for number in numbers]


def total(answer: dict[str, Any]) -> int:
    return int(answer["bonus"]) + 1


workflow = Flow[Any, Any]("mixed").then(collect).wait_for_signal("go").then(total).build()
backend = open_backend(URL)

# Begun by JSON alone, signalled and finished by a process that writes with the other codec.
run_durable_workflow(workflow, "it", list(range(1000)), backend)
send_signal("it", "go", {"bonus": 41}, backend, codec=CHOSEN)
status = resume_workflow(workflow, "it", backend, codec=CHOSEN)
print(status.output)  # noqa: T201 - a program of a user

json_only, every = PayloadCodec([JsonCodec()]), default_codec()
run_id = backend.instances.load(InstanceId("it")).header.run_id
leaves = [INPUT, StepRef(0), SignalRef(1), StepRef(2)]
for payload in backend.results.payloads(InstanceId("it"), run_id, leaves):
    assert payload is not None
    try:
        without = str(json_only.decode(payload))
    except UnknownCodecError:
        without = "unknown"
    alike = without == str(every.decode(payload))
    print(parse_header(payload).codec, len(payload), "alike" if alike else without)  # noqa: T201 - a program of a user
