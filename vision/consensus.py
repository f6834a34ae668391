"""What many readings of one plate say together, position by position.

Looks are pooled by weighted log-likelihood. Two things keep the pool honest: a frame nearly equal to an
earlier one is hardly a new look, and even different looks share their errors (the same dirt, the same
light), so that ten of them are worth less than two independent ones. Certainty is capped: what the reader
cannot know (a forged plate, a wrong label) never goes below the cap.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import cv2
import numpy as np
import numpy.typing as npt

from vision.colour import COLOURS, PRIOR
from vision.ensemble import Trust, combine
from vision.plates import is_valid, kind_of
from vision.types import Colour, Image, PlateText, Position

Thumb = npt.NDArray[np.float32]

THUMB_WIDTH, THUMB_HEIGHT = 28, 8
THUMB_BLUR = 0.012
# One minus the correlation of two thumbs: so much is noise and unsteady corners; so much, another look.
# Measured on pictures of parked cars, with noise and compression, against other pictures of the same cars.
SAME, DIFFERENT = 0.01, 0.15
# A frame equal to another still tells a little: noise and compression are new.
LEAST_NOVELTY = 0.05
# How far the errors of different looks at one plate go together, and the chance that a reading is about
# something else altogether, spread over all characters. Both are the likeliest on twelve views each of 200
# plates that no reader was trained on (`models/consensus_fit.py`, docs/decisions/0009).
SHARED_ERROR = 0.5
MISLED = 0.001
# What the word of each reader weighs once its looks are pooled: of one plate both see the same dirt, so that
# two who agree are a little surer than one. The second weighs enough to make unsure what it denies.
TRACK_TRUST = Trust(first=0.7, second=0.4, alone=0.6)
CHARACTERS = 34
MOST_CERTAIN_PPM = 50
# A text that is likelier wrong than right is no reading, as in single pictures: the plate could not be read.
MOST_WRONG_PPM = 500_000
POSITION_CHARACTERS = 5
NO_PLATE = ""
# No look is surer of a colour than this leaves, nor tells it from another by a larger likelihood ratio.
LEAST_COLOUR = 1e-3
MOST_TOLD = 250.0
MILLION = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One reading as the pool sees it.

    weight: 0 to 1, its quality. novelty: 0 to 1, how much it differs from the looks before it.
    thumb: the crop, small, grey, centred and of length 1.
    crop: what was read, while a second reader may still be asked; rows: how many rows it may have.
    second: what the second reader says of it, where it was asked. captured_at: when the crop was before us.
    frames: of how many the crop is the mean. A mean is no look of its own: its frames have been counted.
    """

    plate: PlateText
    weight: float
    novelty: float
    thumb: Thumb
    crop: Image | None = None
    rows: tuple[int, ...] = (1,)
    second: PlateText | None = None
    captured_at: datetime | None = None
    frames: int = 1

    @property
    def worth(self) -> float:
        """How much it counts for in the pool."""
        return self.weight * self.novelty


@dataclass(frozen=True, slots=True)
class Consensus:
    """What the looks say.

    text: None where nothing could be read. wrong_ppm: chance that the text is not the plate.
    looks: number of independent looks, rounded down.
    """

    text: str | None
    colour: Colour
    positions: tuple[Position, ...]
    wrong_ppm: int
    looks: int


def thumb_of(crop: Image) -> Thumb:
    """The crop for comparing: (THUMB_HEIGHT * THUMB_WIDTH,) float32, mean 0, length 1 (or all 0)."""
    grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
    soft = cv2.GaussianBlur(grey, (0, 0), THUMB_BLUR * crop.shape[1])
    small = cv2.resize(soft, (THUMB_WIDTH, THUMB_HEIGHT), interpolation=cv2.INTER_AREA)
    flat = np.asarray(small, np.float32).ravel()
    flat -= flat.mean()
    length = float(np.linalg.norm(flat))
    return flat / length if length > 0 else flat


def novelty(thumb: Thumb, earlier: Sequence[Look]) -> float:
    """How much of a new look this is: 1 where nothing like it was seen, near 0 for the same picture again."""
    if not earlier:
        return 1.0
    closest = max(float(thumb @ look.thumb) for look in earlier)
    return min(1.0, max(LEAST_NOVELTY, (1.0 - closest - SAME) / (DIFFERENT - SAME)))


