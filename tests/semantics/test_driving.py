"""The harness itself: workers really serve what is marked so, and nothing is left out unsaid."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest

from sayiir import Flow, Operations
from tests.semantics import driving, scope

HERE = Path(__file__).parent


def test_a_body_runs_on_a_thread_of_a_worker_exactly_on_stores_of_pools(store, iid):
    """Otherwise every case would be run through the runner twice."""
    workflow = Flow("f").then(lambda: threading.current_thread().name, name="where").build()

    where = driving.run_durable_workflow(workflow, iid, 1, store.backend).output

    assert store.name.endswith("_pool") == where.startswith("sayiir-worker-of-")


def test_an_interrupted_worker_leaves_the_instance_in_progress(scene):
    """As an interrupted runner does."""
    with pytest.raises(KeyboardInterrupt):
        scene.start(scene.flow().then(scene.interrupt, name="middle"))

    assert "in_progress" == Operations(scene.backend).status(scene.iid).status
    assert ["first", "interrupted"] == scene.calls


@pytest.mark.parametrize("name", scope.LEFT_OUT)
def test_what_is_left_out_exists_and_has_a_reason(name):
    """A test that was renamed must not stay in the list."""
    module, _, test = name.partition("::")
    source = (HERE / f"{module}.py").read_text()

    assert re.search(rf"^def {test}\(" if test else "^def test_", source, re.MULTILINE)
    assert scope.LEFT_OUT[name]
