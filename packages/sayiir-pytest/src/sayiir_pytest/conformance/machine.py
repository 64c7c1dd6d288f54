"""A machine that tells a store and the model the same, call after call."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from sayiir_core.ids import InstanceId, RunKey, SessionId
from sayiir_core.snapshot.effect import Lease
from sayiir_pytest.conformance.drawing import GROUPS, LANES, NAMES, Drawing
from sayiir_pytest.conformance.rig import TTL, Rig
from sayiir_pytest.conformance.twin import Twin

MOST_INSTANCES = 4


class StoreMachine(RuleBasedStateMachine):
    """Draw calls of every port; after each, answers and contents must be equal."""

    def __init__(self, rig: Rig, aging_interval: timedelta) -> None:
        """Start on a store that may hold the rests of earlier machines."""
        super().__init__()
        self.rig = rig
        self.twin = Twin(rig, aging_interval)
        self.calls: list[tuple[SessionId, int]] = []
        self.drawing: Drawing

    def teardown(self) -> None:
        """End the sessions of this machine."""
        self.twin.close()

    @initialize(data=st.data())
    def begin(self, data: st.DataObject) -> None:
        """Start with two sessions, which mostly serve the same lanes, and a run."""
        self.drawing = Drawing(self.twin, data)
        self.twin.register(GROUPS)
        self.twin.register(data.draw(st.sampled_from(LANES)))
        self.twin.create(self.rig.new(definition=self.twin.definition))

    # --- what a rule can choose from ---------------------------------------------------------

    def _instance(self, data: st.DataObject) -> InstanceId:
        return data.draw(st.sampled_from(list(self.twin.model.heads)))

    def _run(self, data: st.DataObject, instance_id: InstanceId) -> RunKey:
        """Draw a run of an instance: the one that it has now, or an earlier one."""
        runs = [run for run in self.twin.runs if run.instance_id == instance_id]
        return data.draw(st.sampled_from([*runs, runs[-1]]))

    def _session(self, data: st.DataObject) -> SessionId:
        return data.draw(st.sampled_from(list(self.twin.model.sessions)))

    def _leases(self, data: st.DataObject, session: SessionId | None = None) -> list[Lease]:
        model = self.twin.model
        leases = [model.lease(head, cursor) for head, cursor in model.held(session)]
        return [lease for lease in leases if data.draw(st.booleans())]

    def _has_instances(self) -> bool:
        return bool(self.twin.model.heads)

    # --- the calls -----------------------------------------------------------------------------

    @rule(data=st.data(), replace=st.booleans(), owned=st.booleans())
    def create(self, data: st.DataObject, replace: bool, owned: bool) -> None:
        """Create a run under a new id or one that is taken."""
        instance_id = data.draw(st.sampled_from([*self.twin.model.heads, *self._free()]))
        owner = self._session(data) if owned else None
        self._create(data, instance_id, owner=owner, replace=replace)
        self.twin.check()

    def _create(
        self,
        data: st.DataObject,
        instance_id: InstanceId,
        *,
        owner: SessionId | None = None,
        replace: bool,
    ) -> None:
        new = self.rig.new(
            instance_id,
            definition=self.twin.definition,
            owner=owner,
            replace=replace,
            group=data.draw(st.sampled_from(GROUPS)),
            priority=data.draw(st.integers(1, 5)),
        )
        self.twin.create(new)

    def _free(self) -> list[InstanceId]:
        """Return a new id if there is room for one more instance."""
        has_room = len(self.twin.model.heads) < MOST_INSTANCES
        return [InstanceId(self.rig.name())] if has_room else []

    @rule(data=st.data(), limit=st.integers(1, 8))
    def claim(self, data: st.DataObject, limit: int) -> None:
        """Claim for a pool."""
        session = self._session(data)
        groups = data.draw(st.sampled_from([GROUPS, GROUPS, GROUPS[:1]]))
        self.calls.append((session, self.twin.claim(session, groups, limit)))
        self.twin.check()

    @precondition(_has_instances)
    @rule(data=st.data(), limit=st.integers(1, 4))
    def claim_owned(self, data: st.DataObject, limit: int) -> None:
        """Claim for an owner, or for one who is none."""
        instance_id = self._instance(data)
        owner = self.twin.model.heads[instance_id].header.owner
        session, run = owner or self._session(data), self._run(data, instance_id)
        self.calls.append((session, self.twin.claim_owned(session, run, limit)))
        self.twin.check()

    # Three rules for one call: a history should be commits for the most part.

    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        """Commit a batch, and claim before if nobody holds anything."""
        if not self.twin.model.held():
            self.twin.claim(self._session(data), GROUPS, 8)
        self.drawing.data = data
        self.twin.commit(self.drawing.batch())
        self.twin.check()

    @rule(data=st.data())
    def commit_again(self, data: st.DataObject) -> None:
        """Commit another batch."""
        self.commit(data)

    @rule(data=st.data())
    def commit_and_claim(self, data: st.DataObject) -> None:
        """Commit a batch, and claim what it made ready."""
        self.commit(data)
        self.claim(data, limit=8)

    @rule(data=st.data(), wait=st.sampled_from([0, 1, 2, 3]))
    def fail_and_come_back(self, data: st.DataObject, wait: float) -> None:
        """Let an attempt of a fresh run fail, and claim for the session that it may avoid."""
        session = self._session(data)
        instance_id = (self._free() or [self._instance(data)])[0]
        self._create(data, instance_id, replace=True)
        self.twin.claim(session, GROUPS, 8)
        self.drawing.data = data
        self.twin.commit(self.drawing.failures())
        self.rig.clock.advance(wait)
        self.calls.append((session, self.twin.claim(session, GROUPS, 8)))
        self.twin.check()

    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        """Give some leases, a claim call, or all but some leases, at times of one run, back."""
        session = self._session(data)
        match data.draw(st.sampled_from(["leases", "call", "rest", "rest of a run"])):
            case "leases":
                self.twin.release(self._leases(data))
            case "call" if self.calls:
                self.twin.release_claim(*data.draw(st.sampled_from(self.calls)))
            case "rest of a run" if self.twin.model.heads:
                run = self._run(data, self._instance(data))
                self.twin.reconcile(session, self._leases(data, session), run)
            case _:
                self.twin.reconcile(session, self._leases(data, session))
        self.twin.check()

    @precondition(_has_instances)
    @rule(data=st.data(), how=st.sampled_from(["own", "own", "disown", "replace and disown"]))
    def own(self, data: st.DataObject, how: str) -> None:
        """Ask for an instance, or give up a run of it, be it the one that it has now or not."""
        session, instance_id = self._session(data), self._instance(data)
        if how == "own":
            self.twin.own(session, instance_id)
        else:
            if how == "replace and disown":
                self._create(data, instance_id, owner=session, replace=True)
            owner = self.twin.model.heads[instance_id].header.owner
            self.twin.disown(owner or session, self._run(data, instance_id))
        self.twin.check()

    @precondition(_has_instances)
    @rule(data=st.data(), name=st.sampled_from(NAMES))
    def send(self, data: st.DataObject, name: str) -> None:
        """Send a signal."""
        self.twin.send(self._instance(data), name)
        self.twin.check()

    @precondition(_has_instances)
    @rule(
        data=st.data(),
        operation=st.sampled_from(["cancel", *["pause", "unpause", "unpause", "retry"] * 2]),
    )
    def request(self, data: st.DataObject, operation: str) -> None:
        """Cancel, pause, unpause or retry."""
        self.twin.request(operation, self._instance(data))
        self.twin.check()

    @rule(seconds=st.sampled_from([1, 2, 5, TTL.total_seconds() / 2, TTL.total_seconds() + 1]))
    def advance(self, seconds: float) -> None:
        """Let time pass, and ask when something is due."""
        self.rig.clock.advance(seconds)
        for groups in (GROUPS, GROUPS[:1], GROUPS[1:]):
            self.twin.next_due(groups)

    @rule(data=st.data(), end=st.sampled_from([False, False, True]))
    def judge_sessions(self, data: st.DataObject, end: bool) -> None:
        """End a session, or renew one and reap in its name."""
        session = self._session(data)
        if end:
            self.twin.end(session)
        else:
            if data.draw(st.booleans()):
                self.twin.renew(session)
            self.twin.reap(session)
        self.twin.register(data.draw(st.sampled_from(LANES)))
        self.twin.live()
        self.twin.check()

    @precondition(_has_instances)
    @rule(prune=st.booleans())
    def tidy(self, prune: bool) -> None:
        """Remove the signals that nothing will consume, and what has ended."""
        self.twin.expire()
        if prune:
            self.twin.prune()
        self.twin.check()
