"""A workflow made ready to run: for each task node its function and what calling it takes."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from sayiir_core.authoring import LoopResult, TaskMetadata, Workflow
from sayiir_core.engine.onward import Onward, onward
from sayiir_core.errors import DefinitionError, PluginError
from sayiir_core.ports.executor import TaskExecutor
from sayiir_core.snapshot.reference import INPUT
from sayiir_core.workflow.definition import Definition
from sayiir_core.workflow.node import END, ROOT, SignalNode, TaskNode
from sayiir_runtime.codec import PayloadCodec, TaskValues
from sayiir_runtime.codec.task_values import Encode
from sayiir_runtime.executor.registry import executor_of
from sayiir_runtime.executor.remote import remote
from sayiir_runtime.runner.place import RunIdentity, place_of

if TYPE_CHECKING:
    from sayiir_runtime.telemetry.instrument import Instrument


@dataclass(slots=True, kw_only=True)
class TaskBody:
    """What one task node runs.

    ``inline``: a plain call in the driver's own thread will do. ``decides``: its value holds the
    verdict on a loop or the key of a route. ``onward`` is what follows, if that is the same in
    every run. ``is_remote``: ``function`` only waits for what an executor runs.
    """

    node: TaskNode
    function: Callable[..., Any]
    values: TaskValues
    is_async: bool
    inline: bool
    takes_value: bool
    timeout_seconds: float | None
    decides: bool
    metadata: TaskMetadata
    onward: Onward | None
    is_remote: bool


class Program:
    """A workflow with its bodies, each made at its first use."""

    def __init__(
        self,
        workflow: Workflow[Any, Any],
        codec: PayloadCodec,
        instrument: Instrument | None = None,
    ) -> None:
        self.instrument: Final = instrument
        self.given_codec: Final = codec
        self.codec: Final = codec if workflow.codec is None else codec.choosing(workflow.codec)
        self._codecs = {
            ordinal: codec.choosing(choice) for ordinal, choice in workflow.codecs.items()
        }
        self.workflow_id: Final = workflow.workflow_id
        self.definition: Final[Definition] = workflow.definition
        self.identity: Final = self.definition.identity
        self.first: Final = self.definition.nodes[self.definition.scopes[ROOT].first]
        self.metadata: Final = workflow.metadata
        # Not the workflow: a program is kept for as long as its workflow lives, and no longer.
        self._functions = workflow.functions
        self._executors = workflow.executors
        self._bodies: dict[int, TaskBody] = {}
        self._inline: dict[int, TaskBody | None] = {}

    def body(self, ordinal: int) -> TaskBody:
        """Return the body of a task node."""
        body = self._bodies.get(ordinal)
        if body is None:
            body = self._bodies[ordinal] = self._make(self.definition.task(ordinal))
        return body

    def inline(self, ordinal: int) -> TaskBody | None:
        """Return the body of a task that needs no more than a call, None at any other node."""
        try:
            return self._inline[ordinal]
        except KeyError:
            body = self.body(ordinal) if ordinal != END and self.is_task(ordinal) else None
            inline = None if body is None or not body.inline else body
            self._inline[ordinal] = inline
            return inline

    def check_executors(self) -> None:
        """Raise, before anything runs, if a task cannot run where it is to run.

        ``PluginError`` for an executor that is not installed, ``DefinitionError`` for a function that
        its executor cannot run.
        """
        for ordinal in self._executors:
            self.body(ordinal)

    def calls_same(self, other: Program) -> bool:
        """Tell whether another program of the same definition calls the same functions."""
        pairs = zip(self._functions, other._functions, strict=True)
        return all(_is_same(mine, theirs) for mine, theirs in pairs)

    @cached_property
    def _input_writer(self) -> Encode:
        # Not by its body: whoever submits need not have what runs that.
        first = self.first
        return (
            self._values(first).encode_input if isinstance(first, TaskNode) else self.codec.encode
        )

    def encode_input(self, value: Any, run: RunIdentity | None = None) -> bytes:
        """Return the payload of a run's input, as the first task's annotation wants it.

        ``run`` is needed if the codec binds payloads to their place.
        """
        place = None if run is None or not self.codec.binds else place_of(run, INPUT)
        return self._input_writer(value, place)

    def is_task(self, ordinal: int) -> bool:
        """Tell whether a node has a body."""
        return isinstance(self.definition.nodes[ordinal], TaskNode)

    @cached_property
    def signals(self) -> list[str]:
        """Return the names of the signals that the workflow can wait for."""
        return [n.signal_name for n in self.definition.nodes if isinstance(n, SignalNode)]

    @cached_property
    def straight(self) -> tuple[TaskBody, ...]:
        """Return the bodies of the root scope up to the first that needs more than a call."""
        bodies: list[TaskBody] = []
        ordinal = self.definition.scopes[ROOT].first
        while ordinal != END and self.is_task(ordinal) and self.body(ordinal).inline:
            bodies.append(self.body(ordinal))
            ordinal = bodies[-1].node.next
        return tuple(bodies)

    @cached_property
    def behind_straight(self) -> int:
        """Return the first node of the root scope that is not straight, ``END`` if all are."""
        if not self.straight:
            return self.definition.scopes[ROOT].first
        return self.straight[-1].node.next

    def _function(self, node: TaskNode) -> Callable[..., Any]:
        function = self._functions[node.ordinal]
        assert function is not None, "a task calls a function"
        return function

    def _values(self, node: TaskNode) -> TaskValues:
        codec = self._codecs.get(node.ordinal, self.codec)
        return TaskValues.from_function(
            self._function(node), codec, unwrap=(LoopResult,), inputs=self.codec
        )

    def _make(self, node: TaskNode) -> TaskBody:
        function, values = self._function(node), self._values(node)
        timeout = node.policy.timeout
        is_async = _is_async(function)
        name = self._executors.get(node.ordinal)
        if name is not None:
            executor = self._executor(name, node, values)
            function, is_async = remote(function, executor, is_async=is_async), False
        if self.instrument is not None:
            function = self.instrument.around(node, function, is_async=is_async)
        return TaskBody(
            node=node,
            function=function,
            values=values,
            is_async=is_async,
            inline=not is_async and timeout is None and name is None,
            takes_value=values.takes_value,
            timeout_seconds=None if timeout is None else timeout.total_seconds(),
            decides=node.loop is not None or node.is_key,
            metadata=TaskMetadata.from_node(node),
            onward=onward(self.definition, node.ordinal),
            is_remote=name is not None,
        )

    def _executor(self, name: str, node: TaskNode, values: TaskValues) -> TaskExecutor:
        """Return what runs a task, if it can run it."""
        which = f"task {node.path!r} of workflow {self.workflow_id!r}"
        try:
            executor = executor_of(name)
        except PluginError as error:
            raise PluginError(f"{which} cannot run: {error}") from error
        try:
            executor.check(self._function(node))
            if values.lazy is not None:
                raise DefinitionError("it takes a Lazy, which stays where it is; take the value")
        except DefinitionError as error:
            text = f"{which} cannot run in the executor {name!r}: {error}"
            raise DefinitionError(text) from error
        return executor


def _is_same(mine: Any, theirs: Any) -> bool:
    """Tell whether two functions are one, or made twice by the same code with the same values."""
    if mine is theirs:
        return True
    code = getattr(mine, "__code__", None)
    if code is None or code is not getattr(theirs, "__code__", None):
        return False
    return _bound(mine) == _bound(theirs)


def _bound(function: Any) -> tuple[list[int], Any, Any]:
    cells = [id(cell.cell_contents) for cell in function.__closure__ or ()]
    return cells, function.__defaults__, function.__kwdefaults__


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - an object whose call is a coroutine
    )


_programs: weakref.WeakKeyDictionary[Workflow[Any, Any], Program] = weakref.WeakKeyDictionary()


def runnable_program_of(
    workflow: Workflow[Any, Any], codec: PayloadCodec, instrument: Instrument | None = None
) -> Program:
    """Return the program of a workflow whose tasks are to be called here; raises if one cannot."""
    program = program_of(workflow, codec, instrument)
    if workflow.executors:
        program.check_executors()
    return program


def program_of(
    workflow: Workflow[Any, Any], codec: PayloadCodec, instrument: Instrument | None = None
) -> Program:
    """Return the program of a workflow, made once: inspecting functions is slow."""
    program = _programs.get(workflow)
    if program is None or program.given_codec is not codec or program.instrument is not instrument:
        program = _programs[workflow] = Program(workflow, codec, instrument)
    return program
