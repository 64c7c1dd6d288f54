"""The document form of definitions: exact, versioned, and safe to read."""

from __future__ import annotations

import copy
import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayiir_core.authoring import Flow, LoopResult, task
from sayiir_core.errors import DeserializationError, UnsupportedVersionError
from sayiir_core.policy import RetryPolicy
from sayiir_core.workflow import (
    decode_definition,
    encode_definition,
    from_document,
    to_document,
)


@task(
    "charge",
    timeout="1.5s",
    retries=RetryPolicy(
        5, 0.25, 3.0, max_delay="2m", jitter=0.5, retry_on=[OSError], give_up_on=[KeyError]
    ),
    tags=["gpu", "a,b"],
    description="Charge the card",
    priority=2,
    version="7",
)
def charge(value):
    return value


def turn(value):
    return LoopResult.done(value)


def inc(value):
    return value + 1


def every_kind():
    """Return the definition of a workflow with every kind of node and setting."""
    body = Flow("body").then(inc).then(turn).build()
    return (
        Flow("every kind", metadata={"owner": "ops", "note": "é\u2028"})
        .then(charge)
        .delay("nap", timedelta(microseconds=1))
        .wait_for_signal("go", timeout="4s", on_timeout={"ok": [1, None]})
        .fork()
        .branch(inc, charge)
        .branch(body, name="other")
        .join(max)
        .route(str, keys=["a", "b"])
        .branch("a", inc)
        .branch("b", charge)
        .default_branch(inc)
        .done()
        .loop(body, max_iterations=3, on_max="exit_with_last")
        .then_flow(body)
        .build()
        .definition
    )


def test_a_definition_comes_back_exactly():
    """Text and data forms are inverses, and the text is ASCII."""
    definition = every_kind()

    text = encode_definition(definition)

    assert text.isascii()
    assert decode_definition(text) == definition
    assert decode_definition(text.encode()) == definition
    assert from_document(to_document(definition)) == definition


def test_the_document_draws_the_workflow_without_its_code():
    """Kinds, places and settings stand in plain words."""
    document = to_document(every_kind())

    first = document["nodes"][0]

    assert (document["format"], document["version"]) == ("sayiir-definition", 1)
    assert document["workflow_id"] == "every kind"
    assert {key: first[key] for key in ("kind", "id", "path", "scope", "next")} == {
        "kind": "task",
        "id": "charge",
        "path": "charge",
        "scope": 0,
        "next": 1,
    }
    assert first["reference"].endswith(":charge")
    assert (first["task_version"], first["group"]) == ("7", "a\\,b,gpu")
    assert first["policy"]["timeout_us"] == 1_500_000
    assert first["policy"]["retry"]["retry_on"] == ["OSError"]
    assert {node["kind"] for node in document["nodes"]} == {
        "task",
        "fork",
        "route",
        "loop",
        "delay",
        "signal",
        "child",
    }


def test_the_identity_can_be_read_without_the_rest():
    """A store finds both hashes at the top of the document."""
    definition = every_kind()

    document = to_document(definition)

    assert document["structure_hash"] == definition.structure_hash
    assert document["policy_fingerprint"] == definition.policy_fingerprint


def test_a_newer_version_is_told_from_damage():
    """The reader says to upgrade instead of guessing."""
    document = to_document(every_kind()) | {"version": 2, "nodes": "in another form"}

    with pytest.raises(UnsupportedVersionError, match=r"version 2.*upgrade"):
        from_document(document)


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "[]", "3", '"x"', "{}", b"\xff\xfe", "[" * 100_000],
    ids=lambda text: repr(text)[:12],
)
def test_what_is_no_document_is_refused(text):
    """Bytes that are not even an object give the named error."""
    with pytest.raises(DeserializationError, match="stored definition"):
        decode_definition(text)


def places(value, path=()):
    """Return every path into nested dicts and lists."""
    found = [path]
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in pairs:
            found += places(inner, (*path, key))
    return found


DOCUMENT = json.loads(encode_definition(every_kind()))
PLACES = [path for path in places(DOCUMENT) if path]


@pytest.mark.parametrize("path", [path for path in PLACES if isinstance(path[-1], str)], ids=str)
def test_no_field_may_be_missing(path):
    """A field that is left out is named in the error."""
    document = copy.deepcopy(DOCUMENT)
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    del holder[path[-1]]

    with pytest.raises(DeserializationError, match=f"lacks the field '{path[-1]}'"):
        from_document(document)


junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 40),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.just([]),
    st.just({}),
)


@given(st.sampled_from(PLACES), junk)
def test_a_damaged_document_is_refused_or_is_a_sound_definition(path, value):
    """Whatever stands in a field, reading ends in a definition or in the named error."""
    document = copy.deepcopy(DOCUMENT)
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value

    try:
        definition = from_document(document)
    except DeserializationError:
        return

    assert from_document(to_document(definition)) == definition
    for node in definition.nodes:
        assert node.next == -1 or definition.nodes[node.next].scope == node.scope


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["nodes"][0].update(next=0),
        lambda d: d["nodes"][0].update(next=4),
        lambda d: d["nodes"][0].update(scope=999),
        lambda d: d["nodes"][0].update(loop=0),
        lambda d: d["nodes"][0].update(is_key=True),
        lambda d: d["nodes"][3].update(branch_count=10**15),
        lambda d: d["nodes"][3].update(first_branch=0),
        lambda d: d["nodes"][3].update(next=-1),
        lambda d: d["scopes"][1].update(owner=0),
        lambda d: d["scopes"][1].update(first=0),
        lambda d: d["scopes"][1].update(depth=1),
        lambda d: d["scopes"][1].update(line=0),
        lambda d: d["scopes"][0].update(owner=0),
        lambda d: d["nodes"].pop(),
        lambda d: d["nodes"].clear(),
        lambda d: d["scopes"].pop(),
        lambda d: d["nodes"].reverse(),
    ],
    ids=range(17),
)
def test_a_document_that_could_mislead_a_walk_is_refused(change):
    """References lead forward and into the right scope, so that every walk ends."""
    document = copy.deepcopy(DOCUMENT)
    change(document)

    with pytest.raises(DeserializationError, match="stored definition"):
        from_document(document)


def test_scopes_that_own_each_other_are_refused():
    """A way outwards that never reaches the root would keep a walk going for ever."""
    leaf = Flow("leaf").then(inc).build()
    twice = Flow("f").then_flow(Flow("sub").then_flow(leaf).build()).build()
    document = to_document(twice.definition)
    outer, inner, task_node = document["nodes"]
    outer_scope, inner_scope = document["scopes"][1:]

    document["nodes"] = [
        task_node | {"ordinal": 0, "scope": 0},
        outer | {"ordinal": 1, "scope": 1, "child": 2},
        inner | {"ordinal": 2, "scope": 2, "child": 1},
    ]
    document["scopes"][1:] = [
        outer_scope | {"owner": 2, "first": 1},
        inner_scope | {"owner": 1, "first": 2},
    ]

    with pytest.raises(DeserializationError, match=r"node 2 .* does not fit in"):
        from_document(document)
