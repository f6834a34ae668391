"""From the outbox in the database to the Redis Stream `platepay:events`, at least once.

An event is marked as handed on after Redis has it; a crash between the two hands it on twice. A consumer
keeps the event's id with what it does, or does something harmless to repeat. docs/http.md has an example.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

import redis
from prometheus_client import Counter

from wallet.facts import OutboxEvent

STREAM = "platepay:events"
BATCH = 200
# Events older than these are in the database still; the stream is a way, not a store.
STREAM_LENGTH = 1_000_000


class Outbox(Protocol):
    """What the relay needs of the wallet."""

    def pending(self, limit: int) -> list[OutboxEvent]: ...

    def mark_published(self, ids: Iterable[int], now: datetime | None) -> int: ...


class Relay:
    """Hands events on in their order."""

    def __init__(self, outbox: Outbox, client: redis.Redis, relayed: Counter) -> None:
        self._outbox = outbox
        self._client = client
        self._relayed = relayed

    def hand_on(self, now: datetime) -> int:
        """Hand on what is pending; returns how many. Raises redis.RedisError, and then they stay pending."""
        total = 0
        while events := self._outbox.pending(BATCH):
            pipeline = self._client.pipeline(transaction=False)
            for event in events:
                pipeline.xadd(STREAM, _fields(event), maxlen=STREAM_LENGTH, approximate=True)
            pipeline.execute()
            self._outbox.mark_published([event.id for event in events], now)
            self._relayed.inc(len(events))
            total += len(events)
            if len(events) < BATCH:
                break
        return total


Fields = dict[
    bytes | bytearray | memoryview | str | int | float, bytes | bytearray | memoryview | str | int | float
]


def _fields(event: OutboxEvent) -> Fields:
    return {
        "id": str(event.id),
        "kind": event.kind,
        "body": json.dumps(event.body, ensure_ascii=False),
        "created_at": event.created_at.isoformat(),
    }
