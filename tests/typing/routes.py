"""Arms receive the value before the route; the route gives a dict."""

from enum import StrEnum
from typing import Any, Literal, assert_type

from sayiir import Flow, Workflow


class Kind(StrEnum):
    LOW = "low"
    HIGH = "high"


def classify(x: int) -> Kind:
    return Kind.LOW if x < 10 else Kind.HIGH


async def classify_later(x: int) -> str:
    return "low"


def inc(x: int) -> int:
    return x + 1


def shout(x: str) -> str:
    return x.upper()


def read(result: dict[str, Any]) -> int:
    return int(result["result"])


whole = Flow("whole").then(inc).build()

assert_type(
    Flow("f").route(classify, keys=Kind).branch(Kind.LOW, inc).branch("high", whole, inc).done().then(read).build(),
    Workflow[int, int],
)
assert_type(
    Flow("f").then(inc).route(classify_later, keys=["low"]).default_branch(inc, name="rest").done().build(),
    Workflow[int, dict[str, Any]],
)
assert_type(
    Flow("f").then(inc).route(lambda x: "low" if x else "high", keys=Literal["low", "high"]).default_branch("a::b").done().build(),
    Workflow[int, dict[str, Any]],
)

start = Flow("f").then(inc)
start.route(inc, keys=["a"])  # error: mypy[arg-type] pyright[reportArgumentType, reportCallIssue]
start.route(shout, keys=["a"])  # error: mypy[arg-type] pyright[reportArgumentType, reportCallIssue]
start.route(classify)  # error: mypy[call-overload] pyright[reportCallIssue]
route = start.route(classify, keys=Kind)
route.branch("low", shout)  # error: mypy[arg-type] pyright[reportArgumentType, reportCallIssue]
route.branch(3, inc)  # error: mypy[call-overload] pyright[reportArgumentType, reportCallIssue]
route.default_branch(shout)  # error: mypy[arg-type] pyright[reportArgumentType, reportCallIssue]
route.branch("low", inc).then(read)  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue, reportUnknownMemberType]
route.done().then(shout)  # error: mypy[arg-type] pyright[reportArgumentType, reportCallIssue]
