"""Faults of DynamoDB and of the network in front of it, one function per fault.

The docstrings are the descriptions of the faults in docs/reliability.md.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from typing import Any

from tests.support.fault_proxies import Exchange
from tests.support.http_messages import Message

THROTTLES = ("ProvisionedThroughputExceededException", "ThrottlingException")

CONFLICTS = ("TransactionConflictException", "ReplicatedWriteConflictException")


async def none(x: Exchange) -> None:
    """Forward every request."""
    await x.forward_unchanged()


async def throttled(x: Exchange) -> None:
    """A third of the requests are throttled, with either error code."""
    if x.is_hit(0.35):
        x.respond_error(400, x.random.choice(THROTTLES), "The level of throughput was exceeded")
    else:
        await x.forward_unchanged()


async def conflict(x: Exchange) -> None:
    """A third of the requests meet a transaction, or another write, of the same item."""
    if x.is_hit(0.35):
        x.respond_error(400, x.random.choice(CONFLICTS), "Another write of the item is in progress")
    else:
        await x.forward_unchanged()


async def unprocessed(x: Exchange) -> None:
    """Half of the requests write only some of their changes, or none."""
    if not x.is_hit(0.5):
        await x.forward_unchanged()
        return
    document = json.loads(x.request.body)
    ((table, changes),) = document["RequestItems"].items()
    x.random.shuffle(changes)
    written = x.random.randrange(len(changes))
    response: dict[str, Any] = {}
    if written:
        document["RequestItems"] = {table: changes[:written]}
        request = Message(x.request.first, x.request.headers, json.dumps(document).encode())
        response = json.loads((await x.forward(request)).body)
    response["UnprocessedItems"] = {table: changes[written:]}
    x.respond_json(200, response)


async def internal_error(x: Exchange) -> None:
    """A third of the requests fail with HTTP 500, before or after the write."""
    if not x.is_hit(0.35):
        await x.forward_unchanged()
        return
    if x.random.random() < 0.5:
        await x.forward()
    x.respond_error(500, "InternalServerError", "Internal server error")


async def unavailable(x: Exchange) -> None:
    """A third of the requests fail with HTTP 503, from DynamoDB or as the HTML page of a proxy."""
    if not x.is_hit(0.35):
        await x.forward_unchanged()
    elif x.random.random() < 0.5:
        x.respond_error(503, "ServiceUnavailable", "Service is unavailable")
    else:
        page = Message("HTTP/1.1 503 Busy", {"content-type": "text/html"}, b"<html>busy</html>")
        x.respond(page)


async def reset_before_write(x: Exchange) -> None:
    """A quarter of the connections are reset before the request reaches the table."""
    if x.is_hit(0.25):
        x.reset()
    else:
        await x.forward_unchanged()


async def reset_after_write(x: Exchange) -> None:
    """A quarter of the connections are reset after the write, without a response."""
    if x.is_hit(0.25):
        await x.forward()
        x.reset()
    else:
        await x.forward_unchanged()


async def wrong_crc(x: Exchange) -> None:
    """A third of the responses have a CRC that does not match the body."""
    response = await x.forward()
    if x.is_hit(0.35):
        wrong = str(zlib.crc32(response.body) ^ x.random.randint(1, 0xFFFF))
        headers = {**response.headers, "x-amz-crc32": wrong}
        response = Message(response.first, headers, response.body)
    x.respond(response)


async def slow(x: Exchange) -> None:
    """A fifth of the responses take up to 2 seconds, and one longer than the client waits."""
    response = await x.forward()
    if x.number == x.proxy.onset:
        x.proxy.count_fault()
        await asyncio.sleep(12)
    elif x.is_hit(0.2):
        await asyncio.sleep(x.random.uniform(0.2, 2))
    x.respond(response)


async def expired_credentials(x: Exchange) -> None:
    """In the middle of the run the credentials expire, until new ones sign the requests."""
    if x.number == x.proxy.onset:
        x.proxy.expired_key_id = x.key_id
    if x.key_id == x.proxy.expired_key_id:
        x.proxy.count_fault()
        x.respond_error(400, "ExpiredTokenException", "The security token is expired")
    else:
        await x.forward_unchanged()


async def refused_for_seconds(x: Exchange) -> None:
    """In the middle of the run the endpoint refuses connections for 3 seconds."""
    if x.number == x.proxy.onset:
        x.proxy.count_fault()
        x.proxy.close()
        await asyncio.sleep(3)
        await x.proxy.open()
    else:
        await x.forward_unchanged()


async def dead(x: Exchange) -> None:
    """From the middle of the run on, the endpoint refuses connections."""
    if x.number >= x.proxy.onset:
        x.proxy.count_fault()
        x.proxy.close()
    else:
        await x.forward_unchanged()


async def access_denied(x: Exchange) -> None:
    """From the middle of the run on, the permission is missing."""
    if x.number >= x.proxy.onset:
        x.proxy.count_fault()
        message = "not authorized to perform dynamodb:BatchWriteItem"
        x.respond_error(400, "AccessDeniedException", message)
    else:
        await x.forward_unchanged()


async def invalid_item(x: Exchange) -> None:
    """DynamoDB rejects each request that contains one item of the first batch."""
    if not x.proxy.rejected_key:
        (changes,) = json.loads(x.request.body)["RequestItems"].values()
        item = x.random.choice(changes)["PutRequest"]["Item"]
        x.proxy.rejected_key = json.dumps(next(v["S"] for v in item.values() if "S" in v)).encode()
    if x.proxy.rejected_key in x.request.body:
        x.proxy.count_fault()
        x.respond_error(400, "ValidationException", "One or more parameter values were invalid")
    else:
        await x.forward_unchanged()


async def callback_at_onset(x: Exchange) -> None:
    """Call `on_fault` once in the middle of the run, between a write and its response."""
    response = await x.forward()
    if x.number == x.proxy.onset:
        x.proxy.count_fault()
    x.respond(response)


async def callback_from_onset(x: Exchange) -> None:
    """From the middle of the run on, call `on_fault` between each write and its response."""
    response = await x.forward()
    if x.number >= x.proxy.onset:
        x.proxy.count_fault()
    x.respond(response)
