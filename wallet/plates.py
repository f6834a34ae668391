"""The strings that a registered plate could be where a reading says so: likely ones, and all one step away.

One step is another character at one position, or one character too few or too many. What is one step from a
text is found by a dozen looks into indexes of the bound plates (`near_plates`); likely strings that are
farther are looked up one by one.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Sequence
from math import prod

# The characters of plates, as vision has them (a test holds the two together).
PROVINCES = "京津冀晋蒙辽吉黑沪苏浙皖闽赣鲁豫鄂湘粤桂琼渝川贵云藏陕甘青宁新"
OFFICES = "ABCDEFGHJKLMNOPQRSTUVWXYZ"
SERIAL = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"
MARKS = "学警挂港澳使领民航应急"
SHORT, LONG = 7, 8
MOST_STRINGS = 256
# A string this many times less likely than the best cannot come near the likelihood that is worth a review.
LEAST_LIKELY = 100_000

Positions = Sequence[Sequence[tuple[str, int]]]


def neighbours(text: str) -> list[str]:
    """Every string one step from `text` that may be a plate: each once, in a fixed order, `text` left out.

    Some 230 with another character; some 260 with one more where it has seven, 8 with one fewer where it has
    eight.
    """
    found: list[str] = []
    for place, character in enumerate(text):
        before, after = text[:place], text[place + 1 :]
        found += [before + other + after for other in may_stand_at(place, character, len(text))]
    if len(text) == SHORT:
        for place in range(LONG):
            before, after = text[:place], text[place:]
            found += [before + other + after for other in may_stand_at(place, "", LONG)]
    elif len(text) == LONG:
        found += [text[:place] + text[place + 1 :] for place in range(LONG)]
    each_once = dict.fromkeys(found)
    each_once.pop(text, None)
    return list(each_once)


def is_neighbour(text: str, plate: str) -> bool:
    """Whether `plate` is one of `neighbours(text)`, without writing them all down."""
    if len(plate) == len(text):
        differing = [place for place, character in enumerate(text) if plate[place] != character]
        if len(differing) != 1:
            return False
        place = differing[0]
        return plate[place] in may_stand_at(place, text[place], len(text))
    if (len(text), len(plate)) == (SHORT, LONG):
        return any(
            plate[:place] + plate[place + 1 :] == text and plate[place] in may_stand_at(place, "", LONG)
            for place in range(LONG)
        )
    if (len(text), len(plate)) == (LONG, SHORT):
        return any(text[:place] + text[place + 1 :] == plate for place in range(LONG))
    return False


def may_stand_at(place: int, character: str, length: int) -> str:
    """The characters that may have been meant at this place, where `character` was read there ("": none)."""
    if place == 0:
        return PROVINCES if not character or character in PROVINCES else PROVINCES + OFFICES + MARKS
    if place == 1:
        return OFFICES + "航"
    return SERIAL + MARKS if place == length - 1 and length == SHORT else SERIAL


def likely_strings(positions: Positions, most: int = MOST_STRINGS) -> list[str]:
    """At most `most` strings made of the alternatives of each position, the most likely first.

    positions: for each character of the plate (character, ppm), most likely first; a product of whole ppm
    ranks the strings, so nothing is rounded.
    """
    usable = [[(char, ppm) for char, ppm in position if ppm > 0] for position in positions]
    if not usable or not all(usable):
        return []
    if all(len(position) == 1 for position in usable):
        return ["".join(position[0][0] for position in usable)]
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
