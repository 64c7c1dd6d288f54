"""A shop: an ASGI application that submits orders, and the workflow that workers run."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from opentelemetry import propagate, trace

from sayiir import AsyncWorkflowClient, Flow, open_backend, task

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

tracer = trace.get_tracer("shop")


@task(tags=["till"])
def pay(item: str) -> str:
    """Ask the bank, in a span of our own."""
    with tracer.start_as_current_span("ask the bank"):
        return item


@task(tags=["store"])
def pack(item: str) -> str:
    """Pack it, where the parcels are."""
    return f"a parcel with {item}"


@task(tags=["till"])
async def thank(parcel: str) -> str:
    """Write to the customer."""
    return f"{parcel}, with our thanks"


order = Flow[str, str]("order").then(pay).then(pack).then(thank).build()


class Shop:
    """``POST /orders`` submits an order and answers at once; any ASGI server can serve it."""

    def __init__(self, url: str) -> None:
        self.backend = open_backend(url)
        self._client = AsyncWorkflowClient(self.backend)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request; a middleware of OpenTelemetry would open the same span."""
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        name = f"{scope['method']} {scope['path']}"
        with tracer.start_as_current_span(
            name, propagate.extract(headers), kind=trace.SpanKind.SERVER
        ):
            wanted = json.loads((await receive())["body"])
            handle = await self._client.submit(order, wanted["id"], wanted["item"])
        answer = json.dumps({"order": handle.instance_id}).encode()
        await send({"type": "http.response.start", "status": 202, "headers": []})
        await send({"type": "http.response.body", "body": answer})
