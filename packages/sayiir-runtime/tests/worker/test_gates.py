"""What a worker refuses when it is made or started, with the remedy."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sayiir_core.authoring import Flow
from sayiir_core.errors import DefinitionError
from sayiir_runtime.worker import PooledWorker


def idt(value):
    return value


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"concurrency": 0}, ValueError, "at least 1"),
        ({"concurrency": "4"}, TypeError, "number of tasks"),
        ({"concurrency": 1.5}, TypeError, "number of tasks"),
        ({"tags": "cpu"}, TypeError, r"\['cpu'\]"),
        ({"tags": [7]}, TypeError, "tag"),
        ({"tags": [""]}, ValueError, "tag"),
        ({"poll_interval": 0}, ValueError, "never rest"),
        ({"poll_interval": "1h30m"}, ValueError, "1h30m"),
        ({"claim_ttl": 0}, ValueError, "claim_ttl"),
        ({"claim_ttl": 3, "heartbeat_interval": 2}, ValueError, "between two beats"),
        ({"heartbeat_interval": 0}, ValueError, "more than 0"),
        ({"shutdown_grace": -1}, ValueError, "-1"),
    ],
    ids=str,
)
def test_bad_options_are_refused(backend, options, error, text):
    """Nothing is started that could not work."""
    with pytest.raises(error, match=text):
        PooledWorker("w", backend, **options)


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 300])
def test_a_bad_worker_id_is_refused(backend, name):
    """It is stored, and shown to people."""
    with pytest.raises(ValueError, match="worker id"):
        PooledWorker(name, backend)


@pytest.mark.parametrize("wrong", ["sqlite:///file.db", None, object()], ids=type)
def test_a_wrong_backend_is_a_type_error(wrong):
    """A URL is no backend; the error says how to open one."""
    with pytest.raises(TypeError, match="open_backend"):
        PooledWorker("w", wrong)


def test_a_worker_takes_durations_in_any_spelling(backend):
    """As everywhere."""
    worker = PooledWorker(
        "w", backend, poll_interval="50ms", claim_ttl=timedelta(seconds=3), shutdown_grace=0
    )

    assert worker.worker_id == "w"


def test_what_is_no_workflow_is_refused_at_start(backend):
    """No list, an empty one, and a flow that was not built."""
    worker = PooledWorker("w", backend, tags=None)
    flow = Flow("f").then(idt)

    with pytest.raises(TypeError, match="list of workflows"):
        worker.start(flow.build())
    with pytest.raises(TypeError, match="not Flow"):
        worker.start([flow])
    with pytest.raises(ValueError, match="at least one workflow"):
        worker.start([])


def test_two_workflows_of_one_identity_with_different_functions_are_refused(backend):
    """Nobody could tell which to call; the same functions twice are one workflow."""

    def other(value):
        return value

    first, same = (Flow("f").then(idt, name="step").build() for _ in range(2))
    second = Flow("f").then(other, name="step").build()

    with pytest.raises(DefinitionError, match=r"'f'.*another name.*version="):
        PooledWorker("w", backend).start([first, second])
    handle = PooledWorker("w", backend).start([first, same])
    handle.abort()
    assert handle.join(20)
