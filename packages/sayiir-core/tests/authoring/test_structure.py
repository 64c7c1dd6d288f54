"""What ``build()`` makes: ordinals, paths, scopes, lines, and whose loop a task decides."""

from __future__ import annotations

import enum
from typing import Literal

import pytest

from sayiir_core.authoring import Flow, LoopResult, task
from sayiir_core.workflow import (
    END,
    ROOT,
    ForkNode,
    LoopNode,
    RouteNode,
    ScopeKind,
    SignalNode,
)


def inc(value):
    return value + 1


def dbl(value):
    return value * 2


def turn(value):
    return LoopResult.done(value)


def paths(workflow):
    """Return the paths of all nodes in order."""
    return [node.path for node in workflow.definition.nodes]


def test_nodes_stand_in_declaration_order_depth_first():
    """A fork comes before its branches, and those before the join."""
    inner = Flow("inner").then(inc).fork().branch(inc).branch(dbl).join(dict).build()

    workflow = Flow("f").then(inc).fork().branch(inner, name="a").branch(dbl, inc).join(max).build()

    assert paths(workflow) == [
        "inc",
        "fork_0",
        "fork_0/a/inc",
        "fork_0/a/fork_0",
        "fork_0/a/fork_0/inc/inc",
        "fork_0/a/fork_0/dbl/dbl",
        "fork_0/a/dict",
        "fork_0/dbl/dbl",
        "fork_0/dbl/inc",
        "max",
    ]
    assert [node.ordinal for node in workflow.definition.nodes] == list(range(10))


def test_next_stays_in_the_scope_and_a_fork_leads_to_its_join():
    """The following node is the next of the same line, ``END`` behind the last."""
    definition = (
        Flow("f").then(inc).fork().branch(inc, dbl).branch(dbl).join(max).build().definition
    )

    fork = definition.nodes[1]
    join = definition.task(fork.next)

    assert isinstance(fork, ForkNode)
    assert [node.next for node in definition.nodes] == [1, 5, 3, END, END, END]
    assert (join.path, join.is_join, join.is_key) == ("max", True, False)


def test_the_scopes_of_one_node_have_consecutive_ordinals():
    """All branches of a fork are a range, although the first one contains scopes itself."""
    inner = Flow("inner").then_flow(Flow("x").then(inc).build()).build()
    definition = Flow("f").fork().branch(inner, name="a").branch(dbl).join(max).build().definition

    fork = definition.nodes[0]

    assert isinstance(fork, ForkNode)
    assert (fork.first_branch, fork.branch_count) == (1, 2)
    assert [(scope.kind.value, scope.path) for scope in definition.scopes] == [
        ("root", ""),
        ("branch", "fork_0/a"),
        ("branch", "fork_0/dbl"),
        ("child", "fork_0/a/child_0"),
    ]


def test_a_route_has_its_key_function_first_then_its_arms():
    """Keys and arms stand in the order of ``.branch(…)``, the default arm last."""
    workflow = (
        Flow("f")
        .route(str, keys=["x", "y", "z"])
        .branch("y", inc)
        .default_branch(inc)
        .branch("x", dbl, inc)
        .done()
        .build()
    )

    route = workflow.definition.nodes[0]

    assert isinstance(route, RouteNode)
    assert (route.path, route.keys) == ("branch_0", ("y", "x"))
    assert (route.key_scope, route.first_arm, route.default_arm) == (1, 2, 4)
    assert paths(workflow)[1:] == [
        "branch_0/key",
        "branch_0/y/inc",
        "branch_0/x/dbl",
        "branch_0/x/inc",
        "branch_0/default/inc",
    ]
    assert workflow.definition.task(1).is_key
    assert workflow.function(1) is str


def test_keys_come_from_a_list_an_enum_or_a_literal():
    """SEMANTICS 33: all three declare the same route; members name arms."""

    class Kind(enum.Enum):
        A = "a"
        B = "b"

    hashes = {
        Flow("f")
        .route(str, keys=keys)
        .branch(Kind.A, inc)
        .branch("b", dbl)
        .done()
        .build()
        .definition_hash
        for keys in (("a", "b"), ["a", Kind.B], Kind, Literal["a", "b"])
    }

    assert len(hashes) == 1