def effective_looks(count: float) -> float:
    """What `count` different looks with shared errors are worth in independent ones; at least 1."""
    count = max(count, 1.0)
    return count / (1 + SHARED_ERROR * (count - 1))


def pool(
    distributions: Sequence[Mapping[str, float]], shares: Sequence[float], looks: float
) -> dict[str, float]:
    """One distribution out of many over the same characters.

    shares: of each distribution, summing to 1. looks: how many independent looks they are worth.
    """
    every = {character for distribution in distributions for character in distribution}
    logs = dict.fromkeys(every, 0.0)
    other = 0.0  # any one character that no look has named
    for distribution, share in zip(distributions, shares, strict=True):
        unnamed = max(0.0, 1 - sum(distribution.values())) / CHARACTERS
        floor = (1 - MISLED) * unnamed + MISLED / CHARACTERS
        other += share * math.log(floor)
        for character in every:
            named = (1 - MISLED) * distribution.get(character, 0.0) + MISLED / CHARACTERS
            logs[character] += share * math.log(max(named, floor))
    top = max(logs.values())
    raised = {character: math.exp(looks * (log - top)) for character, log in logs.items()}
    rest = max(0, CHARACTERS - len(every)) * math.exp(looks * (other - top))
    total = sum(raised.values()) + rest
    return {character: value / total for character, value in raised.items()}


def agree(looks: Sequence[Look]) -> Consensus:
    """What all looks by all readers say, without a text where it would be far likelier wrong than right.

    Raises ValueError where there are no looks.
    """
    said = agree_of_all(looks)
    if said.text is None or said.wrong_ppm <= MOST_WRONG_PPM:
        return said
    return Consensus(None, said.colour, (), MILLION, said.looks)


def agree_of_all(looks: Sequence[Look]) -> Consensus:
    """The consensus of all looks by all readers. Raises ValueError where there are none.

    Each reader's looks are pooled first, for they share its errors: many looks of the first never outvote
    the few that the second was asked for. What the two then say is put together as for a single crop.
    """
    first = agree_of_one(looks)
    asked = [replace(look, plate=look.second) for look in looks if look.second is not None]
    if first.text is None or not asked:
        return first
    both = combine(as_plate(first), as_plate(agree_of_one(asked)), TRACK_TRUST)
    if both.text is None:
        return first
    by_characters = math.prod(position[0][1] for position in both.positions)
    # A reader knows no more of the colour than the pixels of its looks: all of them vote.
    colour = vote_colour([look for look in looks if look.plate.text is not None], both.text)
    return sealed(both.text, colour, both.positions, by_characters, both.confidence, first.looks)


def agree_of_one(looks: Sequence[Look]) -> Consensus:
    """The consensus of one reader's looks. Raises ValueError where there are none."""
    readable = [look for look in looks if look.plate.text is not None]
    if not readable:
        count = math.floor(novel_looks(looks))
        return Consensus(None, vote_colour(looks, None), (), MILLION, count)
    lengths = pool_lengths(readable)
    length = max(lengths, key=lambda n: lengths[n])
    agreeing = [look for look in readable if len(look.plate.positions) == length]
    worth = novel_looks(agreeing)
    shares = shares_of(agreeing)
    columns = [
        pool([dict(look.plate.positions[i]) for look in agreeing], shares, effective_looks(worth))
        for i in range(length)
    ]
    text = choose_text(columns, agreeing)
    by_characters = math.prod(column[c] for column, c in zip(columns, text, strict=True))
    positions = tuple(ranked(column) for column in columns)
    colour, right = vote_colour(agreeing, text), lengths[length] * by_characters
    return sealed(text, colour, positions, by_characters, right, math.floor(worth + 1e-9))


def sealed(
    text: str,
    colour: Colour,
    positions: Sequence[Position],
    by_characters: float,
    right: float,
    looks: int,
) -> Consensus:
    """The consensus, no surer than the cap. right: chance that the text is; by_characters: by them alone."""
    right = min(right, 1 - MOST_CERTAIN_PPM / MILLION)
    wrong_ppm = math.ceil((1 - right) * MILLION - 1e-6)
    # Doubt about the length and the cap belong to the characters too: who multiplies them gets the same.
    kept = (right / by_characters) ** (1 / len(text))
    scaled = tuple(tuple((c, p * kept) for c, p in position) for position in positions)
    return Consensus(text, colour, scaled, wrong_ppm, looks)


