"""Registered plates that a reading could be: the likely strings, and everything one position away."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Sequence
from math import prod

ANY = "_"
MOST_STRINGS = 256
# A string this many times less likely than the best cannot come near the likelihood that is worth a review.
LEAST_LIKELY = 100_000

Positions = Sequence[Sequence[tuple[str, int]]]


def keys_of(plate: str) -> list[str]:
    """The plate with each position replaced by `_` in turn.

    Two plates share a key when they differ in that place only.
    """
    return [plate[:index] + ANY + plate[index + 1 :] for index in range(len(plate))]


def likely_strings(positions: Positions, most: int = MOST_STRINGS) -> list[str]:
    """At most `most` strings made of the alternatives of each position, the most likely first.

    positions: for each character of the plate (character, ppm), most likely first; a product of whole ppm
    ranks the strings, so nothing is rounded.
    """
    usable = [[(char, ppm) for char, ppm in position if ppm > 0] for position in positions]
    if not usable or not all(usable):
        return []
    ranked = _best_first(usable)
    best, first = next(ranked)
    texts = [first]
    for weight, text in itertools.islice(ranked, most - 1):
        if weight * LEAST_LIKELY < best:
            break
        texts.append(text)
    return texts


def _best_first(positions: list[list[tuple[str, int]]]) -> Iterator[tuple[int, str]]:
    """All strings with their weights, in falling order.

    The heap holds those that follow from one already given: one position takes its next alternative. A
    position before the one changed last is left alone: every string follows from exactly one other.
    """
    ranked = [sorted(position, key=lambda choice: (-choice[1], choice[0])) for position in positions]
    first = (0,) * len(ranked)
    heap = [(-prod(position[0][1] for position in ranked), first, 0)]
    while heap:
        negative_weight, choice, changed = heapq.heappop(heap)
        yield -negative_weight, "".join(p[index][0] for p, index in zip(ranked, choice, strict=True))
        for place in range(changed, len(ranked)):
            index = choice[place]
            position = ranked[place]
            if index + 1 < len(position):
                # Exact: the weight holds this factor.
                weight = negative_weight // position[index][1] * position[index + 1][1]
                heapq.heappush(heap, (weight, (*choice[:place], index + 1, *choice[place + 1 :]), place))
