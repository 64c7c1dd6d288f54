"""Draw plans: nested, mostly successful, small, and smaller when they fail a test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from sayiir_core.policy import OnMax
from sayiir_pytest.strategies.number import numbered
from sayiir_pytest.strategies.plan import (
    Child,
    Delay,
    Element,
    Elements,
    Fork,
    Form,
    Loop,
    Plan,
    Route,
    Signal,
    Task,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wishes:
    """What plans may contain."""

    delays: bool
    signals: bool
    failures: bool
    tags: tuple[str, ...]


def plans(
    *,
    delays: bool = True,
    signals: bool = False,
    failures: bool = True,
    tags: tuple[str, ...] = (),
    max_elements: int = 12,
) -> SearchStrategy[Plan]:
    """Return a strategy of plans; it shrinks to one task.

    ``delays`` are of a few milliseconds. ``signals`` must be sent, see ``Expected.signals``; they
    do not work in process. With ``failures`` some tasks fail, with and without enough retries,
    some loops stop at their cap and some routes have no arm. ``tags`` are given to some tasks.
    """
    wishes = _Wishes(delays=delays, signals=signals, failures=failures, tags=tags)
    element = st.recursive(
        _leaf(wishes), lambda inner: _composite(inner, wishes), max_leaves=max_elements
    )
    return _lines(element).map(lambda elements: Plan(elements=numbered(elements)))


def _lines(element: SearchStrategy[Element], size: int = 3) -> SearchStrategy[Elements]:
    return st.lists(element, min_size=1, max_size=size).map(tuple)


def _leaf(wishes: _Wishes) -> SearchStrategy[Element]:
    leaves: list[SearchStrategy[Element]] = [_task(wishes)]
    if wishes.delays:
        leaves.append(st.builds(Delay, milliseconds=st.sampled_from([0, 1, 5])))
    if wishes.signals:
        payloads = st.integers(0, 9)
        leaves.append(
            st.builds(Signal, name=st.just(""), payload=payloads, sent=_sometimes(True, False))
        )
    return st.one_of(leaves)


def _task(wishes: _Wishes) -> SearchStrategy[Task]:
    sound = st.builds(
        Task,
        add=st.integers(0, 9),
        form=st.sampled_from(Form),
        tag=st.sampled_from([None, *wishes.tags]),
        is_async=st.booleans(),
    )
    if not wishes.failures:
        return sound
    flaky = st.builds(
        _flaky, sound, fails=st.integers(1, 2), spare=st.sampled_from([0, 0, 0, 1, -1])
    )
    return st.one_of(*[sound] * 7, flaky)


def _flaky(task: Task, *, fails: int, spare: int) -> Task:
    return replace(task, fails=fails, retries=fails + spare)


def _composite(inner: SearchStrategy[Element], wishes: _Wishes) -> SearchStrategy[Element]:
    lines = _lines(inner)
    return st.one_of(
        st.builds(Child, elements=lines),
        st.builds(
            Fork, branches=st.lists(lines, min_size=1, max_size=3).map(tuple), join=_task(wishes)
        ),
        _loop(lines, wishes),
        _route(lines, wishes),
    )


def _loop(lines: SearchStrategy[Elements], wishes: _Wishes) -> SearchStrategy[Loop]:
    on_max = _sometimes(OnMax.EXIT_WITH_LAST, OnMax.FAIL if wishes.failures else None)
    return st.builds(
        _looped,
        start=st.one_of(st.just(()), lines),
        tail=_task(wishes),
        until=st.integers(1, 3),
        cap=st.integers(1, 3),
        on_max=on_max,
        ending=st.sampled_from([_plain, _plain, _joined, _in_child]),
    )


def _looped(
    *,
    start: Elements,
    tail: Task,
    until: int,
    cap: int,
    on_max: OnMax,
    ending: Callable[[Elements, Task], Elements],
) -> Loop:
    return Loop(body=ending(start, tail), until=until, cap=cap, on_max=on_max)


def _plain(start: Elements, tail: Task) -> Elements:
    return *start, tail


def _joined(start: Elements, tail: Task) -> Elements:
    """Let the join of a fork decide."""
    branches = tuple((element,) for element in start) or ((tail,),)
    return (Fork(branches=branches, join=tail),)


def _in_child(start: Elements, tail: Task) -> Elements:
    """Let the last task of a sub-flow decide."""
    return *start, Child(elements=(tail,))


def _route(lines: SearchStrategy[Elements], wishes: _Wishes) -> SearchStrategy[Route]:
    arms = st.lists(lines, min_size=1, max_size=3).map(tuple)
    closed = st.builds(Route, arms=arms)
    open_ = st.builds(Route, arms=arms, default=lines, strays=st.integers(0, 2))
    if not wishes.failures:
        return st.one_of(closed, open_)
    return st.one_of(closed, open_, st.builds(Route, arms=arms, strays=st.sampled_from([0, 0, 1])))


def _sometimes(usual: T, rare: T | None) -> SearchStrategy[T]:
    return st.just(usual) if rare is None else st.sampled_from([usual] * 4 + [rare])
