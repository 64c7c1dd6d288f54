"""The document form of heads and rows: exact, versioned, and safe to read."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayiir_core.errors import DeserializationError, UnsupportedVersionError
from sayiir_core.ids import Index
from sayiir_core.snapshot.document import (
    cursor_from_document,
    cursor_to_document,
    decode_head,
    encode_head,
    head_from_document,
    head_to_document,
    header_from_document,
    header_to_document,
    signal_from_document,
    signal_to_document,
)
from sayiir_core.snapshot.head import (
    Cursor,
    CursorKey,
    CursorState,
    Head,
    Header,
    InstanceState,
    PendingSignal,
)
from sayiir_core.snapshot.reference import InputRef, JoinRef, Ref, RoutedRef, SignalRef, StepRef
from sayiir_core.snapshot.row_document import (
    error_from_document,
    error_to_document,
    scope_from_document,
    scope_to_document,
    step_from_document,
    step_to_document,
)
from sayiir_core.snapshot.step import (
    ErrorRecord,
    ScopeRow,
    StepRecord,
    StepRow,
    StepStatus,
    Verdict,
)
from sayiir_core.workflow.definition import DefinitionIdentity

numbers = st.integers(min_value=0, max_value=2**40)
texts = st.text(max_size=20)
indexes: st.SearchStrategy[Index] = st.lists(numbers, max_size=3).map(tuple)
instants = st.integers(0, 2**52).map(
    lambda microseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)
step_refs = st.builds(StepRef, numbers, indexes)
refs: st.SearchStrategy[Ref] = st.recursive(
    st.one_of(
        st.builds(InputRef),
        step_refs,
        st.builds(SignalRef, numbers),
        st.builds(JoinRef, numbers, numbers, indexes),
    ),
    lambda inner: st.builds(RoutedRef, step_refs, inner),
    max_leaves=4,
)
errors = st.builds(ErrorRecord, path=texts, type=texts, message=texts, traceback=st.none() | texts)
cursors = st.builds(
    Cursor,
    scope=numbers,
    index=indexes,
    node=st.integers(min_value=-1, max_value=1000),
    turns=indexes,
    input=refs,
    group=texts,
    priority=st.integers(1, 5),
    state=st.sampled_from(CursorState),
    available_at=st.none() | instants,
    attempt=numbers,
    fresh_from=numbers,
    deaths=st.lists(texts, max_size=3).map(tuple),
    signal=st.none() | texts,
    delivered=st.none() | numbers,
    pending=numbers,
    held=st.booleans(),
    session=st.none() | texts,
    claim_no=numbers,
    fence=numbers,
    seq=numbers,
    started_at=st.none() | instants,
    avoid=st.none() | texts,
    avoid_until=st.none() | instants,
)
headers = st.builds(
    Header,
    instance_id=texts,
    run_id=texts,
    identity=st.builds(DefinitionIdentity, texts, texts),
    policy_fingerprint=texts,
    state=st.sampled_from(InstanceState),
    owner=st.none() | texts,
    error=st.none() | errors,
    reason=st.none() | texts,
    requested_by=st.none() | texts,
    output=st.none() | refs,
    labels=st.dictionaries(texts, texts, max_size=3),
    trace_parent=st.none() | texts,
    created_at=instants,
    finished_at=st.none() | instants,
    ended_by=st.none() | st.tuples(numbers, numbers),
)
signals = st.builds(PendingSignal, seq=numbers, name=texts, received_at=instants)
heads = st.builds(
    Head,
    header=headers,
    cursors=st.lists(cursors, max_size=3, unique_by=lambda cursor: cursor.key).map(
        lambda found: {cursor.key: cursor for cursor in found}
    ),
    inbox=st.lists(signals, max_size=3),
    arrived=st.dictionaries(
        st.builds(CursorKey, numbers, indexes), st.tuples(numbers, numbers), max_size=3
    ),
)
steps = st.builds(
    StepRow,
    record=st.builds(
        StepRecord,
        node=numbers,
        turns=indexes,
        attempt=numbers,
        status=st.sampled_from(StepStatus),
        output=st.none() | st.binary(max_size=20),
        source=st.none() | refs,
        verdict=st.none() | st.sampled_from(Verdict),
        error=st.none() | errors,
        started_at=st.none() | instants,
        finished_at=st.none() | instants,
    ),
    session=texts,
    fence=numbers,
    seq=numbers,
)
scopes = st.builds(ScopeRow, scope=numbers, index=indexes, value=refs, fence=numbers, seq=numbers)


def _through_json(document: dict[str, Any]) -> object:
    return json.loads(json.dumps(document))


@given(heads)
def test_a_head_returns_from_its_text_unchanged(head: Head) -> None:
    """Header, cursors in order, inbox and marks of arrivals all survive."""
    returned = decode_head(encode_head(head))

    assert head == returned
    assert list(head.cursors) == list(returned.cursors)


@given(headers, cursors, signals)
def test_the_pieces_of_a_head_return_unchanged(
    header: Header, cursor: Cursor, signal: PendingSignal
) -> None:
    """A store may keep each piece in a place of its own."""
    assert header == header_from_document(_through_json(header_to_document(header)))
    assert cursor == cursor_from_document(_through_json(cursor_to_document(cursor)))
    assert signal == signal_from_document(_through_json(signal_to_document(signal)))


@given(steps, scopes, errors)
def test_rows_return_unchanged(step: StepRow, scope: ScopeRow, error: ErrorRecord) -> None:
    """A record's output is kept beside its document, as bytes."""
    document = _through_json(step_to_document(step))

    assert step == step_from_document(document, step.record.output)
    assert scope == scope_from_document(_through_json(scope_to_document(scope)))
    assert error == error_from_document(_through_json(error_to_document(error)))


