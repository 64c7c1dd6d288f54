"""A loop's body receives the value and gives a ``LoopResult`` or its dict."""

from typing import Any, assert_type

from sayiir import Flow, LoopResult, OnMax, Workflow


def refine(x: int) -> LoopResult[int]:
    return LoopResult.done(x) if x > 3 else LoopResult.again(x + 1)


async def refine_later(x: int) -> LoopResult[int]:
    return LoopResult.again(x)


def as_dict(x: int) -> dict[str, Any]:
    return LoopResult.done(x).to_dict()


def inc(x: int) -> int:
    return x + 1


def shout(x: str) -> LoopResult[str]:
    return LoopResult.done(x.upper())


body = Flow("body").then(inc).then(refine).build()
plain = Flow("plain").then(inc).build()

assert_type(LoopResult.again(3), LoopResult[int])
assert_type(Flow("f").loop(refine).build(), Workflow[int, int])
assert_type(Flow("f").loop(refine_later, max_iterations=3).then(inc).build(), Workflow[int, int])
assert_type(Flow("f").then(inc).loop(body, on_max="exit_with_last", name="polish").build(), Workflow[int, int])
assert_type(Flow("f").loop(body).build(), Workflow[int, int])
assert_type(Flow("f").then(inc).loop(as_dict, on_max=OnMax.FAIL).build(), Workflow[int, Any])
assert_type(Flow("f").then(inc).loop("shop::refine").build(), Workflow[int, Any])
assert_type(Flow("f").then(inc).loop(lambda x: LoopResult.done(str(x))).build(), Workflow[int, str])

start = Flow("f").then(inc)
start.loop(inc)  # error: mypy[arg-type] pyright[reportArgumentType, reportCallIssue]
start.loop(shout)  # error: mypy[arg-type] pyright[reportArgumentType, reportCallIssue]
start.loop(plain)  # error: mypy[arg-type] pyright[reportArgumentType, reportCallIssue]
start.loop(refine, max_iterations="9")  # error: mypy[call-overload] pyright[reportArgumentType, reportCallIssue]
