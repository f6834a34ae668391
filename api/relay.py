"""From the outbox in the database to the Redis Stream `platepay:events`, at least once.

An event is done after Redis has it; a crash between the two hands it on twice, when its lease is over. A
consumer keeps the event's id with what it does, or does something harmless to repeat: docs/http.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol

import redis
from prometheus_client import Counter

from wallet.facts import OutboxEvent

STREAM = "platepay:events"
BATCH = 200
LEASE_S = 30
# Events older than these are in the database still; the stream is a way, not a store.
STREAM_LENGTH = 1_000_000


class Outbox(Protocol):
    """What the relay needs of the wallet."""

    def lease(self, worker: str, limit: int, lease_s: int) -> list[OutboxEvent]: ...

    def done(self, worker: str, ids: Iterable[int]) -> int: ...

    def failed(self, worker: str, event_id: int, error: str) -> bool: ...

    def give_back(self, worker: str, ids: Iterable[int]) -> int: ...


class Relay:
    """Hands events on in their order. worker: its name among those that work on the outbox."""

    def __init__(self, outbox: Outbox, client: redis.Redis, relayed: Counter, worker: str) -> None:
        self._outbox = outbox
        self._client = client
        self._relayed = relayed
        self._worker = worker

    def hand_on(self, _now: datetime) -> int:
        """Hand on what waits; returns how many. Raises redis.RedisError, and then they go on waiting."""
        total = 0
        while events := self._outbox.lease(self._worker, BATCH, LEASE_S):
            total += self._hand_on(events)
            if len(events) < BATCH:
                break
        return total

    def _hand_on(self, events: Sequence[OutboxEvent]) -> int:
        try:
            answers = self._send(events)
            taken = [event.id for event, answer in zip(events, answers, strict=True) if not _refused(answer)]
            self._outbox.done(self._worker, taken)
        except BaseException:
            # The way was blocked: no fault of these events, and nobody need wait for the lease to end.
            self._outbox.give_back(self._worker, [event.id for event in events])
            raise
        for event, answer in zip(events, answers, strict=True):
            if _refused(answer):
                self._outbox.failed(self._worker, event.id, str(answer))
        self._relayed.inc(len(taken))
        return len(taken)

    def _send(self, events: Sequence[OutboxEvent]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for event in events:
            pipeline.xadd(STREAM, _fields(event), maxlen=STREAM_LENGTH, approximate=True)
        # What Redis has against one event must not keep back the others.
        answers = pipeline.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, redis.RedisError) and not _refused(answer):
                raise answer
        return answers


# Answers of a Redis that takes nothing at all at the moment; whatever else it refuses is about the one event.
_NOT_NOW = ("OOM", "LOADING", "READONLY", "MISCONF", "NOAUTH", "NOPERM", "MASTERDOWN", "CLUSTERDOWN")


def _refused(answer: object) -> bool:
    """Whether Redis refused this one event, and would not take it another time either."""
    return isinstance(answer, redis.ResponseError) and not str(answer).startswith(_NOT_NOW)


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
