"""What a store of definitions must do."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings

from sayiir_core.workflow.definition import DefinitionIdentity
from sayiir_pytest.conformance.rig import Rig
from sayiir_pytest.conformance.sample import linear
from sayiir_pytest.conformance.suite import Conformance, require_durable
from sayiir_pytest.strategies import CallLog, Plan, build, plans


class DefinitionConformance(Conformance):
    """Test a ``DefinitionStore``."""

    def test_a_saved_definition_is_found_exactly_as_it_was(self, rig: Rig) -> None:
        """Keep every field."""
        saved = linear(rig.name("flow"), tasks=5)

        rig.backend.definitions.save(saved)

        assert saved == rig.backend.definitions.find(saved.identity)

    def test_an_unknown_identity_is_not_found(self, rig: Rig) -> None:
        """Answer None for a definition that nobody saved."""
        unknown = linear(rig.name("flow"))

        assert rig.backend.definitions.find(unknown.identity) is None

    def test_both_parts_of_an_identity_count(self, rig: Rig) -> None:
        """Tell two structures of one workflow, and two workflows of one structure, apart."""
        name = rig.name("flow")
        one = linear(name, tasks=1, structure="1" * 64)
        two = linear(name, tasks=2, structure="2" * 64)
        namesake = linear(rig.name("flow"), tasks=2, structure="1" * 64)

        for definition in (one, two, namesake):
            rig.backend.definitions.save(definition)

        found = [rig.backend.definitions.find(it.identity) for it in (one, two, namesake)]
        assert [one, two, namesake] == found
        crossed = DefinitionIdentity(namesake.workflow_id, two.structure_hash)
        assert rig.backend.definitions.find(crossed) is None

    def test_saving_an_identity_twice_changes_nothing(self, rig: Rig) -> None:
        """Keep the first of two definitions with one identity."""
        first = linear(rig.name("flow"))
        second = replace(first, metadata='{"team": "other"}')

        for definition in (first, second, first):
            rig.backend.definitions.save(definition)

        assert first == rig.backend.definitions.find(first.identity)

    def test_another_policy_keeps_the_definition_as_it_was_first_stored(self, rig: Rig) -> None:
        """Take a tuned definition without an error and go on answering the first one."""
        first = linear(rig.name("flow"), fingerprint="a" * 64)
        tuned = replace(first, policy_fingerprint="b" * 64)

        rig.backend.definitions.save(first)
        rig.backend.definitions.save(tuned)

        assert first == rig.backend.definitions.find(first.identity)

    def test_a_definition_without_metadata_has_none_when_found(self, rig: Rig) -> None:
        """Tell no metadata from empty metadata."""
        bare = replace(linear(rig.name("flow")), metadata=None)

        rig.backend.definitions.save(bare)

        assert bare == rig.backend.definitions.find(bare.identity)

    def test_a_long_definition_is_kept_whole(self, rig: Rig) -> None:
        """Keep two thousand nodes."""
        saved = linear(rig.name("flow"), tasks=2000)

        rig.backend.definitions.save(saved)

        assert saved == rig.backend.definitions.find(saved.identity)

    def test_every_definition_that_can_be_built_is_kept(self, rig: Rig) -> None:
        """Keep nested forks, routes, loops, delays, signals and their policies."""

        @settings(deadline=None, max_examples=30)
        @given(plans(signals=True, tags=("gpu", "cpu")))
        def keep(plan: Plan) -> None:
            saved = build(plan, CallLog(), name=rig.name("flow")).definition

            rig.backend.definitions.save(saved)

            assert saved == rig.backend.definitions.find(saved.identity)

        keep()

    def test_a_definition_survives_the_process(self, rig: Rig) -> None:
        """Find a definition again after the backend was closed and opened anew."""
        require_durable(rig.backend.capabilities)
        saved = rig.define()

        rig.reopen()

        assert saved == rig.backend.definitions.find(saved.identity)
