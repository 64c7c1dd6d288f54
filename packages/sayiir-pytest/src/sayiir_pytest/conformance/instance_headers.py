"""How headers are read together, and found by the error that ended their runs."""

from __future__ import annotations

import pytest

from sayiir_core.ids import InstanceId
from sayiir_core.snapshot.effect import Retry
from sayiir_core.snapshot.head import InstanceState
from sayiir_core.snapshot.step import ErrorRecord
from sayiir_pytest.conformance.instance_select import create_apart, listed, make_states
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import ERROR, failed, give_up
from sayiir_pytest.conformance.suite import Conformance


class HeaderCases(Conformance):
    """Test ``InstanceStore.headers``."""

    def test_headers_are_answered_in_the_order_asked(self, rig: Rig) -> None:
        """Answer each id at its own place, also one that is asked twice."""
        one, two, three = create_apart(rig, 3)
        asked = [two, three, one, two]

        found = rig.backend.instances.headers(asked)

        assert [rig.load(it).header for it in asked] == found

    def test_a_header_read_with_others_is_that_of_a_load(self, rig: Rig) -> None:
        """Answer the whole header of a run in any state."""
        ids = list(make_states(rig).values())

        found = rig.backend.instances.headers(ids)

        assert [rig.load(it).header for it in ids] == found

    def test_unknown_ids_have_no_header(self, rig: Rig) -> None:
        """Answer None at the place of an id that nobody used, or only sent a signal to."""
        (known,) = create_apart(rig, 1)
        signalled = InstanceId(rig.name())
        rig.backend.signals.send(signalled, "go", b"")
        asked = [InstanceId(rig.name()), known, signalled, InstanceId("")]

        found = rig.backend.instances.headers(asked)

        assert [None, known, None, None] == [it and it.instance_id for it in found]

    def test_a_replaced_run_is_answered_by_the_new_one(self, rig: Rig) -> None:
        """Answer the run that the id has now."""
        old = rig.start()
        old.must(*give_up())
        new = rig.new(old.instance_id, replace=True, labels={"a": "b"})
        rig.create(new)

        (found,) = rig.backend.instances.headers([old.instance_id])

        assert found is not None
        assert (new.run_id, None, {"a": "b"}) == (found.run_id, found.error, found.labels)

    def test_no_ids_have_no_headers(self, rig: Rig) -> None:
        """Accept an empty list."""
        assert [] == rig.backend.instances.headers([])

    def test_many_headers_are_read_at_once(self, rig: Rig) -> None:
        """Answer a thousand ids in one call, most of them unknown."""
        batch = [rig.new() for _ in range(100)]
        rig.backend.instances.create(batch)
        asked = [InstanceId(rig.name()) for _ in range(1000)]
        asked[::10] = [it.instance_id for it in batch]

        found = rig.backend.instances.headers(asked)

        expected = [asked[place] if place % 10 == 0 else None for place in range(1000)]
        assert expected == [it and it.instance_id for it in found]

    def test_a_header_is_the_callers_own(self, rig: Rig) -> None:
        """Share no mutable state with the store."""
        created = rig.create(rig.new(labels={"a": "b"}))
        instance_id = created.head.header.instance_id

        (header,) = rig.backend.instances.headers([instance_id])
        assert header is not None
        header.state = InstanceState.FAILED
        header.labels["a"] = "changed"

        assert (InstanceState.RUNNING, {"a": "b"}) == (
            rig.load(instance_id).header.state,
            rig.load(instance_id).header.labels,
        )


