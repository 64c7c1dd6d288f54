"""Every event becomes the metrics of the table, scraped and parsed by the official library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from sayiir_core.ids import InstanceId, RunId, SessionId, WorkflowId
from sayiir_core.ports.telemetry import (
    BacklogSampled,
    BatchCommitted,
    ClaimAnswered,
    CursorReleased,
    Event,
    EventsDropped,
    LeaseLost,
    LeaseRenewed,
    NodeClaimed,
    NodeParked,
    NodePlace,
    NodeWoken,
    Request,
    RunCreated,
    RunEnded,
    RunPlace,
    RunRequested,
    SessionReaped,
    SessionStarted,
    SignalSent,
    StepRecorded,
    StoreFailed,
    TaskStarted,
    Wake,
    WorkerSampled,
    WriteRefused,
)
from sayiir_core.snapshot.answer import LostReason
from sayiir_core.snapshot.head import InstanceState
from sayiir_core.snapshot.step import StepStatus
from sayiir_otel import OtelMetrics
from sayiir_otel.catalogue import METRICS
from sayiir_otel.label import OTHER

AT = datetime(2026, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SESSION = SessionId("session")
RUN = RunPlace(WorkflowId("order"), InstanceId("one"), RunId("run"))
NODE = NodePlace(RUN, "fork_0/charge/charge", ())

EVENTS: Sequence[Event] = [
    RunCreated(AT, RUN, None),
    RunEnded(AT, RUN, InstanceState.COMPLETED, None),
    RunRequested(AT, RUN, Request.CANCEL),
    NodeClaimed(AT, NODE, SESSION, "gpu", 3, 1, 0, 2 * SECOND),
    NodeWoken(AT, NODE, Wake.TIMER),
    NodeParked(AT, NODE, AT, None),
    NodeParked(AT, NODE, None, "go"),
    CursorReleased(AT, RUN, SESSION),
    TaskStarted(AT, NODE, 1),
    StepRecorded(AT, NODE, 1, StepStatus.FAILED, "KeyError", AT, AT + SECOND, 0, AT),
    StepRecorded(AT, NODE, 2, StepStatus.SUCCEEDED, None, AT, AT + SECOND, 9, None),
    BatchCommitted(AT, 3, SECOND / 100, 0, 0, 0),
    WriteRefused(AT, NODE, SESSION, LostReason.REPLACED),
    ClaimAnswered(AT, SESSION, 32, 1, SECOND / 100),
    SignalSent(AT, RUN.instance_id, "go", 1),
    SessionStarted(AT, SESSION, "w", SECOND),
    LeaseRenewed(AT, SESSION, SECOND / 100),
    LeaseLost(AT, SESSION),
    SessionReaped(AT, SESSION, SessionId("dead")),
    StoreFailed(AT, "claims.claim", "BackendError", True),
    BacklogSampled(AT, WorkflowId("order"), "gpu", 7, 1000, 9 * SECOND),
    WorkerSampled(AT, "w", 32, 5, False),
    EventsDropped(AT, 11),
]


class Scraped:
    """Metrics with a registry of their own, and what a scrape of it finds."""

    def __init__(self, **settings: Any) -> None:
        self._registry = CollectorRegistry()
        reader = PrometheusMetricReader(
            disable_target_info=True, scope_info_enabled=False, registry=self._registry
        )
        self._provider = MeterProvider([reader], shutdown_on_exit=False)
        self.sink = OtelMetrics(self._provider, **settings)

    def families(self) -> dict[str, Any]:
        """Return what the official parser reads, by name."""
        text = generate_latest(self._registry).decode()
        return {family.name: family for family in text_string_to_metric_families(text)}

    def value(self, sample: str, **labels: str) -> float:
        """Return the value of one sample."""
        (found,) = (
            each.value
            for family in self.families().values()
            for each in family.samples
            if each.name == sample and each.labels == labels
        )
        return float(found)

    def close(self) -> None:
        """End the provider."""
        self._provider.shutdown()


@pytest.fixture
def scraped() -> Iterator[Scraped]:
    """Give metrics, ended after the test."""
    made = Scraped()
    yield made
    made.close()


def test_the_examples_have_every_event() -> None:
    """What is added to the vocabulary is added here, and decided about in the sink."""
    assert set(Event.__args__) == {type(event) for event in EVENTS}


def test_a_scrape_finds_every_metric_of_the_table_with_its_labels(scraped: Scraped) -> None:
    """Under the name and kind that the table gives, with its labels and no others."""
    scraped.sink.receive(EVENTS)

    families = scraped.families()

    expected = {metric.prometheus.removesuffix("_total"): metric for metric in METRICS}
    assert set(expected) == set(families)
    for name, metric in expected.items():
        assert metric.kind.value == families[name].type, name
        for sample in families[name].samples:
            assert set(metric.labels) == set(sample.labels) - {"le"}, sample


def test_the_values_are_those_of_the_events(scraped: Scraped) -> None:
    """Count, sum and set what was told."""
    scraped.sink.receive(EVENTS)
    scraped.sink.receive(EVENTS)

    task = {"workflow": "order", "task": "fork_0/charge/charge"}
    assert 2 == scraped.value("sayiir_task_duration_seconds_sum", **task, status="failed")
    assert 2 == scraped.value("sayiir_retries_total", **task)
    assert 22 == scraped.value("sayiir_events_dropped_total")
    assert 4 == scraped.value("sayiir_queue_wait_seconds_sum", workflow="order", lane="gpu")
    assert 7 == scraped.value("sayiir_queue_ready", workflow="order", lane="gpu")
    assert 9 == scraped.value("sayiir_queue_oldest_age_seconds", workflow="order", lane="gpu")
    assert 5 == scraped.value("sayiir_worker_running")
    assert 1 == scraped.value("sayiir_workers_polling")


def test_workers_of_one_process_add_up_and_are_forgotten(scraped: Scraped) -> None:
    """A worker that says nothing for a minute is gone."""
    scraped.sink.receive([WorkerSampled(AT, "a", 4, 1, True), WorkerSampled(AT, "b", 8, 2, True)])
    both = scraped.value("sayiir_worker_capacity"), scraped.value("sayiir_worker_running")
    scraped.sink.receive([WorkerSampled(AT + 61 * SECOND, "b", 8, 3, True)])
    one = scraped.value("sayiir_worker_capacity"), scraped.value("sayiir_worker_running")

    assert ((12, 3), (8, 3)) == (both, one)


def test_no_label_names_an_instance_a_run_a_session_or_a_worker() -> None:
    """Whatever grows with the number of runs or restarts is no label."""
    words = "workflow task lane status state request until reason call error transient"

    assert set(words.split()) == {label for metric in METRICS for label in metric.labels}


def test_the_series_stay_within_their_budget_however_many_names_there_are() -> None:
    """Names beyond the budget share one label, so a scrape has a bounded size."""
    budget, names = 20, 400
    scraped = Scraped(budget=budget)
    for number in range(names):
        run = RunPlace(WorkflowId(f"flow-{number}"), InstanceId(f"i-{number}"), RunId("r"))
        node = NodePlace(run, f"task-{number}", ())
        scraped.sink.receive(
            [
                RunCreated(AT, run, None),
                RunEnded(AT, run, InstanceState.FAILED, "E"),
                RunRequested(AT, run, Request.RETRY),
                NodeClaimed(AT, node, SESSION, f"tag-{number}", 3, 1, 0, SECOND),
                NodeParked(AT, node, AT, None),
                StepRecorded(AT, node, 1, StepStatus.FAILED, "E", AT, AT + SECOND, 0, AT),
                BacklogSampled(AT, run.workflow_id, f"tag-{number}", 1, 9, SECOND),
            ]
        )

    families = scraped.families()
    scraped.close()

    labelled = {it.prometheus.removesuffix("_total") for it in METRICS if "workflow" in it.labels}
    for name in labelled:
        found = {tuple({**it.labels, "le": ""}.items()) for it in families[name].samples}
        assert budget + 1 == len({tuple(sorted(labels)) for labels in found}), name
    shared = [
        it.value for it in families["sayiir_runs_created"].samples if OTHER in it.labels.values()
    ]
    assert [names - budget] == shared
