"""Which character was meant where another was read, from counts of our readers' errors.

`assets/misreads.json` is made by `platepay measure-misreads` from passes of labelled plates; it holds counts
and no plate. Characters are confused within their kind only: a province with a province, a letter or digit
with letters and digits, a mark with a mark.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, get_args

from vision.plates import ALPHABET, MARKS, PROVINCES
from vision.types import Colour

MISREADS: Final = Path(__file__).parent / "assets" / "misreads.json"
MILLION: Final = 1_000_000
COLOURS: Final[tuple[str, ...]] = get_args(Colour)
CLASSES: Final = (PROVINCES, MARKS, "".join(c for c in ALPHABET if c not in PROVINCES + MARKS))
# One error more than was counted is taken to have happened, spread evenly: what was never seen may happen.
UNSEEN_ERRORS: Final = 1.0
# How often a colour is seen as it is, before anything is counted: as many looks, and as many of them wrong.
COLOUR_LOOKS, COLOUR_ERRORS = 100.0, 2.0
# How often a whole reading has a character too few or too many, and one read surely is another, before
# anything is counted.
UNMEASURED_SLIP, UNMEASURED_MISLED = 1e-3, 1e-3
# What is known of all characters counts as much as so many readings of one.
KNOWN_READINGS: Final = 30.0
# Pairs that look alike to anybody. They are twins whatever was measured; both ways.
STATED_ALIKE: Final = ("0D", "5S", "8B", "2Z", "粤鄂")
STATED_PPM: Final = 50_000

Rates = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Confusion:
    """How readings err.

    meant: for each character read, where it is wrong, the chance of each other of its kind; sums to 1.
    misled: chance that a character is another although the reading is sure of it; misled_as: the same by the
    character read, where enough of them were seen.
    slip: chance that a reading has a character too few or too many.
    colours: for each colour a plate has, the chance of each colour being seen.
    """

    meant: Rates
    misled: float
    slip: float
    colours: Rates
    misled_as: Mapping[str, float] = field(default_factory=dict)

    def misled_reading(self, character: str) -> float:
        """Chance that there was another where this was surely read."""
        return self.misled_as.get(character, self.misled)


def class_of(character: str) -> str:
    """All characters of its kind; itself alone where it is none of ours."""
    return next((kind for kind in CLASSES if character in kind), character)


@cache
def measured_confusion() -> Confusion:
    """What was measured of the readers that ship; even shares where no file is there."""
    content = _content()
    return unmeasured_confusion() if content is None else confusion_from(content)


def _content() -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads(MISREADS.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return content


def unmeasured_confusion() -> Confusion:
    """Every other character of a kind equally likely."""
    return Confusion(meant_from({}), UNMEASURED_MISLED, UNMEASURED_SLIP, colours_from({}))


def confusion_from(content: Mapping[str, Any]) -> Confusion:
    """The confusion as the content of a misreads file has it. Raises KeyError for what is no such file."""
    # One error more than was seen: that none was seen does not mean that there is none.
    misled = (int(content["sure_wrong"]) + 1) / (int(content["sure_positions"]) + 2)
    slip = (int(content["other_length"]) + 1) / (int(content["passes"]) + 2)
    return Confusion(
        meant_from(content["confusion"]),
        misled,
        slip,
        colours_from(content.get("colours", {})),
        misled_as(content.get("sure", {}), misled),
    )


def misled_as(sure: Mapping[str, Mapping[str, int]], misled: float) -> dict[str, float]:
    """For each character surely read the chance that there was another.

    sure: by the character read, how often each was there. `misled` is what is believed before, as much as
    KNOWN_READINGS of the character; no character is surer than all together.
    """
    found: dict[str, float] = {}
    for read, true in sure.items():
        seen = sum(true.values())
        wrong = seen - true.get(read, 0)
        found[read] = max(misled, (wrong + misled * KNOWN_READINGS) / (seen + KNOWN_READINGS))
    return found


def meant_from(counts: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, float]]:
    """For each character read the share of each other that may have been meant.

    counts: how often a true character was read as which. Every true character of a kind counts as equally
    frequent, however many of it were among the plates measured:
    share(true | read) ~ (count[true][read] + 1 / others) / (all of true + 1).
    """
    meant: dict[str, dict[str, float]] = {}
    for kind in CLASSES:
        for read in kind:
            rates = {true: _rate(counts.get(true, {}), read, len(kind) - 1) for true in kind if true != read}
            total = sum(rates.values())
            meant[read] = {true: rate / total for true, rate in rates.items()}
    return meant


def _rate(seen: Mapping[str, int], read: str, others: int) -> float:
    return (seen.get(read, 0) + UNSEEN_ERRORS / others) / (sum(seen.values()) + UNSEEN_ERRORS)


def colours_from(counts: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, float]]:
    """For each colour a plate has the chance of each colour seen."""
    rates: dict[str, dict[str, float]] = {}
    for true in COLOURS:
        seen = counts.get(true, {})
        looks = sum(seen.values()) + COLOUR_LOOKS
        wrong = COLOUR_ERRORS / (len(COLOURS) - 1)
        before = {colour: COLOUR_LOOKS - COLOUR_ERRORS if colour == true else wrong for colour in COLOURS}
        rates[true] = {colour: (seen.get(colour, 0) + before[colour]) / looks for colour in COLOURS}
    return rates


def lookalikes_from(content: Mapping[str, Any], least_looks: int = 50) -> dict[str, dict[str, int]]:
    """How often, in ppm of single looks, a character is read as another; the stated pairs at least.

    The worse of both directions, so that the table is symmetric. A character of which fewer than
    `least_looks` were seen tells nothing of its own.
    """
    counts: Mapping[str, Mapping[str, int]] = content.get("confusion", {})
    found: dict[str, dict[str, int]] = {}

    def note(a: str, b: str, ppm: int) -> None:
        for one, other in ((a, b), (b, a)):
            known = found.setdefault(one, {})
            known[other] = max(known.get(other, 0), ppm)

    for true, seen in counts.items():
        looks = sum(seen.values())
        for read, count in seen.items() if looks >= least_looks else ():
            if read != true and class_of(read) == class_of(true):
                note(true, read, count * MILLION // looks)
    for a, b in STATED_ALIKE:
        note(a, b, STATED_PPM)
    return found


@cache
def measured_lookalikes() -> Mapping[str, Mapping[str, int]]:
    """The look-alikes of the readers that ship; the stated pairs alone where no file is there."""
    return lookalikes_from(_content() or {})
