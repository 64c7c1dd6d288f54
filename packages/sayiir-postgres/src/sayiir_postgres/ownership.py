"""Give whole instances to runners."""

from __future__ import annotations

from sayiir_core.errors import InstanceNotFoundError, SessionEndedError
from sayiir_core.ids import InstanceId, RunKey, SessionId
from sayiir_core.ports.ownership import Busy, Owned
from sayiir_core.snapshot import control
from sayiir_core.snapshot.answer import Claim
from sayiir_core.snapshot.motion import grant
from sayiir_postgres.claims import fill_inputs
from sayiir_postgres.connections import Connection
from sayiir_postgres.database import Database
from sayiir_postgres.heads import Changes, LockedRun, changes_over
from sayiir_postgres.lanes import Lanes
from sayiir_postgres.sessions import read_view
from sayiir_postgres.transaction import Transaction
from sayiir_postgres.whole import lock_whole
from sayiir_postgres.writes import ALWAYS, write


class PostgresOwnership:
    """The ownership port."""

    def __init__(self, database: Database, lanes: Lanes) -> None:
        self._database = database
        self._lanes = lanes

    def own(self, session: SessionId, instance_id: InstanceId) -> Owned | Busy:
        """Take the instance unless any other session holds any of it."""

        def work(connection: Connection) -> Owned | Busy:
            with self._database.transaction(connection) as tx:
                alive = tx.send("lock_sessions", {"sessions": [session]})
                run = lock_whole(tx, instance_id)
                if run is None:
                    raise InstanceNotFoundError(instance_id)
                if not alive.rows():
                    raise SessionEndedError(session)
                return self._own(tx, run, session)

        return self._database.run(work)

    def _own(self, tx: Transaction, run: LockedRun, session: SessionId) -> Owned | Busy:
        before = run.head.header.owner
        holder = control.own(run.head, session)
        if holder is not None:
            view = read_view(tx, holder)
            assert view is not None, "a session that holds something is never forgotten"
            return Busy(run.head, view)
        if before is None:
            run.touch_all()
            write(tx, Changes(runs=[run]), self._lanes)
        return Owned(run.head)

    def claim_owned(
        self, session: SessionId, claim_no: int, run: RunKey, limit: int
    ) -> list[Claim]:
        """Claim what is due of a run that the session owns; nothing if it does not."""

        def work(connection: Connection) -> list[Claim]:
            with self._database.transaction(connection) as tx:
                alive = tx.send("lock_sessions", {"sessions": [session]})
                parameters = {"session": session, "run": run.run_id}
                rows = tx.send("lock_due_owned", parameters)
                moment = self._database.moment(tx)
                changes = changes_over(rows.rows())
                if not alive.rows():
                    return []
                claims: list[Claim] = []
                for locked in changes.runs:
                    due = control.due_for_owner(locked.head, session, moment())[:limit]
                    locked.touch(due)
                    claims += [grant(locked.head, cursor, session, claim_no) for cursor in due]
                write(tx, changes, self._lanes)
            fill_inputs(self._database, connection, claims)
            return claims

        return self._database.run(work, repeatable=False)

    def disown(self, session: SessionId, run: RunKey) -> None:
        """End the ownership of this run and give back every cursor that it holds; repeatable."""

        def work(connection: Connection) -> None:
            with self._database.transaction(connection) as tx:
                locked = lock_whole(tx, run.instance_id)
                if locked is not None and _is_owned(locked, session, run):
                    control.disown(locked.head, session)
                    locked.touch_all()
                    write(tx, Changes(runs=[locked]), self._lanes)
                    # Also for what is due later: no pool has looked at when that will be.
                    tx.note_claimable(ALWAYS)

        self._database.run(work)


def _is_owned(locked: LockedRun, session: SessionId, run: RunKey) -> bool:
    return locked.run_id == run.run_id and locked.head.header.owner == session
