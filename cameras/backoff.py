"""How long to wait before trying again."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """Waits that double up to a limit, each shortened by chance so that many callers do not come at once."""

    rng: random.Random
    first_s: float = 0.5
    limit_s: float = 30.0
    failures: int = 0

    def next_s(self) -> float:
        """The wait after one more failure: half to all of the doubled time."""
        full_s = min(self.limit_s, self.first_s * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return full_s * self.rng.uniform(0.5, 1.0)

    def reset(self) -> None:
        """It worked: the next wait is short again."""
        self.failures = 0
