"""The page of events, the dashboard and the scaling query follow the code."""

from __future__ import annotations

import json
import re
from pathlib import Path

from sayiir_otel.catalogue import METRICS, Kind
from tests.telemetry import pages

REMEDY = "write it anew: python -m tests.telemetry.pages"
SCALING = pages.ROOT / "examples" / "deploy" / "autoscaling-prometheus.yaml"


def shown() -> set[str]:
    """Return the names of all series that a scrape can hold."""
    names: set[str] = set()
    for metric in METRICS:
        parts = ("_bucket", "_sum", "_count") if metric.kind is Kind.HISTOGRAM else ("",)
        names |= {metric.prometheus + part for part in parts}
    return names


def named(text: str) -> set[str]:
    """Return the metrics of ours that a query names."""
    return set(re.findall(r"\bsayiir_\w+", text))


def test_the_page_of_events_is_up_to_date() -> None:
    """Whoever adds an event or a metric writes the page anew."""
    assert pages.events_page() == pages.EVENTS_PAGE.read_text(), REMEDY


def test_the_dashboard_is_up_to_date() -> None:
    """Whoever adds a metric writes the dashboard anew."""
    assert pages.dashboard() == pages.DASHBOARD.read_text(), REMEDY


def test_every_metric_of_the_dashboard_exists_and_each_is_shown() -> None:
    """Read the file as Grafana would; labels that a query groups by are those of the metric."""
    page = json.loads(pages.DASHBOARD.read_text())
    queries = [target["expr"] for panel in page["panels"] for target in panel["targets"]]

    found = set().union(*map(named, queries))

    assert found <= shown()
    assert len(METRICS) == len({name for query in queries for name in named(query)})
    assert len(page["panels"]) == len({panel["id"] for panel in page["panels"]})


def test_the_scaling_query_names_a_metric_and_its_labels() -> None:
    """KEDA would scale by nothing otherwise, and not say so."""
    (query,) = re.findall(r"query: '(.+)'", Path(SCALING).read_text())
    (name,) = named(query)
    (metric,) = (it for it in METRICS if it.prometheus == name)

    assert set(re.findall(r"(\w+)=", query)) | {"lane"} == set(metric.labels)
