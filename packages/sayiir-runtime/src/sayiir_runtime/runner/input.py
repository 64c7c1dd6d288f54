"""Reading inputs: from a reference to the value that a body receives.

How this works: an input is the decoded form of stored bytes, every time anew, so that no two
bodies share a mutable object. Exact scalars skip the round trip, because it is the identity.
A reference that the driver has just written (its *carry*) or that came with the claim needs no
read; anything else is read by key, many keys at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from sayiir_core.errors import BackendError, DeserializationError, InvalidValueError
from sayiir_core.ids import InstanceId, RunId, RunKey
from sayiir_core.ports.codec import Place
from sayiir_core.ports.results import ResultStore
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.reference import JoinRef, Leaf, Ref, RoutedRef, encode_ref
from sayiir_core.workflow.definition import Definition
from sayiir_runtime.codec import SCALARS, PayloadCodec, TaskValues
from sayiir_runtime.codec.opened import Opened
from sayiir_runtime.runner.looks import Looks
from sayiir_runtime.runner.place import RunIdentity, place_of
from sayiir_runtime.runner.program import TaskBody


class _Missing:
    __slots__ = ()


MISSING: Final[Any] = _Missing()
"""The absence of a value where None is one."""


class Carry:
    """What a driver remembers of a value that it has just seen stored."""

    __slots__ = ("leaf", "payload", "scalar")

    def __init__(self, leaf: Leaf, payload: bytes, value: Any) -> None:
        self.leaf = leaf
        self.payload = payload
        self.scalar = value if type(value) in SCALARS else MISSING

    def fresh(self, values: TaskValues, run: RunIdentity) -> Any:
        """Return a new value for a body, which shares it with nobody."""
        if self.scalar is not MISSING and values.plain_input:
            return self.scalar
        place = place_of(run, self.leaf) if values.binds else None
        return values.decode_input(self.payload, place)

    def plain(self, codec: PayloadCodec, run: RunIdentity) -> Any:
        """Return the plain decoded value."""
        if self.scalar is not MISSING:
            return self.scalar
        return codec.decode(self.payload, place_of(run, self.leaf) if codec.binds else None)


class JoinCarry:
    """What a driver remembers of all branches of a fork, by name, when their join comes."""

    __slots__ = ("_codec", "_parts", "leaf")

    def __init__(self, leaf: JoinRef, parts: Mapping[str, Carry], codec: PayloadCodec) -> None:
        self.leaf = leaf
        self._parts = parts
        self._codec = codec

    def fresh(self, values: TaskValues, run: RunIdentity) -> Any:
        """Return a new value for a body, which shares it with nobody."""
        plain = {name: part.plain(self._codec, run) for name, part in self._parts.items()}
        return values.decode_plain(plain)


class InputReader:
    """Read and decode the inputs of one run; ``looks`` keeps what other readers looked at, too."""

    def __init__(
        self,
        results: ResultStore,
        codec: PayloadCodec,
        definition: Definition | None,
        instance_id: InstanceId,
        run_id: RunId,
        looks: Looks | None = None,
    ) -> None:
        self._results = results
        self._looks = looks
        self._codec = codec
        self._definition = definition
        self._run = RunKey(instance_id, run_id)
        self._instance_id = instance_id
        self._run_id = run_id

    def read(self, claim: Claim, carry: Carry | JoinCarry | None, body: TaskBody) -> Any:
        """Return a fresh input value for a body."""
        ref = claim.cursor.input
        values = body.values
        if values.lazy is not None:
            return self._look(ref, claim, carry, values, values.lazy)
        if carry is not None and carry.leaf == ref:
            return carry.fresh(values, self._run)
        if not isinstance(ref, JoinRef | RoutedRef):
            payload = claim.inputs.get(ref)
            if payload is None:
                payload = self._payloads([ref])[ref]
            return values.decode_input(payload, self._place(ref))
        return self._composed(ref, values)

    def _look(
        self,
        ref: Ref,
        claim: Claim,
        carry: Carry | JoinCarry | None,
        values: TaskValues,
        lazy: Callable[[Opened], Any],
    ) -> Any:
        """Return a look at an input, of which all who look at it share what was read of it."""
        if isinstance(ref, JoinRef | RoutedRef):
            return values.decode_plain(self._assemble(ref, *self._gather(ref), self._root))
        if self._looks is None:
            self._looks = Looks()
        found = self._looks.get(self._run_id, ref)
        if found is None:
            if isinstance(carry, Carry) and carry.leaf == ref:
                payload = carry.payload
            else:
                payload = claim.inputs.get(ref) or self._payloads([ref])[ref]
            found = self._codec.open(payload, self._place(ref))
            found = self._looks.keep(self._run_id, ref, found)
        return lazy(found)

    @staticmethod
    def is_unfit(error: BaseException) -> bool:
        """Tell whether an error is the input's or the task's, not the store's: the step fails."""
        if isinstance(error, InvalidValueError | DeserializationError):
            return True
        # Decoding calls user code, such as the validators of a model.
        return not isinstance(error, BackendError)

    def value(self, ref: Ref) -> Any:
        """Return the plain decoded value behind a reference."""
        return self._assemble(ref, *self._gather(ref), self._plain)

    def _composed(self, ref: JoinRef | RoutedRef, values: TaskValues) -> Any:
        return values.decode_plain(self.value(ref))

    def _gather(self, ref: Ref) -> tuple[dict[Leaf, bytes], dict[JoinRef, list[Ref]]]:
        """Read everything that a reference names, level by level."""
        joins: dict[JoinRef, list[Ref]] = {}
        leaves: dict[Leaf, None] = {}
        todo: list[Ref] = [ref]
        while todo:
            part = todo.pop()
            match part:
                case JoinRef():
                    joins[part] = self._branches(part)
                    todo.extend(joins[part])
                case RoutedRef(key, value):
                    leaves[key] = None
                    todo.append(value)
                case _:
                    leaves[part] = None
        return self._payloads(leaves), joins

    def _branches(self, join: JoinRef) -> list[Ref]:
        refs = self._results.branches(self._run_id, join)
        if None in refs:
            raise self._absent(join)
        return [ref for ref in refs if ref is not None]

    def _payloads(self, leaves: Iterable[Leaf]) -> dict[Leaf, bytes]:
        asked = list(leaves)
        payloads = self._results.payloads(self._instance_id, self._run_id, asked)
        found: dict[Leaf, bytes] = {}
        for leaf, payload in zip(asked, payloads, strict=True):
            if payload is None:
                raise self._absent(leaf)
            found[leaf] = payload
        return found

    def _absent(self, ref: Ref) -> BackendError:
        return BackendError(
            f"instance {self._instance_id!r}: the store has no value for {encode_ref(ref)!r}; "
            f"were its rows removed by hand?",
            instance_id=self._instance_id,
        )

    def _place(self, leaf: Leaf) -> Place:
        # Always: reading it may be what discovers that the codec of a plugin binds.
        return place_of(self._run, leaf)

    def _plain(self, payload: bytes, leaf: Leaf) -> Any:
        return self._codec.decode(payload, self._place(leaf))

    def _root(self, payload: bytes, leaf: Leaf) -> Any:
        return self._codec.open(payload, self._place(leaf)).root()

    def _assemble(
        self,
        ref: Ref,
        payloads: dict[Leaf, bytes],
        joins: dict[JoinRef, list[Ref]],
        read: Callable[[bytes, Leaf], Any],
    ) -> Any:
        keys: list[str] = []
        while isinstance(ref, RoutedRef):
            keys.append(self._plain(payloads[ref.key], ref.key))
            ref = ref.value
        if isinstance(ref, JoinRef):
            names = self._names(ref)
            parts: Sequence[Ref] = joins[ref]
            value: Any = {
                name: self._assemble(part, payloads, joins, read)
                for name, part in zip(names, parts, strict=True)
            }
        else:
            value = read(payloads[ref], ref)
        for key in reversed(keys):
            value = {"branch": key, "result": value}
        return value

    def _names(self, join: JoinRef) -> list[str]:
        assert self._definition is not None, "only a join's input names branches"
        scopes = self._definition.scopes
        return [scope.name for scope in scopes[join.first : join.first + join.count]]
