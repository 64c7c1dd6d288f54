"""``@task``: an annotation on the same function."""

from __future__ import annotations

import asyncio
import functools

import pytest

from sayiir_core.authoring import Flow, task
from sayiir_core.errors import DefinitionError
from sayiir_core.policy import RetryPolicy
from sayiir_core.workflow import TaskNode


def node_of(fn, **options) -> TaskNode:
    """Return the only node of a flow of one function."""
    (node,) = Flow("f").then(fn, **options).build().definition.nodes
    assert isinstance(node, TaskNode)
    return node


def test_the_same_function_comes_back():
    """Nothing is wrapped, with and without options, for sync and async functions."""

    def plain(value):
        return value

    async def waiting(value):
        return value

    assert task(plain) is plain
    assert task("name", retries=1)(waiting) is waiting
    assert asyncio.run(waiting(3)) == 3


def test_every_option_reaches_the_node():
    """The definition holds what the decorator was told."""

    @task(
        "charge",
        timeout="30s",
        retries=RetryPolicy(5, jitter=True),
        tags=["cpu", "gpu", "cpu"],
        description="Charge the card",
        priority=1,
        version="2",
    )
    def fn(order):
        return order

    node = node_of(fn)

    assert (node.id, node.version, node.priority, node.group) == ("charge", "2", 1, "cpu,gpu")
    assert node.policy.timeout is not None
    assert node.policy.timeout.total_seconds() == 30
    assert node.policy.retry == RetryPolicy(5, jitter=True)
    assert node.policy.tags == ("cpu", "gpu")
    assert (node.policy.display_name, node.policy.description) == ("charge", "Charge the card")
    assert node.reference.endswith(":test_every_option_reaches_the_node.<locals>.fn")


def test_the_legacy_timeout_gives_way_to_the_new_one():
    """``timeout_secs`` still works, and ``timeout`` wins over it."""

    @task(timeout_secs=5.0)
    def old(value):
        return value

    @task(timeout=2, timeout_secs=5.0)
    def both(value):
        return value

    seconds = [node_of(fn).policy.timeout.total_seconds() for fn in (old, both)]

    assert seconds == [5.0, 2.0]


def test_methods_can_be_tasks():
    """Instance, static and class methods carry the annotation of their function."""

    class Shop:
        @task("instance")
        def charge(self, value):
            return value

        @task("static")
        @staticmethod
        def refund(value):
            return value

        @staticmethod
        @task("inner")
        def audit(value):
            return value

        @task("class")
        @classmethod
        def close(cls, value):
            return value

    shop = Shop()

    ids = [node_of(fn).id for fn in (shop.charge, shop.refund, Shop.audit, shop.close)]

    assert ids == ["instance", "static", "inner", "class"]


def test_a_decorated_function_keeps_the_annotation_under_wraps():
    """A decorator that uses ``functools.wraps`` passes the annotation on."""

    def logged(fn):
        @functools.wraps(fn)
        def call(*args):
            return fn(*args)

        return call

    @logged
    @task("inner", priority=2)
    def fn(value):
        return value

    assert (node_of(fn).id, node_of(fn).priority) == ("inner", 2)


@pytest.mark.parametrize("fn", [len, "x".upper, print], ids=["len", "upper", "print"])
def test_what_takes_no_attributes_is_refused_with_a_remedy(fn):
    """A built-in function can be a step but cannot carry options."""
    with pytest.raises(DefinitionError, match="wrap it in a function"):
        task(priority=1)(fn)
    assert node_of(fn).id == fn.__name__


def test_what_cannot_be_called_is_refused():
    """A decorated property or number is an error at once."""
    with pytest.raises(DefinitionError, match="callable"):
        task(priority=1)(7)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"timeout": "soon"}, "timeout="),
        ({"timeout": 0}, "timeout="),
        ({"timeout": -1}, "timeout="),
        ({"retries": -1}, "retries="),
        ({"retries": True}, "retries="),
        ({"retries": 1.5}, "retries="),
        ({"priority": 0}, "priority="),
        ({"priority": 6}, "priority="),
        ({"priority": "high"}, "priority="),
        ({"tags": [str(number) for number in range(21)]}, "tags="),
        ({"tags": ["x" * 65]}, "tags="),
        ({"tags": [""]}, "tags="),
        ({"tags": ["a\0"]}, "tags="),
        ({"tags": ["\ud800"]}, "tags="),
        ({"tags": "gpu"}, "tags="),
        ({"tags": 5}, "tags="),
        ({"version": 2}, "version="),
        ({"description": 2}, "description="),
        ({"name": 2}, "name="),
    ],
    ids=str,
)
def test_a_bad_option_is_refused_at_once_by_its_name(options, named):
    """SEMANTICS 4 and durations: the decorator itself raises, and a ``ValueError`` at that."""
    with pytest.raises(DefinitionError, match=named):
        task(**options)


def test_callables_without_a_name_are_numbered_like_lambdas():
    """Partials and callable objects have no name of their own."""

    class Adder:
        def __call__(self, value):
            return value + 1

    flow = Flow("f").then(Adder()).then(functools.partial(int, base=2)).then(lambda x: x)

    nodes = flow.build().definition.nodes

    assert [node.id for node in nodes] == ["lambda_0", "lambda_1", "lambda_2"]
    assert nodes[0].reference.endswith("Adder")
