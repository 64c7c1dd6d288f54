"""Write the pages that follow from code: ``python -m tests.telemetry.pages``, run by the developers' Python.

The tests compare them, so that nobody has to remember.
"""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, get_args

from sayiir_core.ports.telemetry import VOCABULARY, Event
from sayiir_otel.catalogue import METRICS, Kind, Metric

ROOT: Final = Path(__file__).resolve().parents[2]
EVENTS_PAGE: Final = ROOT / "docs" / "events.md"
DASHBOARD: Final = ROOT / "examples" / "deploy" / "grafana.json"

_HEAD: Final = """\
# Events and metrics

This page is written from the code (`sayiir_core/ports/telemetry.py`, `sayiir_otel/catalogue.py`) by
`python -m tests.telemetry.pages`; a test compares them.

## Events, vocabulary {version}

What a store was asked and has answered is told as events, in batches, to sinks: objects with `kinds`, `receive(events)` and
`close()` (`TelemetrySink`). An event of a step says that its record is stored. The union is closed; a later vocabulary may add kinds and
fields. No event holds a value of a user: no input, no output, no error text.

| event | when | fields |
|---|---|---|
"""
_METRICS_HEAD: Final = """
## Metrics

Labels are fixed, and no instance is one. Of workflows, tasks and lanes the first 500 of a process have labels of their
own, and all later ones together are `_other`.

| OpenTelemetry | Prometheus | kind | unit | labels | what |
|---|---|---|---|---|---|
"""


def events_page() -> str:
    """Return the text of ``docs/events.md``."""
    lines = [_HEAD.format(version=VOCABULARY)]
    for kind in get_args(Event):
        names = ", ".join(f"`{field.name}`" for field in fields(kind) if field.name != "at")
        meaning = " ".join((kind.__doc__ or "").split()).replace("``", "`")
        lines.append(f"| `{kind.__name__}` | {meaning} | {names} |\n")
    lines.append(_METRICS_HEAD)
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "none"
        unit = re.sub(r"[{}]", "", metric.unit)
        lines.append(
            f"| `{metric.name}` | `{metric.prometheus}` | {metric.kind.value} | {unit} | {labels} "
            f"| {metric.meaning} |\n"
        )
    return "".join(lines)


def dashboard() -> str:
    """Return the text of the Grafana dashboard: a panel per metric, in rows by subject."""
    panels: list[dict[str, Any]] = []
    for number, metric in enumerate(METRICS):
        place = {"h": 8, "w": 8, "x": number % 3 * 8, "y": number // 3 * 8}
        panels.append(
            {
                "id": number + 1,
                "type": "timeseries",
                "title": metric.meaning,
                "gridPos": place,
                "datasource": {"type": "prometheus", "uid": "${datasource}"},
                "fieldConfig": {"defaults": {"unit": _unit(metric)}, "overrides": []},
                "targets": [
                    {"refId": chr(ord("A") + place_of), "expr": query, "legendFormat": legend}
                    for place_of, (query, legend) in enumerate(_queries(metric))
                ],
            }
        )
    source = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Source"}
    page = {
        "uid": "sayiir",
        "title": "Sayiir",
        "tags": ["sayiir"],
        "schemaVersion": 39,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [source]},
        "panels": panels,
    }
    return json.dumps(page, indent=2) + "\n"


def _queries(metric: Metric) -> list[tuple[str, str]]:
    name, labels = metric.prometheus, ", ".join(metric.labels)
    legend = " ".join(f"{{{{{label}}}}}" for label in metric.labels)
    by = f" by ({labels})" if labels else ""
    match metric.kind:
        case Kind.COUNTER:
            return [(f"sum{by} (rate({name}[$__rate_interval]))", legend or "per second")]
        case Kind.HISTOGRAM:
            buckets = ", ".join(["le", *metric.labels])
            rate = f"sum by ({buckets}) (rate({name}_bucket[$__rate_interval]))"
            return [
                (f"histogram_quantile({share}, {rate})", f"{legend} p{share * 100:g}".strip())
                for share in (0.5, 0.99)
            ]
        case Kind.GAUGE if metric.labels:
            # Each worker looks at the same queue, so they are not added up.
            return [(f"max{by} ({name})", legend)]
        case Kind.GAUGE:
            return [(f"sum ({name})", "all workers")]


def _unit(metric: Metric) -> str:
    if metric.unit == "s":
        return "s"
    return "short" if metric.kind is not Kind.COUNTER else "cps"


def main() -> None:
    """Write the pages."""
    EVENTS_PAGE.write_text(events_page())
    DASHBOARD.write_text(dashboard())


if __name__ == "__main__":
    main()
