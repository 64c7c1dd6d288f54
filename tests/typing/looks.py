"""Tasks that look at their input: ``Lazy[T]`` stands where a ``T`` is given."""

from typing import Any, assert_type

from sayiir import Flow, Lazy, LoopResult, Workflow


class Order:
    id: str


def make(x: int) -> Order:
    return Order()


def look(order: Lazy[Order]) -> float:
    assert_type(order.load(), Order)
    return float(order["total"])


async def look_later(order: Lazy[Order]) -> str:
    return order.load().id


def hand_on(order: Lazy[Order]) -> Lazy[Order]:
    return order


def take(order: Order) -> str:
    return order.id


def choose(order: Lazy[Order]) -> str:
    return str(order["kind"])


def again(order: Lazy[Order]) -> LoopResult[Order]:
    return LoopResult.done(order.load())


def shout(x: str) -> bytes:
    return x.encode()


assert_type(Flow("f").then(make).then(look).build(), Workflow[int, float])
assert_type(Flow("f").then(make).then(look_later).then(shout).build(), Workflow[int, bytes])
assert_type(Flow("f").then(look).build(), Workflow[Order, float])
assert_type(Flow("f").then(make).then(hand_on).then(take).build(), Workflow[int, str])
assert_type(Flow("f").then(make).then(hand_on).then(look).build(), Workflow[int, float])
assert_type(
    Flow("f").then(make).fork().branch(look).branch(take).join(dict[str, Any]).build(),
    Workflow[int, dict[str, Any]],
)
assert_type(
    Flow("f").then(make).route(choose, keys=["a"]).branch("a", look).done().build(),
    Workflow[int, dict[str, Any]],
)
assert_type(Flow("f").then(make).loop(again).build(), Workflow[int, Order])

parts = Flow("f").then(lambda: 1)
parts.then(look)  # error: mypy[arg-type] pyright[reportArgumentType, reportCallIssue]