def test_a_default_arm_alone_is_enough():
    """SEMANTICS 7: declared keys without an arm, or none at all, go to the default."""
    workflow = Flow("f").route(str, keys=[]).default_branch(inc).done().build()

    route = workflow.definition.nodes[0]

    assert isinstance(route, RouteNode)
    assert (route.keys, route.default_arm) == ((), 2)


def test_a_workflow_alone_is_inlined_and_among_others_it_is_a_child():
    """SEMANTICS 32: the only element of a line stands directly in it."""
    sub = Flow("sub").then(inc).then(turn).build()

    workflow = (
        Flow("f")
        .fork()
        .branch(sub)
        .branch(dbl, sub)
        .branch(sub, dbl, name="mixed")
        .join(max)
        .loop(sub)
        .loop(sub, name="polish")
        .loop(inc, name="step")
        .route(str, keys=["k"])
        .branch("k", sub)
        .done()
        .build()
    )

    assert paths(workflow) == [
        "fork_0",
        "fork_0/sub/inc",
        "fork_0/sub/turn",
        "fork_0/dbl/dbl",
        "fork_0/dbl/child_0",
        "fork_0/dbl/child_0/inc",
        "fork_0/dbl/child_0/turn",
        "fork_0/mixed/child_1",
        "fork_0/mixed/child_1/inc",
        "fork_0/mixed/child_1/turn",
        "fork_0/mixed/dbl",
        "max",
        "loop_0",
        "loop_0/inc",
        "loop_0/turn",
        "polish",
        "polish/inc",
        "polish/turn",
        "loop_1",
        "loop_1/step",
        "branch_0",
        "branch_0/key",
        "branch_0/k/inc",
        "branch_0/k/turn",
    ]


def test_the_same_sub_flow_may_stand_in_a_flow_twice():
    """SEMANTICS 35: each embedding has its own nodes and calls the same functions."""
    sub = Flow("sub").then(inc).then(dbl).build()
    before = sub.definition

    workflow = Flow("f").then_flow(sub).then_flow(sub).build()

    assert paths(workflow) == [
        "child_0",
        "child_0/inc",
        "child_0/dbl",
        "child_1",
        "child_1/inc",
        "child_1/dbl",
    ]
    assert workflow.functions == (None, inc, dbl, None, inc, dbl)
    assert sub.definition is before


def test_the_last_task_of_a_body_decides_its_loop():
    """Found directly, at the tail of sub-flows, and as a fork's join."""
    tail = Flow("tail").then(inc).then(turn).build()
    nested = Flow("nested").then(dbl).then_flow(tail).build()
    joined = Flow("joined").fork().branch(inc).branch(dbl).join(turn).build()

    definition = Flow("f").loop(turn).loop(nested).loop(joined).then(inc).build().definition

    decided = {
        node.path: definition.nodes[node.loop].path
        for node in definition.nodes
        if getattr(node, "loop", None) is not None
    }
    assert decided == {
        "loop_0/turn": "loop_0",
        "loop_1/child_0/turn": "loop_1",
        "loop_2/turn": "loop_2",
    }


def test_index_depth_and_lines_follow_loops_and_branches():
    """The depth counts loops; a line begins at each branch with the depth it has there."""
    inner = Flow("inner").fork().branch(inc).branch(dbl).join(turn).build()
    body = Flow("body").loop(inner).then(turn).build()
    definition = Flow("f").loop(body).build().definition

    scopes = [(s.kind.value, s.depth, s.line, s.line_depth) for s in definition.scopes]

    assert scopes == [
        ("root", 0, ROOT, 0),
        ("body", 1, ROOT, 0),
        ("body", 2, ROOT, 0),
        ("branch", 2, 3, 2),
        ("branch", 2, 4, 2),
    ]


def test_the_owner_and_first_node_of_each_scope_are_right():
    """Every scope names its owner, and its first node stands in it."""
    sub = Flow("sub").then(inc).then(turn).build()
    definition = (
        Flow("f")
        .then(inc)
        .fork()
        .branch(sub, dbl)
        .branch(dbl)
        .join(max)
        .loop(sub)
        .then_flow(sub)
        .build()
        .definition
    )

    assert definition.scopes[ROOT].kind is ScopeKind.ROOT
    for scope in definition.scopes:
        assert definition.nodes[scope.first].scope == scope.ordinal
        if scope.ordinal != ROOT:
            assert scope.path.startswith(definition.nodes[scope.owner].path)


