"""Argon2id password hashes, worked out by few threads: each costs tens of milliseconds and megabytes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from api.errors import TooBusy
from wallet.errors import InvalidFact

THREADS = 2
MOST_WAITING = 16

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 256


class Passwords:
    """Makes and checks hashes in its own capped pool.

    The parameters are RFC 9106's second choice with less memory: 46 MiB would be too much for two at once
    in a small service, so it is the OWASP floor of 19 MiB, two passes, one lane.
    """

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="password")
        self._places = threading.BoundedSemaphore(MOST_WAITING)
        self._nobody = self._hasher.hash("no operator has this password")

    def make(self, password: str) -> str:
        """A hash to store. Raises InvalidFact where the password is too short or too long."""
        if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
            rule = f"must have {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters"
            raise InvalidFact("password", f"{len(password)} characters", rule)
        return self._pool.submit(self._hasher.hash, password).result()

    def fits(self, stored: str | None, password: str) -> bool:
        """Whether the password belongs to the hash; None (an unknown name) takes as long and never fits.

        Raises TooBusy where too many are waiting already.
        """
        if not self._places.acquire(blocking=False):
            raise TooBusy()
        try:
            fits = self._pool.submit(self._check, stored or self._nobody, password).result()
        finally:
            self._places.release()
        return fits and stored is not None

    def close(self) -> None:
        """Let the threads end."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _check(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False
