"""Intervals for weighted counts of rare events (Fay and Feuer, 1997); Garwood's where all weights agree."""

from __future__ import annotations

import math
from collections.abc import Iterable

TAIL = 0.025
_STEPS = 200


def rate_interval(
    events: Iterable[tuple[float, int]], heaviest: float, tail: float = TAIL
) -> tuple[float, float, float]:
    """(estimate, low, high) of a weighted sum of Poisson counts; 95 % by default, never too narrow.

    events: (weight, how often it came). heaviest: the largest weight an event can have, come or not.
    """
    counted = [(weight, count) for weight, count in events if count]
    total = math.fsum(weight * count for weight, count in counted)
    spread = math.fsum(weight * weight * count for weight, count in counted)
    low = 0.0 if total == 0 else spread / total * gamma_quantile(tail, total * total / spread)
    above, wide = total + heaviest, spread + heaviest * heaviest
    high = 0.0 if above == 0 else wide / above * gamma_quantile(1 - tail, above * above / wide)
    return total, low, high


def gamma_quantile(chance: float, shape: float) -> float:
    """Where a gamma variable of this shape and scale 1 is below with this chance."""
    low, high = 0.0, shape + 10 * math.sqrt(shape) + 20
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if gamma_below(shape, middle) < chance:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def gamma_below(shape: float, x: float) -> float:
    """The regularised lower incomplete gamma function: series below, continued fraction above the mean."""
    if x <= 0:
        return 0.0
    scale = math.exp(shape * math.log(x) - x - math.lgamma(shape))
    if x < shape + 1:
        term = total = 1 / shape
        place = shape
        while abs(term) > abs(total) * 1e-14:
            place += 1
            term *= x / place
            total += term
        return min(1.0, total * scale)
    # Lentz's method for the upper part.
    tiny = 1e-300
    b = x + 1 - shape
    c, d = 1 / tiny, 1 / b
    fraction = d
    for step in range(1, 10_000):
        a = -step * (step - shape)
        b += 2
        d = 1 / max(abs(a * d + b), tiny) * (1 if a * d + b >= 0 else -1)
        c = b + a / c or tiny
        factor = d * c
        fraction *= factor
        if abs(factor - 1) < 1e-14:
            break
    return max(0.0, 1 - scale * fraction)
