"""Which cases are not run through workers, and why: the only place that says so."""

from __future__ import annotations

from typing import Any, Final

CALLER = "its subject is what the call of a runner tells its caller; a worker has no caller"
COROUTINES = "its subject are the coroutines of a runner; for submitting see AsyncWorkflowClient"
GATE = "its subject is refused before anything is stored"
INTERRUPTED = "in a worker it is a decision of its own, see test_worker_decisions.py"
SUBMITTED = "it is about submitting, which does not depend on who works"
OWN_WORKERS = "it starts its workers itself"

LEFT_OUT: Final[dict[str, str]] = {
    "test_client": SUBMITTED,
    "test_worker_deaths": OWN_WORKERS,
    "test_worker_decisions": OWN_WORKERS,
    "test_worker_queue": OWN_WORKERS,
    "test_worker_retries": OWN_WORKERS,
    "test_workers": OWN_WORKERS,
    "test_async::test_case_19_a_durable_run_never_blocks_the_loop": COROUTINES,
    "test_async::test_case_19_every_operation_has_an_async_form": COROUTINES,
    "test_async::test_case_19_async_tasks_run_on_the_callers_loop_in_an_async_run": COROUTINES,
    "test_decisions_settings::test_decision_labels_are_for_searching": SUBMITTED,
    "test_errors::test_case_23_an_interrupted_instance_is_resumable": INTERRUPTED,
    "test_errors::test_case_23_an_interruption_in_a_branch_propagates_too": INTERRUPTED,
    "test_errors::test_case_23_an_interruption_in_an_async_task_propagates_too": INTERRUPTED,
    "test_errors::test_case_24_a_run_that_fails_raises_with_the_reason": CALLER,
    "test_errors::test_case_24_a_run_that_parks_raises_with_the_reason": CALLER,
    "test_errors::test_case_24_a_run_that_completes_returns_its_output": CALLER,
    "test_errors::test_case_25_an_unknown_instance_is_a_backend_error": GATE,
    "test_errors::test_a_flow_that_was_not_built_is_a_type_error_that_says_so": GATE,
    "test_errors::test_a_signal_payload_that_cannot_be_stored_is_refused_with_both_names": GATE,
    "test_errors::test_case_26_a_bad_instance_id_is_refused_by_every_operation": GATE,
    "test_errors::test_case_26_an_instance_id_of_another_type_is_a_type_error": GATE,
    "test_retries_and_timeouts::test_case_41_attempts_and_back_off_survive_the_process": INTERRUPTED,
    "test_state_table_run::test_resuming_another_definition_is_refused_naming_both": CALLER,
    "test_state_table_running::test_a_busy_instance_is_not_disturbed_by_who_asked": CALLER,
    "test_state_table_running::test_resuming_what_another_runs_is_busy_naming_holder_host_and_age": (
        CALLER
    ),
    "test_state_table_running::test_use_existing_of_what_another_runs_gives_its_status": CALLER,
}
"""By module, or by ``module::test``."""


def why_not_pooled(definition: Any) -> str | None:
    """Return why a test is not run through workers, None if it is."""
    module = definition.path.stem
    return LEFT_OUT.get(module) or LEFT_OUT.get(f"{module}::{definition.originalname}")
