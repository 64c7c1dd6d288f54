"""The answer to a scrape: what the official client library holds in its global registry."""

from __future__ import annotations

from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder


def expose(accept: str) -> tuple[str, bytes]:
    """Return the content type and the body for the ``Accept`` header of a scrape."""
    encoder, content_type = choose_encoder(accept)
    return content_type, encoder(REGISTRY)