def test_signals_and_delays_keep_what_they_were_told():
    """The node is named by ``name`` or the signal; a declared default is JSON text."""
    workflow = (
        Flow("f")
        .wait_for_signal("go/now", name="gate", timeout="4s", on_timeout={"ok": None})
        .wait_for_signal("plain", payload=int)
        .wait_for_signal("none", timeout=0, on_timeout=None)
        .build()
    )

    first, second, third = workflow.definition.nodes

    assert isinstance(first, SignalNode)
    assert isinstance(second, SignalNode)
    assert isinstance(third, SignalNode)
    assert (first.id, first.signal_name, first.on_timeout) == ("gate", "go/now", '{"ok": null}')
    assert (second.id, second.timeout, second.on_timeout) == ("plain", None, None)
    assert third.on_timeout == "null"
    assert dict(workflow.payload_types) == {1: int}


def test_a_loop_keeps_its_cap_and_what_happens_there():
    """Ten turns and failing are the defaults."""
    definition = Flow("f").loop(turn).loop(turn, max_iterations=3, on_max="exit_with_last").build()

    loops = [node for node in definition.definition.nodes if isinstance(node, LoopNode)]

    assert [(loop.max_iterations, loop.on_max.value) for loop in loops] == [
        (10, "fail"),
        (3, "exit_with_last"),
    ]


def test_a_flow_goes_on_after_a_build():
    """A built workflow is a snapshot: later steps do not reach it."""
    flow = Flow("f").then(inc)
    short = flow.build()

    long = flow.then(dbl).build()

    assert (paths(short), paths(long)) == (["inc"], ["inc", "dbl"])


def test_each_method_returns_the_flow_itself():
    """Steps may be chained or said one by one."""
    flow = Flow("f")

    assert flow.then(inc) is flow
    assert flow.fork().branch(dbl).join(max) is flow
    assert flow.route(str, keys=["a"]).branch("a", inc).done() is flow


def test_a_parametrised_flow_is_a_flow():
    """The parameters are for type checkers; a first lambda needs them there."""
    workflow = Flow[int, int]("f").then(lambda x: x * 2).build()

    assert (workflow.workflow_id, paths(workflow)) == ("f", ["lambda_0"])


def test_functions_are_found_by_ordinal():
    """Only tasks have one; asking for another is a caller's mistake."""
    workflow = Flow("f").then(inc).delay("nap", 1).build()

    assert workflow.function(0) is inc
    with pytest.raises(TypeError, match="nap"):
        workflow.function(1)


def test_a_workflow_cannot_be_changed():
    """It is a value: no attribute can be set."""
    workflow = Flow("f").then(inc).build()

    with pytest.raises(AttributeError):
        workflow.definition = None  # type: ignore[misc]


def test_iter_nodes_lists_nested_nodes_with_what_they_follow():
    """SEMANTICS 11, and beyond: the first of a scope follows its owner; keys are left out."""
    charge = task("charge", timeout=2, retries=3, priority=1)(lambda x: x)
    workflow = (
        Flow("f")
        .then(charge)
        .delay("nap", 3)
        .wait_for_signal("go", timeout=4)
        .fork()
        .branch(inc, dbl)
        .join(max)
        .route(str, keys=["a"])
        .branch("a", inc)
        .done()
        .loop(turn)
        .then_flow(Flow("sub").then(inc).build())
        .build()
    )

    infos = workflow.iter_nodes()

    assert [(info.id, info.kind, info.predecessor_id) for info in infos] == [
        ("charge", "task", None),
        ("nap", "delay", "charge"),
        ("go", "await_signal", "nap"),
        ("fork_0", "fork", "go"),
        ("inc", "task", "fork_0"),
        ("dbl", "task", "inc"),
        ("max", "task", "fork_0"),
        ("branch_0", "branch", "max"),
        ("inc", "task", "branch_0"),
        ("loop_0", "loop", "branch_0"),
        ("turn", "task", "loop_0"),
        ("child_0", "child_workflow", "loop_0"),
        ("inc", "task", "child_0"),
    ]
    assert [info.timeout_secs for info in infos[:4]] == [2.0, 3.0, 4.0, None]
    assert infos[0].retry_policy is not None
    assert (infos[0].priority, infos[1].priority, infos[4].path) == (1, None, "fork_0/inc/inc")