def test_an_instant_of_another_zone_returns_as_the_same_instant_in_utc() -> None:
    """Microseconds survive, and what is read is always in UTC."""
    instant = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone(timedelta(hours=5)))
    head = _sample()
    head.header.created_at = instant

    returned = decode_head(encode_head(head)).header.created_at

    assert instant == returned
    assert UTC is returned.tzinfo


def test_a_head_of_a_newer_version_asks_for_an_upgrade() -> None:
    """The error is one of its own, and says what helps."""
    document = head_to_document(_sample())
    document["version"] += 1

    with pytest.raises(UnsupportedVersionError, match="upgrade sayiir"):
        head_from_document(document)


def test_a_field_that_is_not_known_is_ignored() -> None:
    """A new field alone is no new version."""
    document = head_to_document(_sample())
    document["header"]["colour"] = "blue"

    assert _sample() == head_from_document(document)


@pytest.mark.parametrize(
    ("place", "value", "complaint"),
    [
        (("format",), "sayiir-definition", "'sayiir-head'"),
        (("version",), 0, "'version'"),
        (("version",), "1", "'version'"),
        (("header",), [], "header of a stored head is list, not an object"),
        (("header", "state"), "happy", "one of running, paused"),
        (("header", "created_at"), "yesterday", "'created_at'"),
        (("header", "created_at"), "2026-01-01T00:00:00", "in a time zone"),
        (("header", "created_at"), "0001-01-01T00:00:00+14:00", "'created_at'"),
        (("header", "output"), "s", "reference 's' is malformed"),
        (("header", "labels"), {"a": 1}, "'a' of labels of header"),
        (("header", "ended_by"), {"fence": 1}, "lacks the field 'seq'"),
        (("cursors",), {}, "'cursors'"),
        (("cursors", 0), 7, r"cursors\[0\] of a stored head is int"),
        (("cursors", 0, "node"), True, "'node'"),
        (("cursors", 0, "node"), 1.0, "'node'"),
        (("cursors", 0, "turns"), "1..2", "malformed"),
        (("cursors", 0, "turns"), "9" * 5000, "malformed"),
        (("cursors", 0, "turns"), "²", "malformed"),
        (("cursors", 0, "input"), "rs1:" * 64 + "i", "more than 64 parts"),
        (("cursors", 0, "deaths"), "s1", "'deaths'"),
        (("cursors", 0, "held"), 0, "true or false"),
        (("cursors", 0, "avoid"), 7, "'avoid'"),
        (("cursors", 0, "avoid_until"), "soon", "'avoid_until'"),
        (("cursors", 1, "scope"), 0, "repeats the key"),
        (("inbox", 0, "received_at"), None, "'received_at'"),
        (("arrived", 0, "index"), None, "'index'"),
    ],
)
def test_a_malformed_head_names_the_field(
    place: tuple[str | int, ...], value: object, complaint: str
) -> None:
    """Each bad field is refused by itself, and the text says where it stands."""
    document: Any = head_to_document(_sample())
    target = document
    for part in place[:-1]:
        target = target[part]
    target[place[-1]] = value

    with pytest.raises(DeserializationError, match=complaint):
        head_from_document(document)


@pytest.mark.parametrize("text", ["", "{", b"\xff\xfe\xff", "[" * 100_000, "null", "[1]"])
def test_what_is_no_document_at_all_is_refused(text: str | bytes) -> None:
    """Bytes that are no JSON, or JSON of another shape, give the same error class."""
    with pytest.raises(DeserializationError, match="a stored head is"):
        decode_head(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(st.data())
def test_any_damage_gives_a_head_or_the_named_error(data: st.DataObject) -> None:
    """Whatever replaces a field, nothing but ``DeserializationError`` comes out."""
    document = copy.deepcopy(head_to_document(_sample()))
    target: Any = document
    while True:
        key = data.draw(
            st.sampled_from(list(target) if isinstance(target, dict) else range(len(target)))
        )
        inner = target[key]
        if not (isinstance(inner, dict | list) and inner and data.draw(st.booleans())):
            break
        target = inner
    target[key] = data.draw(json_values)

    try:
        head = head_from_document(document)
    except DeserializationError:
        return
    assert head == decode_head(encode_head(head))


def _sample() -> Head:
    now = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    header = Header(
        instance_id="order-1",
        run_id="00000000-0000-4000-8000-000000000001",
        identity=DefinitionIdentity("order", "abc"),
        policy_fingerprint="def",
        labels={"team": "red"},
        created_at=now,
        output=StepRef(3, (1,)),
        ended_by=(1, 2),
    )
    first = Cursor(scope=0, index=(), node=1, turns=(0, 2), input=InputRef(), deaths=("s1",))
    second = Cursor(scope=4, index=(), node=-1, turns=(), input=JoinRef(3, 2), available_at=now)
    return Head(
        header=header,
        cursors={first.key: first, second.key: second},
        inbox=[PendingSignal(seq=1, name="go", received_at=now)],
        arrived={CursorKey(5, (1,)): (3, 4)},
    )
