"""A workflow for ``sayiir worker``."""

from __future__ import annotations

from sayiir import Flow
from tests.executor import bodies

waiting = Flow[str, str]("waiting").then(bodies.until_told).build()
