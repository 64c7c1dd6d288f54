"""LangGraph: a graph of nodes, one for each step, with and without a checkpointer."""

from __future__ import annotations

import itertools
import sqlite3
import time
from contextlib import ExitStack
from typing import Any, TypedDict

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import END, START, StateGraph
from protocol import Answer, serve, timed

_STEPS = 10
_NUMBERS = itertools.count()


class State(TypedDict):
    x: int


def inc(state: State) -> dict[str, int]:
    return {"x": state["x"] + 1}


def w1(count: int) -> Answer:
    seconds = _seconds(_graph(None), count, {})
    return timed(seconds, count * _STEPS, "µs/step", f"no checkpointer, {count} runs")


def w2(count: int) -> Answer:
    seconds = _seconds(_graph(InMemorySaver()), count, {"durability": "sync"})
    setting = f"InMemorySaver, durability=sync, {count} runs"
    return timed(seconds, count * _STEPS, "µs/step", setting)


def w3(count: int, folder: str, level: str = "FULL", durability: str = "sync") -> Answer:
    connection = sqlite3.connect(f"{folder}/langgraph-{level}.sqlite", check_same_thread=False)
    connection.execute(f"PRAGMA synchronous={level}")
    saver = SqliteSaver(connection)
    saver.setup()
    seconds = _seconds(_graph(saver), count, {"durability": durability})
    connection.close()
    setting = f"SqliteSaver, durability={durability}, WAL, synchronous={level}, {count} runs"
    return timed(seconds, count * _STEPS, "µs/step", setting)


def w4(count: int, dsn: str, durability: str = "sync") -> Answer:
    seconds = _seconds(_graph(SAVERS.of(dsn)), count, {"durability": durability})
    setting = f"PostgresSaver, durability={durability}, {count} runs"
    return timed(seconds, count * _STEPS, "ms/step", setting)


class Savers:
    """The connections of this process, one for each address."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._savers: dict[str, PostgresSaver] = {}

    def of(self, dsn: str) -> PostgresSaver:
        """Return the saver of a database, making its tables first."""
        if dsn not in self._savers:
            saver = self._stack.enter_context(PostgresSaver.from_conn_string(dsn))
            saver.setup()
            self._savers[dsn] = saver
        return self._savers[dsn]

    def close(self) -> None:
        self._savers.clear()
        self._stack.close()


SAVERS = Savers()


def _graph(saver: Any) -> Any:
    graph = StateGraph(State)
    for number in range(_STEPS):
        graph.add_node(f"s{number}", inc)
        graph.add_edge(f"s{number - 1}" if number else START, f"s{number}")
    graph.add_edge(f"s{_STEPS - 1}", END)
    return graph.compile(checkpointer=saver)


def _seconds(graph: Any, count: int, options: dict[str, Any]) -> float:
    start = time.perf_counter()
    for _ in range(count):
        thread = {"configurable": {"thread_id": f"t{next(_NUMBERS)}"}}
        assert graph.invoke({"x": 0}, thread, **options)["x"] == _STEPS
    return time.perf_counter() - start


serve(
    {
        "w1": {"": w1},
        "w2": {"": w2},
        "w3-full": {"": w3, "async": lambda **given: w3(durability="async", **given)},
        "w3-normal": {"": lambda **given: w3(level="NORMAL", **given)},
        "w4": {"": w4, "async": lambda **given: w4(durability="async", **given)},
    },
    dict.fromkeys(("w5", "w6", "w11", "w11-many"), "a library without workers"),
    SAVERS.close,
)
