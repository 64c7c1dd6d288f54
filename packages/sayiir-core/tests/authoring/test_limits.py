"""Limits: what works up to them, and the clear error behind them."""

from __future__ import annotations

import time

import pytest

from sayiir_core.authoring import Flow, LoopResult
from sayiir_core.errors import DefinitionErrors
from sayiir_core.workflow import decode_definition, encode_definition


def inc(value):
    return value + 1


def turn(value):
    return LoopResult.done(value)


def in_child(workflow):
    """Wrap a workflow in one more sub-flow."""
    return Flow("level").then_flow(workflow).build()


def in_branch(workflow):
    """Wrap a workflow in one more branch."""
    return Flow("level").fork().branch(workflow).join(inc).build()


def in_loop(workflow):
    """Wrap a workflow in one more loop body."""
    return Flow("level").loop(workflow).then(turn).build()


def in_arm(workflow):
    """Wrap a workflow in one more route arm."""
    return Flow("level").route(str, keys=["k"]).branch("k", workflow).done().then(inc).build()


@pytest.mark.parametrize("wrap", [in_child, in_branch, in_loop, in_arm])
def test_200_levels_work_and_201_are_refused(wrap):
    """Every kind of nesting reaches the limit under its generated names."""
    workflow = Flow("level").then(turn).build()
    for _ in range(200):
        workflow = wrap(workflow)

    copy = decode_definition(encode_definition(workflow.definition))

    assert copy == workflow.definition
    with pytest.raises(DefinitionErrors, match="deeper than 200 levels"):
        wrap(workflow)


def test_20_000_nodes_in_a_row_build_quickly():
    """Building and hashing are linear; a generous bound tells it from quadratic."""
    flow = Flow("long")
    started = time.perf_counter()
    for number in range(20_000):
        flow.then(inc, name=f"step_{number}")

    workflow = flow.build()
    seconds = time.perf_counter() - started

    assert len(workflow.definition.nodes) == 20_000
    assert seconds < 5


def test_a_path_over_1_kib_is_refused():
    """Four levels of names of 250 bytes are too much, three are not."""
    workflow = Flow("w").then(inc).build()
    for _ in range(3):
        workflow = Flow("x" * 250).fork().branch(workflow, name="y" * 250).join(max).build()

    with pytest.raises(DefinitionErrors, match="a path of 1035 bytes"):
        Flow("f").fork().branch(workflow, name="y" * 250).join(max).build()


def test_10_000_branches_work_and_one_more_is_refused():
    """A fork is not a way to run a whole table."""
    flow = Flow("wide").fork()
    for number in range(10_000):
        flow.branch(inc, name=f"b{number}")
    wide = flow.join(len).build()

    flow = Flow("wider").fork()
    for number in range(10_001):
        flow.branch(inc, name=f"b{number}")

    assert len(wide.definition.scopes) == 10_001
    with pytest.raises(DefinitionErrors, match="10001 branches; at most 10000"):
        flow.join(len).build()


def test_embeddings_stop_at_the_node_limit():
    """Embedding a workflow again and again cannot take all memory."""
    flow = Flow("part")
    for number in range(1000):
        flow.then(inc, name=f"step_{number}")
    part, whole = flow.build(), Flow("whole")

    for _ in range(250):
        whole.then_flow(part)

    with pytest.raises(DefinitionErrors, match="more than 250000 nodes"):
        whole.build()


def nested_routes(levels, innermost):
    """Return routes in routes, each the last node of its arm."""
    workflow = innermost
    for _ in range(levels):
        workflow = Flow("r").route(str, keys=["k"]).branch("k", workflow).done().build()
    return workflow


def test_a_reference_of_64_parts_works_and_65_are_refused():
    """Each route that ends in a route adds a part to the reference of its value."""
    task, delay = Flow("t").then(inc).build(), Flow("d").delay("nap", 1).build()

    for innermost in (nested_routes(63, task), nested_routes(63, delay)):
        assert len(innermost.definition.nodes) == 127
        with pytest.raises(DefinitionErrors, match=r"more than 63 routes.*put a task behind"):
            nested_routes(1, innermost)


def test_a_task_behind_an_inner_route_makes_its_value_one_part_again():
    """The remedy of the error works at any depth."""
    mended = Flow("m").then_flow(nested_routes(63, Flow("t").then(inc).build())).then(inc).build()

    assert len(nested_routes(62, mended).definition.nodes) > 200


def test_values_that_pass_through_keep_their_size():
    """A chain of routes over arms of delays adds up, for nothing makes a new value."""
    flow = Flow("chain")
    for number in range(64):
        arm = Flow("arm").delay(f"nap_{number}", 1).build()
        flow = flow.route(str, keys=["k"]).branch("k", arm).done()

    with pytest.raises(DefinitionErrors, match="63 routes"):
        flow.build()


def test_a_signal_a_join_and_a_loop_make_new_values():
    """Behind each of them a long reference is one part again."""
    chain = nested_routes(63, Flow("t").then(inc).build())
    for end in (
        Flow("s").then_flow(chain).wait_for_signal("go"),
        Flow("j").then_flow(chain).fork().branch(inc).join(max),
        Flow("l").then_flow(chain).loop(turn),
    ):
        assert nested_routes(63, end.build()).workflow_id == "r"
