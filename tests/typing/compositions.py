"""Sub-flows and signals: a workflow takes an input and gives an output."""

from typing import Any, assert_type

from sayiir import Flow, TaskRegistry, Workflow


class Approval:
    ok: bool


def inc(x: int) -> int:
    return x + 1


def text(x: int) -> str:
    return str(x)


def act(approval: Approval) -> bool:
    return approval.ok


number = Flow("number").then(inc).build()
word = Flow("word").then(text).build()

assert_type(Flow("f").then_flow(number).then_flow(word).build(), Workflow[int, str])
assert_type(Flow("f").then(inc).then_flow(word).build(), Workflow[int, str])
assert_type(Flow("f").then(inc).wait_for_signal("go", payload=Approval, timeout="1h").then(act).build(), Workflow[int, bool])
assert_type(Flow("f").then(inc).wait_for_signal("go", name="gate").then(text).build(), Workflow[int, str])
assert_type(Flow("f").wait_for_signal("go", payload=int, timeout=3, on_timeout=0).then(text).build(), Workflow[Any, str])
assert_type(Flow("f").then(inc).wait_for_signal("go", payload=list[int]).then(len).build(), Workflow[int, int])
assert_type(number.workflow_id, str)
assert_type(number.definition_hash, str)
assert_type(number.metadata, dict[str, Any] | None)

registry = TaskRegistry("shop")


@registry.task("charge", retries=2)
def charge(x: int) -> str:
    return str(x)


assert_type(charge(1), str)

start = Flow("f").then(text)
start.then_flow(number)  # error: mypy[arg-type] pyright[reportArgumentType]
start.then_flow(inc)  # error: mypy[arg-type] pyright[reportArgumentType]
start.wait_for_signal("go", payload=Approval).then(text)  # error: mypy[arg-type] pyright[reportArgumentType, reportCallIssue]
start.wait_for_signal("go", timeout=[1])  # error: mypy[call-overload] pyright[reportArgumentType]
Flow("f", metadata=[1])  # error: mypy[arg-type] pyright[reportArgumentType]
number.definition = word.definition  # error: mypy[misc] pyright[reportAttributeAccessIssue]
