"""Give each wait a signal of its own, and each failing task an error of its own."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

from sayiir_pytest.strategies.plan import Child, Element, Elements, Fork, Loop, Route, Signal, Task


def numbered(elements: Elements) -> Elements:
    """Return the elements with signals ``s0``, ``s1``, … and failures ``f0``, ``f1``, ….

    So neither the order of two branches nor that of two failures makes a difference.
    """
    return _Numbering().line(elements)


class _Numbering:
    def __init__(self) -> None:
        self._signals = count()
        self._failures = count()

    def line(self, elements: Elements) -> Elements:
        return tuple(self._element(element) for element in elements)

    def _element(self, element: Element) -> Element:
        match element:
            case Task():
                return self._task(element)
            case Signal():
                return replace(element, name=f"s{next(self._signals)}")
            case Fork():
                branches = tuple(self.line(branch) for branch in element.branches)
                return replace(element, branches=branches, join=self._task(element.join))
            case Route():
                arms = tuple(self.line(arm) for arm in element.arms)
                default = None if element.default is None else self.line(element.default)
                return replace(element, arms=arms, default=default)
            case Loop():
                return replace(element, body=self.line(element.body))
            case Child():
                return replace(element, elements=self.line(element.elements))
            case _:
                return element

    def _task(self, task: Task) -> Task:
        return replace(task, failure=f"f{next(self._failures)}") if task.fails else task
