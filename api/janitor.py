"""Work that repeats in a thread of its own: looking after stays and holds, handing on events."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from prometheus_client import Counter

log = logging.getLogger(__name__)


class Rounds:
    """Calls `work(now)` every `every_s` seconds until stopped; a round that fails is logged and counted."""

    def __init__(
        self,
        name: str,
        work: Callable[[datetime], object],
        every_s: float,
        clock: Callable[[], datetime],
        failures: Counter,
    ) -> None:
        self.name = name
        self._work = work
        self._every_s = every_s
        self._clock = clock
        self._failures = failures
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.rounds = 0
        self.failed = 0
        self.last_round_at: datetime | None = None

    @property
    def is_running(self) -> bool:
        """Whether the thread is alive."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin; the first round is at once."""
        if self._thread is not None:
            raise RuntimeError(f"{self.name} was started before")
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Let the round that runs end, and no other begin."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def round(self) -> None:
        """One round now, in the caller's thread."""
        now = self._clock()
        try:
            self._work(now)
        except Exception:  # an outermost loop: the next round tries again
            log.exception("%s: a round failed", self.name)
            self.failed += 1
            self._failures.inc()
        else:
            self.rounds += 1
            self.last_round_at = now

    def _run(self) -> None:
        self.round()
        while not self._stop.wait(self._every_s):
            self.round()
