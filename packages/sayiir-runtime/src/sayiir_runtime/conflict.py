"""What it means that an instance id is taken."""

from __future__ import annotations

from sayiir_core.errors import InstanceAlreadyExistsError, WorkflowError
from sayiir_core.ids import InstanceId
from sayiir_core.workflow.definition import DefinitionIdentity


def already_exists(
    instance_id: InstanceId, status: str, *, stored: DefinitionIdentity, ours: DefinitionIdentity
) -> InstanceAlreadyExistsError:
    """Return the error of the policy ``fail``; it names both definitions if they differ."""
    started = "" if stored == ours else f"; it was started by definition {stored}, not by {ours}"
    return InstanceAlreadyExistsError(
        f"instance {instance_id!r} already exists and is {status}{started}; choose "
        f"another id, or pass conflict_policy='use_existing' or 'terminate_existing'",
        instance_id=instance_id,
    )


def check_definition(
    instance_id: InstanceId, *, stored: DefinitionIdentity, ours: DefinitionIdentity
) -> None:
    """Raise ``WorkflowError`` that names both definitions if they differ."""
    if stored != ours:
        raise WorkflowError(
            f"instance {instance_id!r} was started by definition {stored}, not by "
            f"{ours}; run it with that version, or replace it with "
            f"conflict_policy='terminate_existing'",
            instance_id=instance_id,
        )
