"""Tasks one after the other: each receives what the one before gives."""

from typing import Any, assert_type

from sayiir import Flow, Workflow


def inc(x: int) -> int:
    return x + 1


def text(x: int) -> str:
    return str(x)


def shout(x: str) -> bytes:
    return x.upper().encode()


async def later(x: int) -> float:
    return x / 2


def nothing() -> str:
    return ""


async def nothing_later() -> str:
    return ""


class Model:
    def __init__(self, value: int) -> None:
        self.value = value

    def add(self, other: int) -> str:
        return str(self.value + other)


assert_type(Flow("f").then(inc).build(), Workflow[int, int])
assert_type(Flow("f").then(inc).then(text).then(shout).build(), Workflow[int, bytes])
assert_type(Flow("f").then(inc).then(later).build(), Workflow[int, float])
assert_type(Flow("f").then(later).then(round).build(), Workflow[int, int])
assert_type(Flow("f").then(nothing).then(shout).build(), Workflow[Any, bytes])
assert_type(Flow("f").then(inc).then(nothing_later).build(), Workflow[int, str])
assert_type(Flow("f").then(inc).then(Model).build(), Workflow[int, Model])
assert_type(Flow("f").then(inc).then(Model(1).add).then(str.upper).build(), Workflow[int, str])
assert_type(Flow("f").then(inc).then("shop::charge").build(), Workflow[int, Any])
assert_type(Flow("f").then("shop::charge").then(inc).build(), Workflow[Any, int])
assert_type(Flow("f").then(inc).delay("nap", "1s").then(text).build(), Workflow[int, str])
assert_type(Flow("f").delay("nap", 1).then(text).build(), Workflow[int, str])
assert_type(Flow("f").wait_for_signal("go").then(text).build(), Workflow[Any, str])
assert_type(Flow[Any, Any]("f").then(inc).then(text).build(), Workflow[Any, str])
assert_type(Flow("f").then(lambda x: str(x)).then(len).build(), Workflow[Any, int])

# A lambda knows its argument where the flow does; the first one needs the parameters.
assert_type(Flow("f").then(inc).then(lambda x: x * 2).build(), Workflow[int, int])
assert_type(Flow[int, int]("f").then(lambda x: x * 2).then(lambda x: str(x)).build(), Workflow[int, str])
flow: Flow[int, int] = Flow("f")
assert_type(flow.then(lambda x: x / 2).build(), Workflow[int, float])

Flow("f").then(lambda x: x * 2)  # error: mypy[] pyright[reportOperatorIssue, reportUnknownLambdaType]

parts = Flow("f").then(inc)
parts.then(shout)  # error: mypy[arg-type] pyright[reportArgumentType, reportCallIssue]
parts.then(7)  # error: mypy[call-overload] pyright[reportArgumentType, reportCallIssue]
parts.delay("nap")  # error: mypy[call-arg] pyright[reportCallIssue]
parts.delay("nap", None)  # error: mypy[arg-type] pyright[reportArgumentType]
wrong: Workflow[str, int] = parts.build()  # error: mypy[assignment] pyright[reportAssignmentType]
narrower: Workflow[bool, object] = parts.build()