def as_plate(said: Consensus) -> PlateText:
    """The consensus as if it were one reading."""
    return PlateText(said.text, said.colour, 1.0, said.positions, 1 - said.wrong_ppm / MILLION)


def shares_of(looks: Sequence[Look]) -> list[float]:
    """How much each look counts, summing to 1.

    A mean of many frames counts as much as all single looks together would if they were as good as it.
    """
    singles = novel_looks(looks) or 1.0
    weights = [look.worth if look.frames == 1 else look.weight * singles for look in looks]
    total = sum(weights)
    return [weight / total for weight in weights]


def novel_looks(looks: Sequence[Look]) -> float:
    """How many different looks there are among these; a mean of many is none beside them."""
    return sum(look.novelty for look in looks if look.frames == 1)


def pool_lengths(looks: Sequence[Look]) -> dict[int, float]:
    """Probability of each length of the text, pooled as a position is.

    A reading's confidence is that of its kind times that of its characters: what the characters do not
    explain is doubt whether this is a plate of ours at all. That doubt is one answer like a length: where
    every look has it, more looks make it larger, not smaller.
    """
    distributions = []
    for look in looks:
        by_characters = math.prod(position[0][1] for position in look.plate.positions)
        own = min(1.0, look.plate.confidence / max(by_characters, 1e-9))
        distributions.append({str(len(look.plate.positions)): own, NO_PLATE: 1 - own})
    pooled = pool(distributions, shares_of(looks), effective_looks(novel_looks(looks)))
    return {int(length): probability for length, probability in pooled.items() if length != NO_PLATE}


def choose_text(columns: Sequence[dict[str, float]], looks: Sequence[Look]) -> str:
    """The most likely text; where the likeliest characters together are no plate, the likeliest text read."""
    straight = "".join(max(column, key=lambda c: column[c]) for column in columns)
    if is_valid(straight):
        return straight
    texts = {look.plate.text for look in looks if look.plate.text is not None}
    return max(texts, key=lambda text: math.prod(c[x] for c, x in zip(columns, text, strict=True)))


def ranked(column: dict[str, float]) -> Position:
    """The likeliest characters of a position, most likely first."""
    return tuple(sorted(column.items(), key=lambda item: (-item[1], item[0]))[:POSITION_CHARACTERS])


def vote_colour(looks: Sequence[Look], text: str | None) -> Colour:
    """The likeliest colour of all looks together, among those that a plate of this text may have.

    Log-likelihoods weighed as the characters are (`shares_of`): many that hardly tell do not outvote few that
    do. How often a colour is met counts once, not with every look; looks share their errors, and a mean of
    many frames is no further look.
    """
    kind = kind_of(text) if text is not None else None
    candidates = COLOURS if kind is None else kind.colours
    power = effective_looks(novel_looks(looks))
    told = [
        (share, look.plate.colour, *_likelihoods(look.plate))
        for share, look in zip(shares_of(looks), looks, strict=True)
    ]

    def score(colour: Colour) -> float:
        logs = (share * math.log(fits if seen == colour else other) for share, seen, fits, other in told)
        return math.log(PRIOR[colour]) + power * math.fsum(logs)

    return max(candidates, key=score)


def _likelihoods(plate: PlateText) -> tuple[float, float]:
    """How well a look fits its colour, and any other, but for a constant: its word without the prior.

    What it leaves open goes to all others alike.
    """
    kind = kind_of(plate.text) if plate.text is not None else None
    possible = COLOURS if kind is None else kind.colours
    met = PRIOR[plate.colour] / math.fsum(PRIOR[colour] for colour in possible)
    if met >= 1:
        return 1.0, 1.0  # the text has said the colour, not the pixels
    likely = min(max(plate.colour_probability, LEAST_COLOUR), 1 - LEAST_COLOUR)
    other = (1 - likely) / (1 - met)
    # A look that is sure of a rare colour tells no more than one that is sure of a common one.
    return min(likely / met, MOST_TOLD * other), other
