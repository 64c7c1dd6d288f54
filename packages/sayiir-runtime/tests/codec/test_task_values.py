"""What a task's signature says about its values."""

# ruff: noqa: D102 - methods that are only there to have a signature

from __future__ import annotations

import functools
import sys
from collections.abc import Awaitable, Callable
from datetime import date
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pytest
from pydantic import BaseModel

from sayiir_core.errors import InvalidValueError
from sayiir_runtime.codec import JsonCodec, PayloadCodec, TaskValues

if TYPE_CHECKING:
    from nowhere import Missing  # type: ignore[import-not-found]

PAYLOADS = PayloadCodec([JsonCodec()])
DAY = date(2026, 1, 2)
T = TypeVar("T")


class Order(BaseModel):
    day: date


class Again(Generic[T]):
    """Stand for a wrapper that the caller opens before it encodes."""


def values_of(fn: Callable[..., Any], *, unwrap: tuple[type, ...] = ()) -> TaskValues:
    """Read a signature."""
    return TaskValues.from_function(fn, PAYLOADS, unwrap=unwrap)


def takes_order(order: Order) -> Any:
    return order


async def takes_order_async(order: Order, retries: int = 3) -> Order:
    return order


def returns_later(order: Order) -> Awaitable[Order]:
    return takes_order_async(order)


def takes_two(label: str, order: Order) -> Any:
    return order


def unresolvable_return(order: Order) -> Missing:
    return order


