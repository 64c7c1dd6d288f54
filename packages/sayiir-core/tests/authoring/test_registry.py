"""``TaskRegistry``: functions by name."""

from __future__ import annotations

import pytest

from sayiir_core.authoring import Flow, TaskRegistry
from sayiir_core.errors import DefinitionError, DefinitionErrors


def charge(order):
    return order


def refund(order):
    return order


def test_a_flow_names_registered_functions():
    """A reference stands wherever a function may, and is the id of the step."""
    payments = TaskRegistry("payments")
    payments.register("charge", charge)
    payments.task("refund", priority=1)(refund)

    workflow = (
        Flow("f", registry=payments)
        .then("payments::charge")
        .fork()
        .branch("payments::charge", refund)
        .branch("payments::refund", name="back")
        .join("payments::charge", name="joined")
        .build()
    )

    nodes = workflow.definition.nodes
    assert [node.path for node in nodes] == [
        "payments::charge",
        "fork_0",
        "fork_0/payments::charge/payments::charge",
        "fork_0/payments::charge/refund",
        "fork_0/back/back",
        "joined",
    ]
    assert workflow.function(0) is charge
    assert workflow.definition.task(4).priority == 1
    assert workflow.definition.task(5).reference == "payments::charge"


def test_the_decorator_registers_under_the_task_name():
    """Plain and parametrised forms put the same function into the registry."""
    registry = TaskRegistry("shop")

    @registry.task
    def pack(order):
        return order

    @registry.task("send", retries=2)
    def ship(order):
        return order

    assert list(registry) == ["shop::pack", "shop::send"]
    assert registry.resolve("shop::send") is ship
    assert len(registry) == 2
    assert "shop::pack" in registry
    assert pack(1) == 1


def test_a_name_is_given_once():
    """Registering a name again is an error that names the holder."""
    registry = TaskRegistry()
    registry.register("charge", charge)

    with pytest.raises(DefinitionError, match=r"'charge' is taken by charge"):
        registry.register("charge", refund)


def test_what_cannot_be_a_task_is_not_registered():
    """Two required parameters are found at registration."""
    with pytest.raises(DefinitionError, match="2 required parameters"):
        TaskRegistry().register("bad", lambda one, two: one + two)


def test_a_missing_name_suggests_what_comes_close():
    """A typing error is answered with the name that was meant."""
    registry = TaskRegistry("payments")
    registry.register("charge", charge)

    with pytest.raises(DefinitionError, match=r"did you mean 'payments::charge'\?"):
        registry.resolve("payments::chrage")
    with pytest.raises(DefinitionError, match="the registry is empty"):
        TaskRegistry().resolve("x")


def test_merging_takes_everything_or_nothing():
    """Equal entries are no conflict; a conflict changes nothing."""
    one, two, clash = TaskRegistry("a"), TaskRegistry("b"), TaskRegistry()
    one.register("charge", charge)
    two.register("refund", refund)
    clash.register("c", charge)
    clash.register("a::charge", refund)

    merged = one.merge(two).merge(two)

    assert merged is one
    assert set(one) == {"a::charge", "b::refund"}
    with pytest.raises(DefinitionError, match="taken"):
        one.merge(clash)
    assert set(one) == {"a::charge", "b::refund"}


def test_a_reference_without_a_registry_or_function_is_a_problem():
    """Both are reported by ``build()`` with the remedy."""
    with pytest.raises(DefinitionErrors, match=r"registry=TaskRegistry"):
        Flow("f").then("payments::charge").build()
    with pytest.raises(DefinitionErrors, match=r"no function is registered"):
        Flow("f", registry=TaskRegistry()).then("payments::charge").build()
