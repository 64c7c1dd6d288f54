"""What a store of checkpoints must do."""

from __future__ import annotations

from sayiir_pytest.conformance.checkpoint_batches import BatchCases
from sayiir_pytest.conformance.checkpoint_forks import ForkCases
from sayiir_pytest.conformance.checkpoint_guards import GuardCases
from sayiir_pytest.conformance.checkpoint_refusals import RefusalCases
from sayiir_pytest.conformance.checkpoint_rests import RestCases
from sayiir_pytest.conformance.checkpoint_takes import TakeCases
from sayiir_pytest.conformance.checkpoint_values import ValueCases


class CheckpointConformance(
    GuardCases, RestCases, ValueCases, ForkCases, TakeCases, BatchCases, RefusalCases
):
    """Test a ``CheckpointStore``."""
