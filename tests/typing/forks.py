"""Branches receive the value before the fork; a join's argument is not checked."""

from typing import Any, assert_type

from sayiir import Flow, Workflow


def inc(x: int) -> int:
    return x + 1


def text(x: int) -> str:
    return str(x)


def shout(x: str) -> bytes:
    return x.upper().encode()


def gather(results: dict[str, Any]) -> list[str]:
    return list(results)


async def gather_later(results: dict[str, int]) -> int:
    return len(results)


whole = Flow("whole").then(inc).then(text).build()
words = Flow("words").then(shout).build()

assert_type(Flow("f").fork().branch(inc).branch(text, shout).join(gather).build(), Workflow[int, list[str]])
assert_type(Flow("f").then(inc).fork().branch(whole).branch(inc, whole, name="b").join(gather_later).build(), Workflow[int, int])
assert_type(Flow("f").then(text).fork().branch(words).branch("shop::x").join(lambda r: len(r)).build(), Workflow[int, int])
assert_type(Flow("f").fork().branch(whole).join("shop::join").build(), Workflow[int, Any])

fork = Flow("f").then(inc).fork()
fork.branch(shout)  # error: mypy[arg-type] pyright[reportArgumentType, reportCallIssue]
fork.branch(words)  # error: mypy[arg-type] pyright[reportArgumentType, reportCallIssue]
fork.branch()  # error: mypy[call-overload] pyright[reportCallIssue]
Flow("f").fork().branch(inc).branch(shout)  # error: mypy[arg-type] pyright[reportArgumentType, reportCallIssue]
fork.branch(inc).then(inc)  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue, reportUnknownMemberType]
fork.branch(inc).build()  # error: mypy[attr-defined] pyright[reportAttributeAccessIssue, reportUnknownMemberType]
