"""The names of what spans and metrics say, beside those of the semantic conventions.

There is no convention for workflows. Submitting and working off are messaging, so those two have its
attributes; an error has ``error.type`` and an exception event, as everywhere.
"""

from __future__ import annotations

from typing import Final

SCOPE: Final = "sayiir"
VERSION: Final = "0.1.0"

WORKFLOW: Final = "sayiir.workflow.id"
INSTANCE: Final = "sayiir.instance.id"
RUN: Final = "sayiir.run.id"
TASK: Final = "sayiir.task.path"
ATTEMPT: Final = "sayiir.task.attempt"
TURNS: Final = "sayiir.task.turns"
LINK: Final = "sayiir.link"

ERROR_TYPE: Final = "error.type"
SYSTEM: Final = "messaging.system"
OPERATION: Final = "messaging.operation.name"
OPERATION_TYPE: Final = "messaging.operation.type"
DESTINATION: Final = "messaging.destination.name"
MESSAGE: Final = "messaging.message.id"
MESSAGES: Final = "messaging.batch.message_count"
