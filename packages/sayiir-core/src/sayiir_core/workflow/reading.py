"""Reading scopes and nodes from their document form."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

from sayiir_core.errors import DeserializationError
from sayiir_core.policy import OnMax, RetryPolicy
from sayiir_core.workflow.fields import Fields
from sayiir_core.workflow.node import (
    ChildNode,
    DelayNode,
    ForkNode,
    LoopNode,
    Node,
    RouteNode,
    Scope,
    ScopeKind,
    SignalNode,
    TaskNode,
    TaskPolicy,
)


class NodeKind(StrEnum):
    """Name a kind of node in documents."""

    TASK = "task"
    FORK = "fork"
    ROUTE = "route"
    LOOP = "loop"
    DELAY = "delay"
    SIGNAL = "signal"
    CHILD = "child"


def read_scope(fields: Fields) -> Scope:
    """Return the scope that an object describes, not yet checked against the others."""
    return Scope(
        ordinal=fields.number("ordinal"),
        kind=fields.word("kind", ScopeKind),
        owner=fields.number("owner"),
        name=fields.text("name"),
        path=fields.text("path"),
        first=fields.number("first"),
        depth=fields.number("depth"),
        line=fields.number("line"),
        line_depth=fields.number("line_depth"),
    )


def read_node(fields: Fields) -> Node:
    """Return the node that an object describes, not yet checked against the others."""
    placed: dict[str, Any] = {
        "ordinal": fields.number("ordinal"),
        "id": fields.text("id"),
        "path": fields.text("path"),
        "scope": fields.number("scope"),
        "next": fields.number("next"),
    }
    return _READERS[fields.word("kind", NodeKind)](fields, placed)


def _task(fields: Fields, placed: dict[str, Any]) -> Node:
    return TaskNode(
        **placed,
        reference=fields.text("reference"),
        version=fields.text_or_none("task_version"),
        policy=_policy(fields.record("policy")),
        group=fields.text("group"),
        loop=fields.number_or_none("loop"),
        is_key=fields.flag("is_key"),
        is_join=fields.flag("is_join"),
    )


def _fork(fields: Fields, placed: dict[str, Any]) -> Node:
    return ForkNode(
        **placed,
        first_branch=fields.number("first_branch"),
        branch_count=fields.number("branch_count"),
    )


def _route(fields: Fields, placed: dict[str, Any]) -> Node:
    return RouteNode(
        **placed,
        key_scope=fields.number("key_scope"),
        keys=fields.texts("keys"),
        first_arm=fields.number("first_arm"),
        default_arm=fields.number_or_none("default_arm"),
    )


def _loop(fields: Fields, placed: dict[str, Any]) -> Node:
    return LoopNode(
        **placed,
        body=fields.number("body"),
        max_iterations=fields.number("max_iterations"),
        on_max=fields.word("on_max", OnMax),
    )


def _delay(fields: Fields, placed: dict[str, Any]) -> Node:
    return DelayNode(**placed, duration=fields.length("duration_us"))


def _signal(fields: Fields, placed: dict[str, Any]) -> Node:
    return SignalNode(
        **placed,
        signal_name=fields.text("signal_name"),
        timeout=fields.length_or_none("timeout_us"),
        on_timeout=fields.text_or_none("on_timeout"),
    )


def _child(fields: Fields, placed: dict[str, Any]) -> Node:
    return ChildNode(**placed, child=fields.number("child"))


_READERS: Final[dict[NodeKind, Callable[[Fields, dict[str, Any]], Node]]] = {
    NodeKind.TASK: _task,
    NodeKind.FORK: _fork,
    NodeKind.ROUTE: _route,
    NodeKind.LOOP: _loop,
    NodeKind.DELAY: _delay,
    NodeKind.SIGNAL: _signal,
    NodeKind.CHILD: _child,
}


def _policy(fields: Fields) -> TaskPolicy:
    return TaskPolicy(
        timeout=fields.length_or_none("timeout_us"),
        retry=_retry(fields.record_or_none("retry")),
        priority=fields.number("priority"),
        tags=fields.texts("tags"),
        display_name=fields.text_or_none("display_name"),
        description=fields.text_or_none("description"),
    )


def _retry(fields: Fields | None) -> RetryPolicy | None:
    if fields is None:
        return None
    try:
        return RetryPolicy(
            fields.number("max_retries"),
            fields.real("initial_delay_secs"),
            fields.real("backoff_multiplier"),
            max_delay=fields.length_or_none("max_delay_us"),
            jitter=fields.real("jitter"),
            retry_on=fields.texts("retry_on"),
            give_up_on=fields.texts("give_up_on"),
        )
    except ValueError as error:
        raise DeserializationError(f"{fields.where}: {error}") from error
