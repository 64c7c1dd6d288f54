"""The straight beginning of a workflow, called in a loop."""

from __future__ import annotations

from typing import Any, Final

from sayiir_core.authoring import reset_task_context, set_task_context
from sayiir_core.ids import InstanceId
from sayiir_core.workflow.node import END
from sayiir_runtime.codec import is_scalar
from sayiir_runtime.run_id import new_run_id
from sayiir_runtime.runner.attempt import INTERRUPTIONS
from sayiir_runtime.runner.input import MISSING
from sayiir_runtime.runner.program import Program

INSTANCE_ID: Final = InstanceId("in-process")
"""What the context of a task calls a run that nothing stores."""


class LocalRun:
    """The identity of a run that nothing stores; its run id is made only if a task asks."""

    __slots__ = ("_run_id",)

    def __init__(self) -> None:
        self._run_id: str | None = None

    @property
    def instance_id(self) -> str:
        """Return what stands for an id."""
        return INSTANCE_ID

    @property
    def run_id(self) -> str:
        """Return an id of this run alone."""
        if self._run_id is None:
            self._run_id = new_run_id()
        return self._run_id


class Straight:
    """Run a program's straight beginning from an input.

    Afterwards either ``finished``, or ``ordinal`` is the first node that has not succeeded and
    ``failure`` what it raised, if it was called at all. The engine decides on that failure.
    """

    __slots__ = ("_codec", "_payload", "_program", "_value", "failure", "finished", "ordinal")

    def __init__(self, program: Program, value: Any) -> None:
        self._program = program
        self._codec = program.codec
        self.finished = False
        self.failure: BaseException | None = None
        self.ordinal = program.definition.scopes[0].first
        self._value: Any = value
        self._payload: bytes | None = None
        if not is_scalar(value):
            self._value, self._payload = MISSING, program.encode_input(value)

    def run(self) -> None:
        """Call bodies until the end, a node that is not straight, or a failure."""
        program, codec = self._program, self._codec
        value, payload = self._value, self._payload
        local = LocalRun()
        for body in program.straight:
            self.ordinal = body.node.ordinal
            values = body.values
            token = set_task_context((program, body.metadata, body.node, local, (), 1, None))
            try:
                if not body.takes_value:
                    result = body.function()
                elif payload is None and values.plain_input:
                    result = body.function(value)
                else:
                    if payload is None:
                        payload = codec.encode(value)
                    result = body.function(values.decode_input(payload))
                if is_scalar(result) and values.plain_output:
                    value, payload = result, None
                else:
                    value, payload = MISSING, values.encode_output(result)
            except INTERRUPTIONS:
                raise
            except BaseException as error:  # noqa: BLE001 - the boundary around user code
                self.failure = error
                break
            finally:
                reset_task_context(token)
        else:
            self.ordinal = program.behind_straight
            self.finished = self.ordinal == END
        self._value, self._payload = value, payload

    def payload(self) -> bytes:
        """Return the value at ``ordinal``, encoded."""
        return self._codec.encode(self._value) if self._payload is None else self._payload

    def output(self) -> Any:
        """Return the plain output of a finished run."""
        return self._value if self._payload is None else self._codec.decode(self._payload)
