"""SEMANTICS 12: the hash of what a stored cursor relies on, and the fingerprint of the tuning."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sayiir_core.authoring import Flow, LoopResult, Workflow, task
from sayiir_core.policy import RetryPolicy
from sayiir_core.workflow import decode_definition, encode_definition

# A tree is a tuple of steps; what may be tuned is drawn apart, so one tree can be built twice.
Tree = tuple[Any, ...]

names = st.sampled_from(["a", "b", "c", "d", "e"])
versions = st.sampled_from([None, None, "1", "2"])


def trees(inner: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    """Return trees of one more level."""
    steps = st.one_of(
        st.tuples(st.just("then"), names, versions),
        st.tuples(st.just("delay"), names),
        st.tuples(st.just("signal"), names, st.sampled_from(["s1", "s2"])),
        st.tuples(st.just("child"), inner),
        st.tuples(st.just("loop"), inner),
        st.tuples(st.just("fork"), st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.tuples(
            st.just("route"),
            st.lists(inner, min_size=1, max_size=2).map(tuple),
            st.none() | inner,
        ),
    )
    return st.lists(steps, min_size=1, max_size=4).map(tuple)


leaves = st.tuples(st.tuples(st.just("then"), names, versions))
workflows = st.recursive(leaves, trees, max_leaves=12)


@dataclass(frozen=True)
class Tuning:
    """What may change under running instances, and what is documentation only."""

    timeout: float | None = None
    retries: int | None = None
    priority: int = 3
    tags: tuple[str, ...] = ()
    delay: float = 1.0
    deadline: float | None = None
    on_timeout: bool = False
    cap: int = 10
    on_max: str = "fail"
    description: str | None = None
    flow_name: str = "f"
    metadata: tuple[str, ...] | None = None


tunings = st.builds(
    Tuning,
    timeout=st.none() | st.floats(0.1, 100),
    retries=st.none() | st.integers(0, 5),
    priority=st.integers(1, 5),
    tags=st.lists(st.sampled_from(["x", "y", "z"]), max_size=3).map(tuple),
    delay=st.floats(0, 100),
    deadline=st.none() | st.floats(0, 100),
    on_timeout=st.booleans(),
    cap=st.integers(1, 100),
    on_max=st.sampled_from(["fail", "exit_with_last"]),
    description=st.none() | st.text(max_size=5),
    flow_name=st.sampled_from(["f", "g", "h"]),
    metadata=st.none() | st.lists(st.text(max_size=3), max_size=2).map(tuple),
)


def function(tuning: Tuning, version: str | None) -> Any:
    """Return a new function with the tuning; its body and name differ every time."""
    salt = object()
    return task(
        "t",
        timeout=tuning.timeout,
        retries=tuning.retries,
        priority=tuning.priority,
        tags=tuning.tags,
        description=tuning.description,
        version=version,
    )(lambda value: (value, salt))


def build(tree: Tree, tuning: Tuning) -> Workflow[Any, Any]:
    """Return the workflow of a tree under a tuning."""
    metadata = None if tuning.metadata is None else {"names": list(tuning.metadata)}
    flow: Any = Flow(tuning.flow_name, metadata=metadata)
    for number, step in enumerate(tree):
        add_step(flow, step, f"{number}", tuning)
    return flow.build()


def add_step(flow: Any, step: Tree, number: str, tuning: Tuning) -> None:
    match step:
        case "then", name, version:
            flow.then(function(tuning, version), name=f"{name}{number}")
        case "delay", name:
            flow.delay(f"{name}{number}", tuning.delay)
        case "signal", name, signal:
            extra = {} if tuning.deadline is None else {"timeout": tuning.deadline}
            if tuning.deadline is not None and tuning.on_timeout:
                extra["on_timeout"] = 1
            flow.wait_for_signal(signal, name=f"{name}{number}", **extra)
        case "child", inner:
            flow.then_flow(build(inner, tuning))
        case "loop", inner:
            body = Flow("body").then_flow(build(inner, tuning)).then(LoopResult.done).build()
            flow.loop(body, max_iterations=tuning.cap, on_max=tuning.on_max)
        case "fork", inners:
            fork = flow.fork()
            for branch, inner in enumerate(inners):
                fork.branch(build(inner, tuning), name=f"branch{branch}")
            fork.join(function(tuning, None), name=f"join{number}")
        case "route", inners, default:
            route = flow.route(function(tuning, None), keys=[f"k{n}" for n in range(len(inners))])
            for arm, inner in enumerate(inners):
                route.branch(f"k{arm}", build(inner, tuning))
            if default is not None:
                route.default_branch(build(default, tuning))
            route.done()


@settings(max_examples=150)
@given(workflows, tunings, tunings)
def test_tuning_never_changes_the_structure_hash(tree, one, other):
    """However a workflow is tuned, named or described, its instances go on."""
    first, second = build(tree, one), build(tree, other)

    assert first.definition_hash == second.definition_hash


@settings(max_examples=150)
@given(workflows, workflows)
def test_another_structure_has_another_hash(one, other):
    """Two trees share a hash exactly if they are the same tree."""
    same = one == other

    hashes = {build(tree, Tuning()).definition_hash for tree in (one, other)}

    assert (len(hashes) == 1) is same


@settings(max_examples=100)
@given(workflows, tunings)
def test_every_definition_survives_its_document(tree, tuning):
    """Encoding and decoding give the very same definition."""
    definition = build(tree, tuning).definition

    assert decode_definition(encode_definition(definition)) == definition


@settings(max_examples=50)
@given(workflows, tunings)
def test_building_twice_gives_equal_definitions(tree, tuning):
    """Nothing in a definition depends on when or how often it is built."""
    one, other = build(tree, tuning).definition, build(tree, tuning).definition

    assert one == other


EVERYTHING: Tree = (
    ("then", "a", None),
    ("delay", "b"),
    ("signal", "c", "s1"),
    ("loop", (("then", "a", None),)),
)


def test_each_tunable_has_its_part_in_the_fingerprint():
    """A store can tell two tunings of one definition apart."""
    base = Tuning(deadline=5.0)
    changes = [
        {"timeout": 9.0},
        {"retries": 2},
        {"priority": 1},
        {"tags": ("x",)},
        {"delay": 9.0},
        {"deadline": 9.0},
        {"on_timeout": True},
        {"cap": 9},
        {"on_max": "exit_with_last"},
    ]

    definitions = [
        build(EVERYTHING, replace(base, **change)).definition for change in [{}, *changes]
    ]

    assert len({definition.policy_fingerprint for definition in definitions}) == 10
    assert len({definition.structure_hash for definition in definitions}) == 1


def test_names_and_descriptions_are_in_neither_hash():
    """Documentation is neither structure nor tuning."""
    plain = build(EVERYTHING, Tuning()).definition
    described = build(
        EVERYTHING, Tuning(description="x", flow_name="other", metadata=("m",))
    ).definition

    assert plain.structure_hash == described.structure_hash
    assert plain.policy_fingerprint == described.policy_fingerprint
    assert plain.identity != described.identity


def test_the_order_of_tags_is_no_tuning():
    """Tags are a set."""
    one, other = (
        build(EVERYTHING, Tuning(tags=tags)).definition for tags in [("x", "y"), ("y", "x")]
    )

    assert one.policy_fingerprint == other.policy_fingerprint


def test_details_of_a_retry_policy_are_tuning():
    """Each field of a policy is in the fingerprint."""
    policies = [
        RetryPolicy(),
        RetryPolicy(3),
        RetryPolicy(2, 2.0),
        RetryPolicy(2, 1.0, 3.0),
        RetryPolicy(max_delay=timedelta(seconds=5)),
        RetryPolicy(jitter=0.1),
        RetryPolicy(retry_on=[OSError]),
        RetryPolicy(give_up_on=[OSError]),
    ]

    prints = {
        Flow("f").then(task("t", retries=policy)(lambda x: x)).build().definition.policy_fingerprint
        for policy in policies
    }

    assert len(prints) == len(policies)


def test_the_canonical_form_is_frozen():
    """A change of these hashes strands every stored instance: never edit them."""
    definition = build((("then", "a", "1"), *EVERYTHING[1:]), Tuning()).definition
    form = (
        '["sayiir-structure-1",'
        '["root",-1,"",0],["body",3,"",4],["child",4,"",5],'
        '["task","a0",0,1,"1"],["delay","b1",0,2],["signal","c2",0,3,"s1"],'
        '["loop","loop_0",0,-1],["child","child_0",1,6],'
        '["task","a0",2,-1,null],["task","done",1,-1,null]]'
    )

    assert definition.structure_hash == hashlib.sha256(form.encode()).hexdigest()
