"""The peers that take part in one workload, beside ours and the raw limit."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from measure import Settings
from peer_process import PeerError, PeerProcess

from sayiir_pytest.postgres_server import PostgresServer

TURNS = 3
_NUMBERS = itertools.count()
_TURN_SECONDS = 2.0
_QUICK_TURN_SECONDS = 1.0
_WARM_UP_SHARE = 40
_WARM_UPS = 3
_MOST_GROWTH = 10
_TELLING_SHARE = 3


class Guest:
    """One peer, with one variant of its setting.

    It takes few turns, or fewer if it fails, and does less in a turn than the others if that would
    take long: it has warmed up with a small part of the work, which tells.
    """

    def __init__(
        self,
        peer: PeerProcess,
        workload: str,
        parameters: Mapping[str, Any],
        turn_seconds: float,
    ) -> None:
        self.name = f"{peer.name} {parameters['variant']}".strip()
        self.note = ""
        self.turns: list[Mapping[str, float]] = []
        self._peer = peer
        self._workload = workload
        self._parameters: dict[str, Any] = dict(parameters)
        self._turn_seconds = turn_seconds
        self._failed = False
        self._seconds = 0.0

    def warm_up(self) -> None:
        """Do a small part of the work, and more until it tells how much is enough.

        A part that is done in an instant tells nothing, as it is mostly the way there.
        """
        if (full := self._parameters.get("count")) is None:
            self._ask(self._parameters)
            return
        count = max(1, full // _WARM_UP_SHARE)
        for _ in range(_WARM_UPS):
            self._ask(self._parameters | {"count": count})
            if self._failed:
                return
            more = self._turn_seconds / max(self._seconds, self._turn_seconds / _MOST_GROWTH)
            tells = self._seconds > self._turn_seconds / _TELLING_SHARE
            count = max(1, min(full, int(count * more)))
            if tells or count == full:
                break
        self._parameters["count"] = count

    def take_turn(self, number: int) -> None:
        """Measure, unless it has failed or had its turns."""
        if number < TURNS and not self._failed:
            answer = self._ask(self._parameters)
            if not self._failed:
                self.turns.append(answer)

    def _ask(self, parameters: Mapping[str, Any]) -> Mapping[str, float]:
        try:
            answer = self._peer.ask(self._workload, **parameters)
        except PeerError as error:
            self._failed, self.note = True, str(error)
            return {}
        self.note, self._seconds = answer["setting"], answer["seconds"]
        values: Mapping[str, float] = answer["values"]
        return values


class Guests(list[Guest]):
    """All of one workload, with the reasons of those that are missing."""

    def __init__(self, missing: Mapping[str, str]) -> None:
        super().__init__()
        self._missing = missing

    def warm_up(self) -> None:
        """Let each get warm."""
        for guest in self:
            guest.warm_up()

    def take_turn(self, number: int) -> None:
        """Let each take its turn."""
        for guest in self:
            guest.take_turn(number)

    def times(self, value: str = "value") -> dict[str, list[float]]:
        """Return what those that have taken turns have measured, by name."""
        return {guest.name: [turn[value] for turn in guest.turns] for guest in self if guest.turns}

    @property
    def notes(self) -> dict[str, str]:
        """Say of each how it was set up, or why it has no times."""
        return {**self._missing, **{guest.name: guest.note for guest in self}}


@contextmanager
def guests(
    settings: Settings, workload: str, server: PostgresServer | None = None, **parameters: Any
) -> Generator[Guests]:
    """Give the peers that offer a workload, each with a database of its own on the server."""
    missing = dict(settings.missing)
    invited = Guests(missing)
    present = [peer for peer in settings.peers.values() if workload in peer.offers]
    for peer in settings.peers.values():
        if peer not in present:
            missing[peer.name] = peer.lacks.get(workload, "not a workload for it")
    seconds = _TURN_SECONDS if settings.scale == 1 else _QUICK_TURN_SECONDS
    for peer in present:
        database = f"peer_{next(_NUMBERS)}"
        dsn = {"dsn": server.create_database(database)} if server else {}
        for variant in peer.offers[workload]:
            given = {**dsn, **parameters, "variant": variant}
            invited.append(Guest(peer, workload, given, seconds))
    try:
        yield invited
    finally:
        for peer in present:
            _release(peer)


def _release(peer: PeerProcess) -> None:
    try:
        peer.ask("close")
    except PeerError:
        peer.end()