class ErrorSearchCases(Conformance):
    """Test ``InstanceQuery.error_contains``."""

    @pytest.mark.parametrize("sought", ["Timeout", "TIMEOUT", "timeout", "outE"])
    def test_an_error_is_found_by_its_type_whatever_the_case(self, rig: Rig, sought: str) -> None:
        """List the runs whose error's type has the text anywhere in it."""
        instance_id = fail(rig, "TimeoutError", "too late")
        fail(rig, "ValueError", "bad")

        assert [instance_id] == listed(rig, error_contains=sought)

    @pytest.mark.parametrize("sought", ["connection Refused", "REFUSED", "zürich", "ZÜRICH", "悪"])
    def test_an_error_is_found_by_its_message_whatever_the_case(
        self, rig: Rig, sought: str
    ) -> None:
        """List the runs whose error's message has the text anywhere in it, in any alphabet."""
        instance_id = fail(rig, "OSError", "Connection refused by Zürich · 悪い")
        fail(rig, "ValueError", "bad")

        assert [instance_id] == listed(rig, error_contains=sought)

    @pytest.mark.parametrize(
        ("sought", "message"),
        [
            ("100%", "100% full"),
            ("a_b", "key a_b is missing"),
            ("a\\b", "path a\\b"),
            (".*", "pattern .* is bad"),
            ("[x]", "index [x]"),
            ("(", "unbalanced ("),
            ("it's", "it's broken"),
            ('"', 'a "quote"'),
            ("^", "a ^ b"),
            ("$", "5 $"),
            ("\n", "two\nlines"),
        ],
    )
    def test_the_text_is_no_pattern(self, rig: Rig, sought: str, message: str) -> None:
        """Take every character as itself."""
        instance_id = fail(rig, "ValueError", message)
        fail(rig, "ValueError", "100 full, axb, a/b, pattern, index x, its quote, two lines")

        assert [instance_id] == listed(rig, error_contains=sought)

    def test_only_the_type_and_the_message_are_searched(self, rig: Rig) -> None:
        """Look neither into the traceback nor at the path of the task."""
        error = ErrorRecord(
            path="the_path", type="TheType", message="the message", traceback="the traceback"
        )
        hand = rig.start()
        hand.must(*give_up(error=error))

        assert [] == listed(rig, error_contains="the_path")
        assert [] == listed(rig, error_contains="traceback")
        assert [hand.instance_id] == listed(rig, error_contains="thetype")

    def test_a_run_without_an_error_is_never_found(self, rig: Rig) -> None:
        """List nothing that did not fail, nor an error that a retry has cleared."""
        revived = fail(rig, "LookupError", "once")
        rig.backend.control.retry(revived)
        rig.take()
        failed = make_states(rig)[InstanceState.FAILED]

        assert [] == listed(rig, error_contains="once")
        assert [failed] == listed(rig, error_contains="")

    def test_a_failed_attempt_that_was_retried_is_no_error_of_the_run(self, rig: Rig) -> None:
        """Search the errors of instances, not those of attempts."""
        rig.start().must(failed(0), Retry(rig.clock.now()))

        assert [] == listed(rig, error_contains=ERROR.type)

    def test_a_search_goes_with_other_conditions_and_pages(self, rig: Rig) -> None:
        """Hold every condition, and join the pages to the whole listing."""
        found: list[InstanceId] = []
        for number in range(7):
            rig.clock.advance(1)
            instance_id = fail(rig, "ValueError", f"needle {number}", labels={"n": str(number % 2)})
            if number % 2:
                found.insert(0, instance_id)
            rig.start()
            fail(rig, "KeyError", "other", labels={"n": "1"})

        for limit in (1, 2, 50):
            assert found == listed(rig, limit=limit, error_contains="NEEDLE", labels={"n": "1"})
        assert found[:1] == listed(
            rig,
            error_contains="needle",
            state=InstanceState.FAILED,
            id_prefix=found[0],
            created_after=rig.load(found[1]).header.created_at,
        )
        assert [] == listed(rig, error_contains="needle", state=InstanceState.PAUSED)


def fail(rig: Rig, kind: str, message: str, *, labels: dict[str, str] | None = None) -> InstanceId:
    """Create a run that fails with an error of this type and message."""
    created = rig.create(rig.new(labels=labels))
    error = ErrorRecord(path="step_0", type=kind, message=message, traceback="Traceback")
    rig.take().must(*give_up(error=error))
    return created.head.header.instance_id
