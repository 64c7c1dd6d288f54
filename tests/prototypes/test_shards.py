"""What several stores do together when one of them is away, and where instances stand."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from sayiir_core.errors import BackendError, SessionEndedError
from sayiir_core.ids import InstanceId, SessionId
from sayiir_core.ports.sessions import NewSession
from sayiir_core.snapshot.head import Lane
from sayiir_pytest.conformance.sample import linear
from sayiir_runtime.memory import InMemoryBackend
from tests.prototypes.sharded import ShardedBackend
from tests.prototypes.sharded import shard as shard_module
from tests.prototypes.sharded.shard import Shards

SESSION = SessionId("session")
FLOW = linear("flow")
LANE = Lane(FLOW.identity, "")


class Away:
    """A store that can be away: then each of its ports fails."""

    def __init__(self) -> None:
        self.backend = InMemoryBackend()
        self.is_away = False

    def __getattr__(self, name: str) -> Any:
        if self.is_away:
            raise BackendError("the store is away (by the test)", transient=True)
        return getattr(self.backend, name)


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch) -> dict[str, Away]:
    """Give two stores that are asked again at once."""
    monkeypatch.setattr(shard_module, "_PAUSE_SECONDS", 0.0)
    return {"north": Away(), "south": Away()}


@pytest.fixture
def backend(stores: dict[str, Any]) -> ShardedBackend:
    """Give both as one."""
    return ShardedBackend(stores)


def register(backend: ShardedBackend) -> None:
    """Start a session that serves the flow."""
    backend.definitions.save(FLOW)
    backend.sessions.register(
        NewSession(session_id=SESSION, worker_id="w", ttl=timedelta(minutes=1), lanes=(LANE,))
    )


def test_a_further_shard_takes_its_share_and_moves_nothing_else() -> None:
    """Of four shards the fourth takes a quarter of the instances, from all others alike."""
    ids = [InstanceId(f"order-{number}") for number in range(4_000)]
    three = Shards({name: InMemoryBackend() for name in "abc"})
    four = Shards({name: InMemoryBackend() for name in "abcd"})

    moves = Counter((three.of(it).name, four.of(it).name) for it in ids)

    assert {name for _, name in moves if name != "d"} == set("abc")
    assert all(new in (old, "d") for old, new in moves)
    assert all(250 < moves[name, "d"] < 420 for name in "abc")


def test_a_shard_that_was_away_is_told_what_it_missed(
    stores: dict[str, Away], backend: ShardedBackend
) -> None:
    """A session that began meanwhile claims from it as soon as it is back."""
    stores["north"].is_away = True
    register(backend)
    away = stores["north"].backend.sessions.view(SESSION)
    stores["north"].is_away = False

    claims = backend.claims.claim(SESSION, 1, [LANE], 10)

    assert away is None
    assert [] == claims
    view = stores["north"].backend.sessions.view(SESSION)
    assert view is not None
    assert view.alive


def test_a_session_lives_by_the_shards_that_answer(
    stores: dict[str, Away], backend: ShardedBackend
) -> None:
    """Its lease is renewed while one of them is away, and an error only if all are."""
    register(backend)

    stores["north"].is_away = True
    one_away = backend.sessions.renew(SESSION)
    stores["south"].is_away = True
    with pytest.raises(BackendError) as error:
        backend.sessions.renew(SESSION)

    assert one_away
    assert error.value.transient
    assert "shard north" in str(error.value)
    assert "shard south" in str(error.value)


def test_a_session_that_was_ended_in_one_shard_is_ended_in_all(
    stores: dict[str, Away], backend: ShardedBackend
) -> None:
    """What another process took from it in one shard, it gives back in the others."""
    register(backend)
    stores["south"].backend.sessions.end(SESSION)

    assert not backend.sessions.renew(SESSION)

    view = stores["north"].backend.sessions.view(SESSION)
    assert view is None or not view.alive
    with pytest.raises(SessionEndedError):
        backend.claims.claim(SESSION, 1, [LANE], 10)
