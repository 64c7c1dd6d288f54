"""References: how a cursor names its input without copying it.

Grammar of the text form, which stores keep and tools read (outermost first)::

    reference = { "r" step ":" } leaf
    leaf      = "i" | step | "g" seq | "j" scope "+" count [ "@" turns ]
    step      = "s" node [ "@" turns ]          turns = number { "." number }

``i`` is the input of the run, ``s4@0.2`` the output of node 4 in turn 0 of the outer and turn 2
of the inner loop, ``g7`` the payload of signal 7, ``j3+2`` the results of the two branches whose
scopes start at 3, and ``rs5:s9`` the result ``s9`` of the arm that the key recorded by ``s5``
chose. Only ``r`` nests, and only to the right, so both directions are loops. A definition whose
reference could exceed ``MAX_DEPTH`` parts is refused when it is built.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, assert_never

from sayiir_core.errors import DeserializationError
from sayiir_core.ids import Index

MAX_DEPTH: Final = 64

_MAX_DIGITS: Final = 20


@dataclass(slots=True, unsafe_hash=True)
class InputRef:
    """The input of the run."""


# Plain instead of frozen: one is made per step, and a frozen one costs three times as much.
@dataclass(slots=True, unsafe_hash=True)
class StepRef:
    """The output of the step at ``(node, turns)``."""

    node: int
    turns: Index = ()


@dataclass(slots=True, unsafe_hash=True)
class SignalRef:
    """The payload of a signal, by its number in the inbox of the instance id."""

    seq: int


@dataclass(slots=True, unsafe_hash=True)
class JoinRef:
    """The results of ``count`` branches whose scopes start at ``first``, in declaration order."""

    first: int
    count: int
    turns: Index = ()


@dataclass(slots=True, unsafe_hash=True)
class RoutedRef:
    """A route's result: the recorded key, and the value of the arm that it chose."""

    key: StepRef
    value: Ref


Leaf = InputRef | StepRef | SignalRef
"""A reference to exactly one payload."""

Ref = Leaf | JoinRef | RoutedRef
"""The closed union of references."""

INPUT: Final = InputRef()


def encode_turns(turns: Index) -> str:
    """Return ``0.2`` for ``(0, 2)`` and an empty string for no turns."""
    return ".".join(map(str, turns)) if turns else ""


def decode_turns(text: str) -> Index:
    """Invert ``encode_turns``; ``DeserializationError`` for anything else."""
    return tuple(_number(part, text) for part in text.split(".")) if text else ()


def encode_ref(ref: Ref) -> str:
    """Return the text form of a reference."""
    if type(ref) is StepRef:
        return _step_text(ref)
    prefix = ""
    while isinstance(ref, RoutedRef):
        prefix += f"r{_step_text(ref.key)}:"
        ref = ref.value
    return prefix + _leaf_text(ref)


def decode_ref(text: str) -> Ref:
    """Invert ``encode_ref``; ``DeserializationError`` for anything else."""
    *routes, last = text.split(":")
    if len(routes) >= MAX_DEPTH:
        raise DeserializationError(f"a stored reference has more than {MAX_DEPTH} parts")
    ref: Ref = _decode_leaf(last, text)
    for route in reversed(routes):
        if not route.startswith("rs"):
            raise _malformed(text)
        ref = RoutedRef(_decode_step(route[1:], text), ref)
    return ref


def _step_text(step: StepRef) -> str:
    return f"s{step.node}@{encode_turns(step.turns)}" if step.turns else f"s{step.node}"


def _leaf_text(ref: Leaf | JoinRef) -> str:
    match ref:
        case InputRef():
            return "i"
        case StepRef():
            return _step_text(ref)
        case SignalRef(seq):
            return f"g{seq}"
        case JoinRef(first, count, turns):
            return f"j{first}+{count}@{encode_turns(turns)}" if turns else f"j{first}+{count}"
        case _:
            assert_never(ref)


def _decode_leaf(part: str, text: str) -> Ref:
    if part == "i":
        return INPUT
    decode = _LEAVES.get(part[:1])
    if decode is None:
        raise _malformed(text)
    return decode(part, text)


def _decode_step(part: str, text: str) -> StepRef:
    node, _, turns = part[1:].partition("@")
    return StepRef(_number(node, text), decode_turns(turns))


def _decode_signal(part: str, text: str) -> SignalRef:
    return SignalRef(_number(part[1:], text))


def _decode_join(part: str, text: str) -> JoinRef:
    scopes, _, turns = part[1:].partition("@")
    first, _, count = scopes.partition("+")
    return JoinRef(_number(first, text), _number(count, text), decode_turns(turns))


_LEAVES: Final[dict[str, Callable[[str, str], Ref]]] = {
    "s": _decode_step,
    "g": _decode_signal,
    "j": _decode_join,
}


def _number(digits: str, text: str) -> int:
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS):
        raise _malformed(text)
    return int(digits)


def _malformed(text: str) -> DeserializationError:
    return DeserializationError(f"stored reference {text[:80]!r} is malformed")
