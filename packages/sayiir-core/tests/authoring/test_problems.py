"""SEMANTICS 6 and 8: what ``build()`` refuses, all at once, each with a remedy."""

from __future__ import annotations

import functools

import pytest

from sayiir_core.authoring import Flow, LoopResult
from sayiir_core.errors import DefinitionError, DefinitionErrors


def inc(value):
    return value + 1


def turn(value):
    return LoopResult.done(value)


def two(one, other):
    return one, other


def keyword(value, *, must):
    return value, must


SUB = Flow("sub").then(inc).build()


def route(flow):
    """Return an open route with one declared key."""
    return flow.route(str, keys=["a"])


CASES = {
    "an empty flow": (lambda f: f, "no steps.*then"),
    "a fork without a branch": (lambda f: f.fork().join(inc), r"fork_0.*no branches.*\.branch"),
    "a branch without a callable": (
        lambda f: f.fork().branch(inc).branch().join(max),
        "fork_0, branch 1.*at least one",
    ),
    "a forgotten join": (lambda f: f.fork().branch(inc), r"fork_0.*\.join\(fn\)"),
    "a forgotten join before a step": (
        lambda f: f.fork().branch(inc).then(inc),
        r"step 2, \.then\(\).*fork_0.*\.join\(fn\)",
    ),
    "a forgotten done": (lambda f: route(f).branch("a", inc), r"branch_0.*\.done\(\)"),
    "a second join": (lambda f: twice(f.fork().branch(inc)), r"fork_0\.join\(\).*closed already"),
    "something not callable": (lambda f: f.then(7), r"step 1, \.then\(\): 7 is not callable"),
    "a workflow in then": (lambda f: f.then(SUB), r"\.then_flow\(workflow\)"),
    "a key function that is not callable": (
        lambda f: f.route(3, keys=["a"]).branch("a", inc).done(),
        "branch_0, key function: 3 is not callable",
    ),
    "two required parameters": (lambda f: f.then(two), "two has 2 required parameters"),
    "a required keyword": (lambda f: f.then(keyword), "keyword-only parameter 'must'"),
    "a builtin with two parameters": (lambda f: f.then(divmod), "2 required parameters"),
    "no turn at all": (lambda f: f.loop(turn, max_iterations=0), "max_iterations.*not 0"),
    "a cap that is no number": (lambda f: f.loop(turn, max_iterations="9"), "max_iterations"),
    "a cap beyond what is stored": (lambda f: f.loop(turn, max_iterations=2**32), "4294967295"),
    "an unknown on_max": (lambda f: f.loop(turn, on_max="stop"), "'fail' or 'exit_with_last'"),
    "an undeclared key": (
        lambda f: route(f).branch("a", inc).branch("b", inc).done(),
        r"branch_0, branch 'b'.*keys=\['a'\]",
    ),
    "a missing key": (
        lambda f: f.route(str, keys=["a", "b"]).branch("a", inc).done(),
        "branch_0.*no branch for 'b'.*default_branch",
    ),
    "no arm at all": (lambda f: f.route(str, keys=[]).done(), "branch_0.*no branches"),
    "an arm twice": (
        lambda f: route(f).branch("a", inc).branch("a", turn).done(),
        "branch 'a'.*twice",
    ),
    "a default arm twice": (
        lambda f: route(f).default_branch(inc).default_branch(turn).done(),
        "default branch.*twice",
    ),
    "a key declared twice": (
        lambda f: f.route(str, keys=["a", "a"]).branch("a", inc).done(),
        "'a' 2 times",
    ),
    "keys that are one text": (
        lambda f: f.route(str, keys="ab").branch("a", inc).done(),
        "keys= must be a list",
    ),
    "keys that are no texts": (
        lambda f: f.route(str, keys=[1]).default_branch(inc).done(),
        "route key must be a string",
    ),
    "an arm whose key is no text": (
        lambda f: route(f).branch(1, inc).branch("a", inc).done(),
        "route key must be a string",
    ),
    "a key with the name of the default arm": (
        lambda f: f.route(str, keys=["default"]).branch("default", inc).default_branch(inc).done(),
        "'default'.*rename the key",
    ),
    "an id twice": (lambda f: f.then(inc).then(inc), "two steps have the id 'inc'.*name="),
    "an id twice in a branch": (
        lambda f: f.fork().branch(turn, inc, inc).join(max),
        "'fork_0/turn': two steps have the id 'inc'.*name=",
    ),
    "a branch name twice": (
        lambda f: f.fork().branch(inc).branch(inc).join(max),
        "fork_0: two branches are named 'inc'.*name=",
    ),
    "an id that a fork has": (
        lambda f: f.then(inc, name="fork_0").fork().branch(inc).join(max),
        "two steps have the id 'fork_0'",
    ),
    "a slash in an id": (lambda f: f.then(inc, name="a/b"), "slash.*name="),
    "a slash in a signal name without name=": (
        lambda f: f.wait_for_signal("a/b"),
        "slash.*name=",
    ),
    "a slash in a key": (
        lambda f: f.route(str, keys=["a/b"]).branch("a/b", inc).done(),
        "slash",
    ),
    "a NUL in an id": (lambda f: f.then(inc, name="a\0b"), "NUL"),
    "a lone surrogate in an id": (lambda f: f.then(inc, name="a\ud800"), "surrogate"),
    "a long id": (lambda f: f.then(inc, name="x" * 257), "256 bytes"),
    "an id that is no text": (lambda f: f.then(inc, name=5), "task id must be a text"),
    "an unreadable delay": (lambda f: f.delay("d", "10"), "step 1, .delay.*'10'"),
    "a negative delay": (lambda f: f.delay("d", -1), "not negative"),
    "a nameless delay": (lambda f: f.delay("", 1), "delay name"),
    "an unreadable signal timeout": (lambda f: f.wait_for_signal("s", timeout="x"), "'x'"),
    "a signal without a name": (lambda f: f.wait_for_signal(""), "signal name"),
    "a signal name that is no text": (lambda f: f.wait_for_signal(3), "signal name"),
    "a default without a deadline": (
        lambda f: f.wait_for_signal("s", on_timeout=1),
        "on_timeout=.*timeout=",
    ),
    "a default that is not JSON": (
        lambda f: f.wait_for_signal("s", timeout=1, on_timeout={1, 2}),
        "on_timeout= must be JSON-able",
    ),
    "a sub-flow that is none": (lambda f: f.then_flow(Flow("g").then(inc)), "not a workflow"),
    "a body that ends in a delay": (
        lambda f: f.loop(Flow("b").then(turn).delay("d", 1).build()),
        "loop_0.*end the body with a task that returns LoopResult",
    ),
    "a body that ends in a signal": (
        lambda f: f.loop(Flow("b").wait_for_signal("s").build()),
        "loop_0.*end the body with a task that returns LoopResult",
    ),
    "a body that ends in a loop": (
        lambda f: f.loop(Flow("b").loop(turn).build()),
        "loop_0.*end the body with a task that returns LoopResult",
    ),
    "a body that ends in a route": (
        lambda f: f.loop(Flow("b").route(str, keys=["a"]).branch("a", turn).done().build()),
        "loop_0.*end the body with a task that returns LoopResult",
    ),
    "a body whose sub-flow ends in a delay": (
        lambda f: f.loop(Flow("b").then_flow(Flow("c").then(turn).delay("d", 1).build()).build()),
        "loop_0.*end the body with a task that returns LoopResult",
    ),
}


