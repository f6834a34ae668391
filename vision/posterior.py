"""Whose plate was it: a probability for each candidate plate, and for none of them.

The reading's own probabilities decide between texts. The prior only says how far a plate that reads like a
customer's is to be believed to be one; it never makes an unlikely text likely.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

MILLION = 1_000_000
# How many characters share what a position leaves to those it does not list.
UNLISTED = 30
# A character that a position does not list is never quite impossible.
LEAST_PPM = 1

PositionsPpm = Sequence[Sequence[tuple[str, int]]]


def text_probability(positions: PositionsPpm, text: str) -> float:
    """Chance that the plate read is `text`; 0 where the lengths differ.

    positions: for each character the likely ones in parts per million.
    """
    if len(positions) != len(text):
        return 0.0
    return math.prod(
        _character_ppm(position, c) for position, c in zip(positions, text, strict=True)
    ) / float(MILLION ** len(text))


def posterior(
    positions: PositionsPpm, candidates: Sequence[str], prior_customer_ppm: int
) -> tuple[list[tuple[str, int]], int]:
    """Parts per million for each candidate plate, likeliest first, and for none of them; together a million.

    candidates: different registered plates. prior_customer_ppm: how often a plate that reads like a
    candidate's is a candidate's; at half a million the reading is taken at its word, below it less.
    Raises ValueError for a prior outside 0 to a million or a plate twice among the candidates.
    """
    if not 0 <= prior_customer_ppm <= MILLION:
        raise ValueError(f"prior_customer_ppm is {prior_customer_ppm}, not between 0 and {MILLION}")
    if len(set(candidates)) != len(candidates):
        raise ValueError("a plate stands twice among the candidates")
    read_as = [text_probability(positions, plate) for plate in candidates]
    prior = prior_customer_ppm / MILLION
    weights = [prior * probability for probability in read_as]
    stranger = (1 - prior) * max(0.0, 1 - math.fsum(read_as))
    total = math.fsum([*weights, stranger])
    if total <= 0.0:
        return [(plate, 0) for plate in candidates], MILLION
    # Rounded down: what is lost to rounding makes "none of them" likelier, never a customer.
    shares = [math.floor(weight / total * MILLION) for weight in weights]
    ranked = sorted(zip(candidates, shares, strict=True), key=lambda item: (-item[1], item[0]))
    return ranked, MILLION - sum(shares)


def _character_ppm(position: Sequence[tuple[str, int]], character: str) -> float:
    listed = dict(position)
    if character in listed:
        return float(listed[character])
    return max(float(LEAST_PPM), (MILLION - sum(listed.values())) / UNLISTED)
