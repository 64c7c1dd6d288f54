"""Make a workflow of a plan, with the authoring layer that users have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, assert_never

from sayiir_core.authoring import (
    Flow,
    LoopResult,
    TaskMetadata,
    Workflow,
    get_task_context,
    task,
)
from sayiir_core.policy import RetryPolicy
from sayiir_pytest.strategies.calls import CallLog
from sayiir_pytest.strategies.plan import (
    LATE,
    Child,
    Delay,
    Element,
    Elements,
    Fork,
    Loop,
    Plan,
    PlannedError,
    Route,
    Signal,
    Task,
    key_of,
    result_of,
    weight,
)

Body = Callable[..., Any]
Decide = Callable[[Any], Any]

_HANGS: Final = "hangs in this many attempts: "


def hanging_attempts(metadata: TaskMetadata) -> int:
    """Return how many attempts of a generated task run longer than its timeout."""
    described = metadata.description or ""
    return int(described.removeprefix(_HANGS)) if described.startswith(_HANGS) else 0


def build(
    plan: Plan, calls: CallLog, *, name: str = "plan", retry_delay: float = 0.0
) -> Workflow[Any, Any]:
    """Return the workflow of a plan; its bodies note their calls.

    Tasks are called ``t<position in their scope>``. ``retry_delay`` is the back-off in seconds.
    """
    return _Builder(calls, retry_delay).workflow(plan.elements, name)


class _Builder:
    """Build one plan; ``decide`` wraps the result of a loop's last task."""

    def __init__(self, calls: CallLog, retry_delay: float) -> None:
        self._calls = calls
        self._retry_delay = retry_delay

    def workflow(
        self, elements: Elements, name: str, decide: Decide | None = None
    ) -> Workflow[Any, Any]:
        flow: Any = Flow(name)
        last = len(elements) - 1
        for position, element in enumerate(elements):
            flow = self._add(flow, element, position, decide if position == last else None)
        built: Workflow[Any, Any] = flow.build()
        return built

    def _add(self, flow: Any, element: Element, position: int, decide: Decide | None) -> Any:
        match element:
            case Task():
                return flow.then(self._body(element, f"t{position}", decide))
            case Delay():
                return flow.delay(f"d{position}", element.milliseconds / 1000)
            case Signal():
                return self._signal(flow, element, position)
            case Fork():
                return self._fork(flow, element, position, decide)
            case Route():
                return self._route(flow, element)
            case Loop():
                return self._loop(flow, element)
            case Child():
                return flow.then_flow(self.workflow(element.elements, f"c{position}", decide))
            case _:
                assert_never(element)

    def _signal(self, flow: Any, signal: Signal, position: int) -> Any:
        if signal.sent:
            return flow.wait_for_signal(signal.name, name=f"w{position}")
        return flow.wait_for_signal(
            signal.name, name=f"w{position}", timeout=0.005, on_timeout=signal.payload
        )

    def _fork(self, flow: Any, fork: Fork, position: int, decide: Decide | None) -> Any:
        forked = flow.fork()
        for number, branch in enumerate(fork.branches):
            forked = forked.branch(*self._parts(branch), name=f"b{number}")
        return forked.join(self._body(fork.join, f"t{position}", decide))

    def _route(self, flow: Any, route: Route) -> Any:
        keys = [f"k{number}" for number in range(len(route.arms))]

        def choose(value: Any) -> str:
            self._note(value)
            return key_of(route, value)

        routed = flow.route(choose, keys=keys)
        for key, arm in zip(keys, route.arms, strict=True):
            routed = routed.branch(key, *self._parts(arm))
        if route.default is not None:
            routed = routed.default_branch(*self._parts(route.default))
        return routed.done()

    def _loop(self, flow: Any, loop: Loop) -> Any:
        def decide(result: Any) -> LoopResult[Any]:
            done = weight(result) % loop.until == 0
            return LoopResult.done(result) if done else LoopResult.again(result)

        only = loop.body[0]
        body: Any
        if len(loop.body) == 1 and isinstance(only, Task):
            body = self._body(only, "t0", decide)
        else:
            body = self.workflow(loop.body, "body", decide)
        return flow.loop(body, max_iterations=loop.cap, on_max=loop.on_max)

    def _parts(self, elements: Elements) -> list[Any]:
        """Return a branch as functions and workflows, mixed where it has both."""
        if not any(isinstance(element, Task) for element in elements):
            return [self.workflow(elements, "line")]
        return [
            self._body(element, f"t{position}", None)
            if isinstance(element, Task)
            else self.workflow((element,), f"c{position}")
            for position, element in enumerate(elements)
        ]

    def _body(self, plan: Task, name: str, decide: Decide | None) -> Body:
        def run(value: Any) -> Any:
            is_bad = self._note(value) <= plan.fails
            if is_bad and not plan.hangs:
                raise PlannedError(plan.failure)
            result = LATE if is_bad else result_of(plan, value)
            return result if decide is None else decide(result)

        async def run_async(value: Any) -> Any:
            return run(value)

        options: dict[str, Any] = {"tags": [plan.tag] if plan.tag else None}
        if plan.retries:
            options["retries"] = RetryPolicy(plan.retries, self._retry_delay)
        if plan.timeout:
            options["timeout"] = plan.timeout
        if plan.hangs:
            options["description"] = f"{_HANGS}{plan.fails}"
        return task(name, **options)(run_async if plan.is_async else run)

    def _note(self, value: Any) -> int:
        """Note a call and return the number of the attempt."""
        context = get_task_context()
        assert context is not None, "a generated body ran outside of any driver"
        self._calls.note(context, value)
        return context.attempt