def twice(fork):
    """Close a fork two times."""
    flow = fork.join(max)
    fork.join(min)
    return flow


@pytest.mark.parametrize(("write", "text"), CASES.values(), ids=CASES.keys())
def test_a_bad_definition_is_refused_with_its_place_and_remedy(write, text):
    """Each mistake of the list gives exactly one problem, which names it."""
    written = write(Flow("f"))

    with pytest.raises(DefinitionErrors, match=f"(?s){text}") as caught:
        written.build()

    assert len(caught.value.exceptions) == 1
    assert isinstance(caught.value, ValueError)


def test_every_problem_is_reported_at_once():
    """One ``build()`` tells all of them, in the order in which they were written."""
    flow = Flow("", metadata={"when": object()})
    flow.then(7).then(two).delay("d", "soon").loop(turn, max_iterations=0, on_max="x")
    flow.fork().branch().join(inc)
    flow.route(str, keys=["a", "b"]).branch("c", inc).done().then(inc).then(inc)

    with pytest.raises(DefinitionErrors) as caught:
        flow.build()

    problems = caught.value.exceptions
    assert all(type(problem) is DefinitionError for problem in problems)
    assert len(problems) == 11
    assert all(str(problem) in str(caught.value) for problem in problems)


def test_a_build_that_failed_may_be_mended_and_tried_again():
    """``build()`` does not change the flow, so a forgotten join can still be said."""
    flow = Flow("f")
    fork = flow.fork().branch(inc)
    with pytest.raises(DefinitionErrors):
        flow.build()

    fork.join(max)

    assert len(flow.build().definition.nodes) == 3


@pytest.mark.parametrize("name", ["", "x" * 257, "a\0", None, 5], ids=repr)
def test_a_bad_flow_name_is_a_problem(name):
    """The name of a flow is a stored id."""
    with pytest.raises(DefinitionErrors, match="flow name"):
        Flow(name).then(inc).build()


@pytest.mark.parametrize("metadata", [[1], {"a": {1}}, {"n": float("nan")}, "text"], ids=repr)
def test_metadata_that_is_not_json_is_a_problem(metadata):
    """SEMANTICS 10: any tool can read it."""
    with pytest.raises(DefinitionErrors, match="metadata must be"):
        Flow("f", metadata=metadata).then(inc).build()


@pytest.mark.parametrize(
    "fn",
    [
        lambda: 1,
        lambda value, other=2: (value, other),
        lambda *values: values,
        lambda value=1, *, other=2, **rest: (value, other, rest),
        functools.partial(two, 1),
        functools.partial(keyword, must=1),
        int,
        dict,
        "x".join,
        print,
    ],
    ids=range(10),
)
def test_what_can_be_called_with_one_value_or_none_is_a_task(fn):
    """Defaults, partials, classes and builtins are judged by what a call needs."""
    assert len(Flow("f").then(fn, name="t").build().definition.nodes) == 1


def test_a_wrapped_function_is_judged_by_what_it_wraps():
    """``functools.wraps`` shows the inner signature, which the wrapper passes its value to."""

    @functools.wraps(two)
    def wrapper(*args):
        return two(*args)

    with pytest.raises(DefinitionErrors, match="2 required parameters"):
        Flow("f").then(wrapper).build()


def test_an_unknown_method_of_an_open_builder_is_an_attribute_error():
    """Only the flow's own methods are forwarded to it."""
    builder = Flow("f").fork()

    assert not hasattr(builder, "braid")
    with pytest.raises(AttributeError, match="ForkBuilder"):
        builder.braid()
