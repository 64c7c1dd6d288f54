"""SEMANTICS 31: what a text names."""

from __future__ import annotations

import pytest

from sayiir_core.authoring import Flow, LoopResult
from sayiir_core.errors import NodeLookupError, WorkflowError
from sayiir_core.workflow import Scope, find, index_depth


def charge(value):
    return value


def validate(value):
    return value


def turn(value):
    return LoopResult.done(value)


INNER = Flow("inner").then(validate).then(turn).build()
BODY = Flow("body").then(charge).loop(INNER).then(turn, name="decide").build()
DEFINITION = (
    Flow("order")
    .then(charge)
    .fork()
    .branch(charge, validate)
    .branch(validate, name="stock")
    .join(dict)
    .loop(BODY)
    .delay("nap", 1)
    .wait_for_signal("approve")
    .route(str, keys=["gold"])
    .branch("gold", charge, name="discount")
    .done()
    .then_flow(Flow("sub").then(charge, name="ship").build())
    .then(validate, name="odd[1]")
    .build()
    .definition
)


def path_of(text):
    """Return the path that a text leads to."""
    return find(DEFINITION, text).target.path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("charge", "charge"),
        ("fork_0", "fork_0"),
        ("fork_0/charge/validate", "fork_0/charge/validate"),
        ("charge/validate", "fork_0/charge/validate"),
        ("stock", "fork_0/stock/stock"),
        ("fork_0/stock", "fork_0/stock"),
        ("dict", "dict"),
        ("decide", "loop_0/decide"),
        ("loop_0/loop_0", "loop_0/loop_0"),
        ("loop_0", "loop_0"),
        ("nap", "nap"),
        ("approve", "approve"),
        ("discount", "branch_0/gold/discount"),
        ("key", "branch_0/key"),
        ("gold", "branch_0/gold"),
        ("branch_0", "branch_0"),
        ("ship", "child_0/ship"),
        ("child_0", "child_0"),
        ("odd[1]", "odd[1]"),
    ],
)
def test_a_path_or_an_unambiguous_end_names_its_node(text, path):
    """Exact paths win, tasks win over scopes, and every end that is unique will do."""
    assert path_of(text) == path


def test_scopes_are_found_where_no_node_has_the_name():
    """A branch or an arm is readable under its own path; a body is its loop."""
    assert isinstance(find(DEFINITION, "fork_0/charge").target, Scope)
    assert isinstance(find(DEFINITION, "gold").target, Scope)
    assert not isinstance(find(DEFINITION, "loop_0").target, Scope)


def test_an_ambiguous_end_lists_its_candidates():
    """The error is the answer to "which one?"."""
    with pytest.raises(NodeLookupError, match="ambiguous") as caught:
        find(DEFINITION, "validate")

    assert caught.value.candidates == (
        "fork_0/charge/validate",
        "loop_0/loop_0/validate",
    )
    assert all(path in str(caught.value) for path in caught.value.candidates)
    assert isinstance(caught.value, WorkflowError)


def test_an_unknown_name_suggests_what_comes_close():
    """A typing error is answered with the paths that were meant."""
    with pytest.raises(NodeLookupError, match=r"did you mean .*'child_0/ship'") as caught:
        find(DEFINITION, "shipp")

    assert caught.value.candidates == ("child_0/ship",)


def test_a_name_far_from_all_lists_what_there_is():
    """Without anything close the error shows the beginning of the workflow."""
    with pytest.raises(NodeLookupError, match=r"has no node 'zzzzzz'; it has 'charge', .* more"):
        find(DEFINITION, "zzzzzz")


@pytest.mark.parametrize(
    ("text", "path", "turns"),
    [
        ("decide", "loop_0/decide", ()),
        ("decide[2]", "loop_0/decide", (2,)),
        ("loop_0/charge[0]", "loop_0/charge", (0,)),
        ("loop_0/loop_0/validate[1][3]", "loop_0/loop_0/validate", (1, 3)),
        ("loop_0/loop_0/validate[1]", "loop_0/loop_0/validate", (1,)),
        ("loop_0/loop_0[4]", "loop_0/loop_0", (4,)),
    ],
)
def test_turns_are_selected_outermost_first(text, path, turns):
    """``[n]`` selects a turn; what is left out means the last one."""
    found = find(DEFINITION, text)

    assert (found.target.path, found.turns) == (path, turns)


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("nap[0]", r"stands in no loop\(s\): write 'nap'"),
        ("decide[0][1]", r"stands in 1 loop\(s\): write 'loop_0/decide\[0\]'"),
        ("loop_0[1]", r"no loop\(s\): write 'loop_0'"),
    ],
)
def test_too_many_turns_are_refused_with_the_right_form(text, remedy):
    """A selector must fit the loops around the node."""
    with pytest.raises(NodeLookupError, match=remedy):
        find(DEFINITION, text)


@pytest.mark.parametrize("text", ["", "/", "charge/", "[0]", "charge[x]", "charge[-1]", "ch"])
def test_half_a_name_is_no_name(text):
    """Only whole parts of a path count."""
    with pytest.raises(NodeLookupError, match="has no node"):
        find(DEFINITION, text)


def test_index_depth_counts_the_loops_around():
    """It is the length of the index under which the value stands."""
    depths = [
        index_depth(DEFINITION, find(DEFINITION, text).target)
        for text in ("charge", "decide", "loop_0", "loop_0/loop_0", "loop_0/loop_0/turn", "gold")
    ]

    assert depths == [0, 1, 0, 1, 2, 0]