def decorated(fn: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(fn)
    def wrapper(*args: Any) -> Any:
        return fn(*args)

    return wrapper


class Service:
    def method(self, order: Order) -> Order:
        return order

    @classmethod
    def of_class(cls, order: Order) -> Order:
        return order

    @staticmethod
    def static(order: Order) -> Order:
        return order

    def __call__(self, order: Order) -> Order:
        return order


class FromOrder:
    def __init__(self, order: Order) -> None:
        self.order = order


@pytest.mark.parametrize(
    "fn",
    [
        takes_order,
        takes_order_async,
        returns_later,
        unresolvable_return,
        decorated(takes_order),
        functools.partial(takes_two, "label"),
        functools.partial(functools.partial(takes_order_async, retries=1)),
        Service().method,
        Service.of_class,
        Service.static,
        Service(),
        FromOrder,
        functools.partial(Service()),
    ],
    ids=lambda fn: getattr(fn, "__qualname__", type(fn).__name__),
)
def test_the_annotation_of_the_first_free_parameter_drives_the_input(fn: Any) -> None:
    """Functions, coroutines, methods, partials, callable objects, classes, wrapped functions."""
    values = values_of(fn)

    assert values.takes_value
    assert not values.plain_input
    assert Order(day=DAY) == values.decode_input(PAYLOADS.encode({"day": "2026-01-02"}))
    assert Order(day=DAY) == values.decode_plain({"day": "2026-01-02"})


@pytest.mark.parametrize("fn", [takes_order_async, returns_later, Service().method, Service()])
def test_the_return_annotation_drives_the_output(fn: Any) -> None:
    """Also where the function returns an awaitable without being async."""
    values = values_of(fn)

    payload = values.encode_output(Order(day=DAY))

    assert not values.plain_output
    assert {"day": "2026-01-02"} == PAYLOADS.decode(payload)


@pytest.mark.parametrize(
    "fn",
    [len, str.upper, int, dict, max, lambda x: x, lambda *args: args, functools.partial(pow, 2)],
    ids=lambda fn: getattr(fn, "__qualname__", type(fn).__name__),
)
def test_a_callable_without_annotations_takes_plain_values(fn: Any) -> None:
    """Builtins, types and lambdas are read without an exception."""
    values = values_of(fn)

    assert values.takes_value
    assert values.plain_input
    assert [1] == values.decode_input(values.encode_input((1,)))


@pytest.mark.parametrize(
    "fn",
    [lambda: 1, Service, functools.partial(takes_order, Order(day=DAY)), lambda *, key=1: key],
    ids=lambda fn: getattr(fn, "__qualname__", type(fn).__name__),
)
def test_a_callable_without_positional_parameter_is_called_without_value(fn: Any) -> None:
    """SEMANTICS 15: zero-argument callables are called without value."""
    assert not values_of(fn).takes_value


def test_an_annotation_that_cannot_be_resolved_counts_as_absent() -> None:
    """Names that exist for the type checker only are no reason to fail."""

    def fn(value: Missing) -> list[Missing]:
        return [value]

    values = values_of(fn)

    assert values.plain_input
    assert values.plain_output
    assert {"a": 1} == values.decode_input(PAYLOADS.encode({"a": 1}))


def test_an_annotation_that_raises_counts_as_absent() -> None:
    """What evaluating it raises is nobody's fault at run time."""

    def fn(value: 1 / 0) -> Order[1]:  # type: ignore[valid-type]
        return value

    assert values_of(fn).plain_input


def test_a_class_of_an_enclosing_function_is_found_if_the_task_uses_it() -> None:
    """Postponed annotations see what the function closes over."""

    class Local(BaseModel):
        a: int

    def fn(value: Local) -> Any:
        return Local(a=value.a)

    assert Local(a=3) == values_of(fn).decode_input(PAYLOADS.encode({"a": "3"}))


def test_an_invalid_input_names_the_parameter_and_the_callable() -> None:
    """SEMANTICS 17, and whoever reads it knows which annotation refused."""
    values = values_of(takes_two)
    typed = values_of(functools.partial(takes_two, "label"))

    assert values.plain_input
    with pytest.raises(
        InvalidValueError, match=r"^ValidationError: parameter 'order' of takes_two: Order cannot"
    ):
        typed.decode_input(PAYLOADS.encode({"day": "never"}))


def test_a_wrapper_of_results_is_looked_through() -> None:
    """The value inside is encoded under the wrapper's type argument."""

    def fn(order: Order) -> Again[Order]:
        raise NotImplementedError

    def bare(order: Order) -> Again:  # type: ignore[type-arg]
        raise NotImplementedError

    typed, plain = values_of(fn, unwrap=(Again,)), values_of(bare, unwrap=(Again,))

    assert {"day": "2026-01-02"} == PAYLOADS.decode(typed.encode_output(Order(day=DAY)))
    assert not typed.plain_output
    assert plain.plain_output


def test_a_caller_may_hand_in_the_annotated_type() -> None:
    """An input that no plain value could say is stored by the parameter's annotation."""

    def fn(day: date) -> Any:
        return day

    values = values_of(fn)

    assert DAY == values.decode_input(values.encode_input(DAY))
    assert DAY == values.decode_input(values.encode_input("2026-01-02"))


def test_a_plain_task_calls_the_codec_itself() -> None:
    """Nothing stands between a task without annotations and the payload codec."""
    values = values_of(lambda x: x)

    assert (PAYLOADS.decode, PAYLOADS.encode) == (values.decode_input, values.encode_output)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the syntax came with Python 3.12")
def test_type_parameters_and_aliases_are_read() -> None:
    """PEP 695: a type parameter is plain, an alias is what it stands for."""
    space: dict[str, Any] = {"Order": Order}
    code = """
type Orders = list[Order]
type Json = dict[str, Json] | list[Json] | str | int | None
def generic[T](value: T) -> T: return value
def aliased(value: Orders) -> Json: return None
"""
    exec(code, space)  # noqa: S102 - syntax that older interpreters cannot parse

    assert values_of(space["generic"]).plain_input
    assert values_of(space["aliased"]).plain_output
    assert [Order(day=DAY)] == values_of(space["aliased"]).decode_input(
        PAYLOADS.encode([{"day": "2026-01-02"}])
    )
