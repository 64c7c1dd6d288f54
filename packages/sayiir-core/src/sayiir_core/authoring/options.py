"""The annotation that ``@task`` leaves on a function, and the gate that checks it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, cast

from sayiir_core.duration import Duration, to_timedelta
from sayiir_core.errors import DefinitionError
from sayiir_core.policy import RetryPolicy
from sayiir_core.ports.codec import Codec
from sayiir_core.workflow.node import DEFAULT_PRIORITY, TaskPolicy

ATTRIBUTE: Final = "__sayiir_task__"

MAX_TAGS: Final = 20
MAX_TAG_LENGTH: Final = 64
PRIORITIES: Final = range(1, 6)

_NO_TIME: Final = timedelta(0)
_CODEC: Final = re.compile(r"[a-z0-9][a-z0-9._+-]{0,99}")
_EXECUTOR: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")

CodecChoice = str | Codec
"""The name of a codec, perhaps behind wrappers, or a codec."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOptions:
    """What ``@task`` says about a function; ``name`` is None if it only marks it."""

    name: str | None = None
    version: str | None = None
    policy: TaskPolicy = field(default_factory=TaskPolicy)
    codec: CodecChoice | None = None
    executor: str | None = None


UNANNOTATED: Final = TaskOptions()


def options_of(fn: Callable[..., Any]) -> TaskOptions:
    """Return the annotation of a function, the defaults if it has none."""
    options = getattr(fn, ATTRIBUTE, None)
    return options if isinstance(options, TaskOptions) else UNANNOTATED


def check_options(
    *,
    name: str | None = None,
    timeout: Duration | None = None,
    retries: int | RetryPolicy | None = None,
    tags: Iterable[str] | None = None,
    description: str | None = None,
    priority: int | None = None,
    version: str | None = None,
    codec: CodecChoice | None = None,
    executor: str | None = None,
) -> TaskOptions:
    """Return the options if each is good; ``DefinitionError``, a ``ValueError``, for a bad one."""
    _check_text(name, "name")
    _check_text(description, "description")
    _check_text(version, "version")
    policy = TaskPolicy(
        timeout=_timeout(timeout),
        retry=_retry(retries),
        priority=_priority(priority),
        tags=_tags(tags),
        description=description,
    )
    return TaskOptions(
        name=name or None,
        version=version,
        policy=policy,
        codec=check_codec(codec, "@task"),
        executor=_executor(executor),
    )


def check_codec(value: object, what: str) -> CodecChoice | None:
    """Return a choice of a codec if it can be one; ``DefinitionError`` for anything else.

    Whether a codec of that name is installed is known where the workflow runs.
    """
    if value is None or (isinstance(value, str) and _CODEC.fullmatch(value)):
        return value
    if isinstance(getattr(value, "name", None), str) and callable(getattr(value, "encode", None)):
        return cast("Codec", value)
    raise DefinitionError(
        f"{what} codec= must be a name such as 'json' or 'zstd+msgpack', or a codec, not "
        f"{value!r:.100}"
    )


def _executor(value: object) -> str | None:
    """Return the name of an executor; whether it is installed is known where the workflow runs."""
    if value is None or (isinstance(value, str) and _EXECUTOR.fullmatch(value)):
        return value
    raise DefinitionError(f"@task executor= must be a name such as 'process', not {value!r:.100}")


def _check_text(value: object, what: str) -> None:
    if value is not None and not isinstance(value, str):
        raise DefinitionError(f"@task {what}= must be a text, not {value!r}")


def _timeout(value: Duration | None) -> timedelta | None:
    if value is None:
        return None
    try:
        timeout = to_timedelta(value)
    except ValueError as error:
        raise DefinitionError(f"@task timeout=: {error}") from error
    if timeout == _NO_TIME:
        raise DefinitionError("@task timeout= must be longer than zero; leave it out for no limit")
    return timeout


def _retry(value: object) -> RetryPolicy | None:
    if value is None or isinstance(value, RetryPolicy):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return RetryPolicy(value)
        except ValueError as error:
            raise DefinitionError(f"@task retries=: {error}") from error
    raise DefinitionError(f"@task retries= must be a number or a RetryPolicy, not {value!r}")


def _priority(value: object) -> int:
    if value is None:
        return DEFAULT_PRIORITY
    if not isinstance(value, int) or isinstance(value, bool) or value not in PRIORITIES:
        raise DefinitionError(f"@task priority= must be 1 (first) to 5, not {value!r}")
    return value


def _tags(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise DefinitionError(f"@task tags= must be a list of texts, as [{value!r}]")
    tags = tuple(dict.fromkeys(_tag(tag) for tag in cast("Iterable[object]", value)))
    if len(tags) > MAX_TAGS:
        raise DefinitionError(f"@task tags= has {len(tags)} tags; at most {MAX_TAGS} are allowed")
    return tags


def _tag(value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_TAG_LENGTH:
        raise DefinitionError(
            f"@task tags= holds {value!r:.100}; a tag is a text of 1 to {MAX_TAG_LENGTH} characters"
        )
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise DefinitionError(f"@task tags= holds {value!r}, which stores refuse")
    return value
