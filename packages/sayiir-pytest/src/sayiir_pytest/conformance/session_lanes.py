"""Which sessions live, and what they serve."""

from __future__ import annotations

from datetime import timedelta

from sayiir_core.ids import SessionId
from sayiir_core.ports.ownership import Busy
from sayiir_core.ports.sessions import NewSession
from sayiir_pytest.conformance.rig import TTL, Rig
from sayiir_pytest.conformance.suite import Conformance, require_shared


class LaneCases(Conformance):
    """Test ``SessionView.lanes`` and ``SessionStore.live``."""

    def test_a_session_shows_the_lanes_that_it_serves(self, rig: Rig) -> None:
        """Keep any number of lanes of any definitions, used or not."""
        lanes = {
            rig.lane(),
            rig.lane("cpu,gpu"),
            rig.lane("größe", rig.define()),
            *(rig.lane(f"tag-{number}") for number in range(300)),
        }

        session = rig.session(lanes=sorted(lanes))

        view = rig.backend.sessions.view(session)
        assert view is not None
        assert (len(lanes), lanes) == (len(view.lanes), set(view.lanes))

    def test_a_runner_serves_no_lane(self, rig: Rig) -> None:
        """Show none for a session that named none, also beside one that did."""
        rig.session(lanes=[rig.lane()])
        hand = rig.start_owned()

        busy = rig.backend.ownership.own(rig.session(), hand.instance_id)

        assert isinstance(busy, Busy)
        assert () == busy.holder.lanes

    def test_a_holder_is_shown_with_its_lanes(self, rig: Rig) -> None:
        """Show the lanes of the session that is in the way of an owner."""
        hand = rig.start(rig.session(lanes=[rig.lane()]))

        busy = rig.backend.ownership.own(rig.session(), hand.instance_id)

        assert isinstance(busy, Busy)
        assert (rig.lane(),) == busy.holder.lanes

    def test_where_nobody_lives_the_list_is_empty(self, rig: Rig) -> None:
        """Answer an empty list before the first session and after the last one."""
        before = rig.backend.sessions.live()
        rig.backend.sessions.end(rig.session(lanes=[rig.lane()]))

        assert ([], []) == (before, rig.backend.sessions.live())

    def test_the_living_are_listed_by_worker_and_then_by_session(self, rig: Rig) -> None:
        """Order by code points, whatever the language of the store."""
        names = [
            ("b", "1"),
            ("B", "2"),
            ("a", "z"),
            ("é", "1"),
            ("a", "Z"),
            ("a_", "1"),
            ("a", "ä"),
        ]
        stem = rig.name()
        for worker, session in names:
            rig.backend.sessions.register(
                NewSession(session_id=SessionId(stem + session + worker), worker_id=worker, ttl=TTL)
            )

        listed = [(it.worker_id, it.session_id) for it in rig.backend.sessions.live()]

        assert sorted((worker, stem + session + worker) for worker, session in names) == listed

    def test_a_listed_session_is_shown_whole(self, rig: Rig) -> None:
        """Show what a view of each would show, with its own lanes."""
        one = rig.session(worker="one", lanes=[rig.lane()])
        rig.clock.advance(1)
        two = rig.session(worker="two", ttl=timedelta(seconds=7))

        listed = rig.backend.sessions.live()

        views = [rig.backend.sessions.view(it) for it in (one, two)]
        assert views == listed
        assert [(rig.lane(),), ()] == [view.lanes for view in listed]

    def test_who_has_ended_is_not_listed_and_who_is_late_is(self, rig: Rig) -> None:
        """List an expired session until somebody reaps it."""
        late = rig.session(worker="1 late")
        ended = rig.session(worker="2 ended")
        rig.backend.sessions.end(ended)
        reaper = rig.steady_session()

        before = [view.session_id for view in rig.backend.sessions.live()]
        rig.backend.sessions.reap(reaper)

        assert [late, reaper] == before
        assert [reaper] == [view.session_id for view in rig.backend.sessions.live()]

    def test_another_backend_sees_who_lives(self, rig: Rig) -> None:
        """Show a second backend the sessions of the first, with their lanes."""
        require_shared(rig.backend.capabilities)
        session = rig.session(lanes=[rig.lane("gpu")])

        (view,) = rig.other().sessions.live()

        assert (session, (rig.lane("gpu"),)) == (view.session_id, view.lanes)
