"""What a store of checkpoints must do."""

from __future__ import annotations

from sayiir_pytest.conformance.checkpoint_forks import BatchCases, ForkCases
from sayiir_pytest.conformance.checkpoint_guards import GuardCases
from sayiir_pytest.conformance.checkpoint_rests import RestCases


class CheckpointConformance(GuardCases, RestCases, ForkCases, BatchCases):
    """Test a ``CheckpointStore``."""
