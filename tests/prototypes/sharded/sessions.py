"""Leases in several stores: a session is one, and ended in one shard it is ended in all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sayiir_core.errors import BackendError
from sayiir_core.ids import RunKey, SessionId
from sayiir_core.ports.sessions import NewSession, SessionView
from sayiir_core.snapshot.effect import Lease
from sayiir_core.workflow.definition import Definition, DefinitionIdentity
from tests.prototypes.sharded.shard import Shards


class ShardedDefinitions:
    """Keep every definition in every shard: each claims and lists by its own."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def save(self, definition: Definition) -> None:
        """Store a definition; a shard that does not answer is owed it."""
        self._shards.each(lambda backend: backend.definitions.save(definition), owed=True)

    def find(self, identity: DefinitionIdentity) -> Definition | None:
        """Return a definition from the first shard that knows it."""
        answers = self._shards.each(lambda backend: backend.definitions.find(identity))
        return next((found for found in answers.values() if found is not None), None)


class ShardedSessions:
    """Register, renew and end a session in every shard."""

    def __init__(self, shards: Shards) -> None:
        self._shards = shards

    def register(self, session: NewSession) -> None:
        """Store a session; a shard that does not answer is owed it."""
        self._shards.each(lambda backend: backend.sessions.register(session), owed=True)

    def renew(self, session_id: SessionId) -> bool:
        """Renew the lease wherever a shard answers; ended in one shard, it is ended in all."""
        answers = self._shards.each(lambda backend: backend.sessions.renew(session_id))
        if all(answers.values()):
            return True
        self.end_everywhere(session_id)
        return False

    def end_everywhere(self, session_id: SessionId) -> None:
        """End what others have ended in one shard, so that nothing stays held in another."""
        self._shards.each(lambda backend: backend.sessions.end(session_id), owed=True)

    def reconcile(
        self, session_id: SessionId, held: Sequence[Lease], run: RunKey | None = None
    ) -> None:
        """Give back what is not listed, in the shards that answer.

        The others are not owed it, because the list will be wrong later: the next one does it.
        """
        parts = self._shards.split(held, lambda lease: lease.instance_id)
        shards = self._shards.all if run is None else [self._shards.of(run.instance_id)]
        for shard in shards:
            leases = [held[place] for place in parts.get(shard, ())]
            try:
                self._shards.ask(
                    shard,
                    lambda backend, leases=leases: backend.sessions.reconcile(
                        session_id, leases, run
                    ),
                )
            except BackendError as error:
                if not error.transient or self._shards.all_down():
                    raise

    def reap(self, session_id: SessionId) -> list[SessionId]:
        """End dead sessions, in each shard by its own leases; returns each once."""
        answers = self._shards.each(lambda backend: backend.sessions.reap(session_id))
        return list(dict.fromkeys(dead for found in answers.values() for dead in found))

    def end(self, session_id: SessionId) -> None:
        """End a session in good order; a shard that does not answer is owed it."""
        self.end_everywhere(session_id)

    def view(self, session_id: SessionId) -> SessionView | None:
        """Return what the shards know together."""
        answers = self._shards.each(lambda backend: backend.sessions.view(session_id))
        found = [view for view in answers.values() if view is not None]
        return _together(found) if found else None

    def live(self) -> list[SessionView]:
        """Return the sessions that have ended in no shard that answers."""
        answers = self._shards.each(lambda backend: backend.sessions.live())
        views: dict[SessionId, list[SessionView]] = {}
        for view in (view for found in answers.values() for view in found):
            views.setdefault(view.session_id, []).append(view)
        return sorted(
            (_together(found) for found in views.values()),
            key=lambda view: (view.worker_id, view.session_id),
        )


def _together(views: Iterable[SessionView]) -> SessionView:
    """Return the view that expires first, alive only if it is alive in each."""
    views = list(views)
    earliest = min(views, key=lambda view: view.renewed_at)
    return replace(
        earliest,
        alive=all(view.alive for view in views),
        proved_alive=any(view.proved_alive for view in views),
    )
