"""Registered plates that a reading could be: the likely strings, and everything one position away."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

ANY = "_"
MOST_STRINGS = 256

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
    return [text for _, text in zip(range(most), _best_first(usable), strict=False)]


def _best_first(positions: list[list[tuple[str, int]]]) -> Iterator[str]:
    """All strings in falling order of probability.

    The heap holds those that follow from one already given.
    """
    ranked = [sorted(position, key=lambda choice: (-choice[1], choice[0])) for position in positions]
    first = (0,) * len(ranked)
    heap = [(-_weight(ranked, first), first)]
    seen = {first}
    while heap:
        _, choice = heapq.heappop(heap)
        yield "".join(position[index][0] for position, index in zip(ranked, choice, strict=True))
        for place, index in enumerate(choice):
            if index + 1 == len(ranked[place]):
                continue
            following = (*choice[:place], index + 1, *choice[place + 1 :])
            if following not in seen:
                seen.add(following)
                heapq.heappush(heap, (-_weight(ranked, following), following))


def _weight(positions: list[list[tuple[str, int]]], choice: tuple[int, ...]) -> int:
    weight = 1
    for position, index in zip(positions, choice, strict=True):
        weight *= position[index][1]
    return weight
