"""Whether a nonce is new: in the database by default, in Redis where there is one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Protocol

import redis

from api.errors import NoncesUnavailable
from wallet.access import Access

# Longer than two signature windows, so that a request is stale before its nonce is forgotten.
KEEP_S = 900


class NonceStore(Protocol):
    """Remembers nonces, each in the scope of the device or channel that used it."""

    def use(self, scope: str, nonce: str, now: datetime) -> bool:
        """True exactly once for each nonce of a scope. Raises NoncesUnavailable where that cannot be told."""


class DatabaseNonces:
    """In the database of the wallet: a used nonce is on disk before the request is believed."""

    def __init__(self, access: Access) -> None:
        self._access = access

    def use(self, scope: str, nonce: str, now: datetime) -> bool:
        """True exactly once for each nonce of a scope."""
        return self._access.use_nonce(scope, nonce, now, now + timedelta(seconds=KEEP_S))


class RedisNonces:
    """`SET NX EX`: one winner, forgotten after KEEP_S. Fails closed when Redis is lost."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def use(self, scope: str, nonce: str, now: datetime) -> bool:  # noqa: ARG002
        """True exactly once for each nonce of a scope. Raises NoncesUnavailable when Redis is lost."""
        try:
            return bool(self._client.set(f"platepay:nonce:{scope}:{nonce}", "1", nx=True, ex=KEEP_S))
        except redis.RedisError as error:
            raise NoncesUnavailable() from error


def connect_redis(url: str) -> redis.Redis:
    """A client that gives up after a second: a request must not hang on a lost Redis."""
    return redis.Redis.from_url(url, socket_timeout=1.0, socket_connect_timeout=1.0, health_check_interval=0)
