"""Whose plate was it: a probability for each registered plate, and for none of them.

Bayes' rule over everything that could have come: each registered plate `k`, and a stranger with any other
text.

    weight(k)    = visits(k) x likelihood(k) x colour(k)
    weight(none) = sum over all other texts t of visits(t) x likelihood(t)
    P(k)         = weight(k) / (sum of all weights)

`likelihood` is what the reading says of a text, loosened by how our readers err (`confusion`). `visits` is
how often such a car is expected at this station in the time looked back over: a customer's own history, or
how many strangers there are for each text that a plate may have. A text that reads exactly like a customer's
may still be a stranger's misread one: that is the part `none` carries, and it is small for a car that comes
every week and large for one that was never here. `docs/decision.md` has the formula with a worked example.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from vision.confusion import Confusion

MILLION: Final = 1_000_000
BILLION: Final = 1_000_000_000
# How many texts there are for one province and office: five characters without I and O, two letters at most,
# and for new-energy plates D or F, one letter or digit, four digits.
TAILS: Final = {7: 7_060_000, 8: 680_000}
# A station is taken to have seen so many cars before it is counted; they are customers as often as stated.
UNCOUNTED_CARS: Final = 100
# Visits a customer usually pays for in that time; one with more at other stations is so much likelier here.
USUAL_VISITS: Final = 8
# A habit is a habit: more visits than this make nothing surer.
MOST_VISITS: Final = 30
# Forged plates and wrong registrations: what no reading tells. Never less goes to none of them.
LEAST_NONE_PPM: Final = 50

PositionsPpm = Sequence[Sequence[tuple[str, int]]]


@dataclass(frozen=True, slots=True)
class Registered:
    """A registered plate and how often it came, in the time looked back over."""

    plate: str
    colour: str
    visits_here: int = 0
    visits_elsewhere: int = 0


@dataclass(frozen=True, slots=True)
class Traffic:
    """What came to a station in the time looked back over, in whole numbers.

    cars: all that were read; customers: those that were surely customers.
    prefixes: cars by the first two characters of their plates. registered: plates in the service.
    customer_share_ppm: how many of all cars are customers, before any were counted.
    """

    cars: int = 0
    customers: int = 0
    prefixes: Mapping[str, int] = field(default_factory=dict)
    registered: int = 1
    customer_share_ppm: int = 200_000

    def __post_init__(self) -> None:
        if min(self.cars, self.customers, self.customer_share_ppm, self.registered) < 0:
            raise ValueError("a count of traffic is below zero")
        if self.customers > self.cars or self.customer_share_ppm > MILLION:
            raise ValueError("there are more customers than cars")

    def customer_visits(self) -> float:
        """Expected visits of one customer of whom nothing is known."""
        customers = self.customers + UNCOUNTED_CARS * self.customer_share_ppm / MILLION
        return customers / max(self.registered, 1)

    def stranger_visits(self) -> float:
        """Expected visits of strangers with any text."""
        uncounted = UNCOUNTED_CARS * (1 - self.customer_share_ppm / MILLION)
        return self.cars - self.customers + uncounted

    def share(self, prefix: str) -> float:
        """How many of the cars have this prefix; where nothing was counted, all may have."""
        return (self.prefixes.get(prefix, 0) + 1) / (self.cars + 1)


@dataclass(frozen=True, slots=True)
class Weight:
    """One line of the sum. plate: None for "none of them".

    likelihood: what the reading says of the text (of all other texts together). colour: chance of the colour
    seen. visits: how often expected (for none: in the mean, weighed by the likelihood). ppm: the result.
    """

    plate: str | None
    likelihood: float
    colour: float
    visits: float
    ppm: int

    @property
    def likelihood_ppb(self) -> int:
        """The likelihood in parts per billion."""
        return round(self.likelihood * BILLION)

    @property
    def colour_ppm(self) -> int:
        """The chance of the colour in ppm."""
        return round(self.colour * MILLION)

    @property
    def visits_ppm(self) -> int:
        """The expected visits in millionths."""
        return round(self.visits * MILLION)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The posterior with its sum: candidates likeliest first, and none of them. All ppm make a million."""

    candidates: tuple[Weight, ...]
    none: Weight

    @property
    def ranked(self) -> tuple[tuple[str, int], ...]:
        """Plate and ppm, likeliest first."""
        return tuple((weight.plate, weight.ppm) for weight in self.candidates if weight.plate is not None)


class Column:
    """One position with what it does not list, as chances of the characters of its kind, summing to 1.

    What the reading leaves open, and the chance that it is misled, go to the others as often as our readers
    take them for the character read. Worked out when it is first asked: nobody asks of most positions of a
    stranger's plate.
    """

    __slots__ = ("_confusion", "_listed", "_total", "_whole")

    def __init__(self, position: Sequence[tuple[str, int]], confusion: Confusion) -> None:
        self._listed = {character: ppm / MILLION for character, ppm in position if ppm > 0}
        self._confusion = confusion
        self._whole: dict[str, float] | None = None
        self._total = 1.0

    def __bool__(self) -> bool:
        """Whether the position lists any character."""
        return bool(self._listed)

    def get(self, character: str, default: float, /) -> float:
        """The chance of this character; `default` where it is of another kind."""
        share = (self._whole or self._worked_out()).get(character)
        return default if share is None else share / self._total

    def chances(self) -> dict[str, float]:
        """The chance of each character of its kind."""
        whole = self._whole or self._worked_out()
        return {character: share / self._total for character, share in whole.items()}

    def _worked_out(self) -> dict[str, float]:
        """The shares, before they are made to sum to 1."""
        listed = self._listed
        if not listed:
            return {}
        read = max(listed, key=listed.__getitem__)
        misled = self._confusion.misled_reading(read)
        sure = 1 - misled
        left = max(0.0, 1 - sum(listed.values())) * sure + misled
        whole = {true: left * share for true, share in self._confusion.meant.get(read, {}).items()}
        for character, share in listed.items():
            whole[character] = share * sure + whole.get(character, 0.0)
        self._whole, self._total = whole, math.fsum(whole.values())
        return whole


def loosened(position: Sequence[tuple[str, int]], confusion: Confusion) -> dict[str, float]:
    """One position as the chance of each character of its kind, also of those that it does not list."""
    return Column(position, confusion).chances()


class Chances(Protocol):
    """Chances of characters, such as a `Column` or a dict."""

    def get(self, character: str, default: float, /) -> float:
        """The chance of this character."""


def likelihood(columns: Sequence[Chances], text: str, slip: float = 0.0) -> float:
    """What a reading, as loosened positions, says of `text`.

    slip: chance that the reading has one character too few or too many; in the mean over its places.
    """
    if len(columns) == len(text):
        return math.prod(column.get(c, 0.0) for column, c in zip(columns, text, strict=True))
    if len(columns) + 1 == len(text):
        shorter = [text[:i] + text[i + 1 :] for i in range(len(text))]
        return slip * math.fsum(likelihood(columns, t) for t in shorter) / len(text)
    if len(columns) == len(text) + 1:
        fewer = [[*columns[:i], *columns[i + 1 :]] for i in range(len(columns))]
        return slip * math.fsum(likelihood(c, text) for c in fewer) / len(columns)
    return 0.0


def judge(
    positions: PositionsPpm,
    colour: str,
    registered: Sequence[Registered],
    traffic: Traffic,
    confusion: Confusion,
) -> Judgement:
    """How likely each registered plate is, and none of them, with the sum that says so.

    positions: for each character the likely ones in ppm. registered: different plates, all those near the
    reading. Raises ValueError where a plate stands twice among them.
    """
    if len({one.plate for one in registered}) != len(registered):
        raise ValueError("a plate stands twice among the registered")
    columns = [Column(position, confusion) for position in positions]
    if not columns or not all(columns):
        return Judgement(
            tuple(Weight(one.plate, 0.0, 0.0, 0.0, 0) for one in registered),
            Weight(None, 1.0, 1.0, 0.0, MILLION),
        )
    base = traffic.customer_visits()
    lines = [
        Weight(
            one.plate,
            likelihood(columns, one.plate, confusion.slip),
            confusion.colours.get(one.colour, {}).get(colour, 0.0),
            expected_visits(one, base),
            0,
        )
        for one in registered
    ]
    nobody = strangers(columns, lines, traffic)
    return _shared_out(lines, nobody)


def expected_visits(one: Registered, base: float) -> float:
    """Visits of a customer expected at this station; base: of one of whom nothing is known.

    Visits elsewhere say how much a customer drives, not where to: a city has hundreds of stations. How often
    customers who were never here come after all is in the base, which is counted.
    """
    drives = max(1.0, min(one.visits_elsewhere, MOST_VISITS) / USUAL_VISITS)
    return base * drives + min(one.visits_here, MOST_VISITS)


def strangers(columns: Sequence[Chances], lines: Sequence[Weight], traffic: Traffic) -> Weight:
    """The line of "none of them": every text that is not registered, with the strangers that may have it.

    A registered plate is nobody else's: its own text is left out.
    """
    a_text = traffic.stranger_visits() / TAILS.get(len(columns), TAILS[7])
    unseen = traffic.share("")
    everywhere = unseen
    for prefix in traffic.prefixes:
        if len(prefix) == 2:
            chance = columns[0].get(prefix[0], 0.0) * columns[1].get(prefix[1], 0.0)
            everywhere += chance * (traffic.share(prefix) - unseen)
    own = [line for line in lines if line.plate is not None and len(line.plate) == len(columns)]
    mass = max(0.0, 1 - math.fsum(line.likelihood for line in own))
    theirs = math.fsum(line.likelihood * traffic.share((line.plate or "")[:2]) for line in own)
    visits = a_text * max(0.0, everywhere - theirs)
    return Weight(None, mass, 1.0, visits / mass if mass > 0 else 0.0, 0)


def _shared_out(lines: Sequence[Weight], nobody: Weight) -> Judgement:
    """The lines with their ppm. Rounded down: what is lost to rounding makes none of them likelier."""
    weights = [line.likelihood * line.colour * line.visits for line in lines]
    stranger = nobody.likelihood * nobody.colour * nobody.visits
    total = math.fsum([*weights, stranger])
    most = MILLION - LEAST_NONE_PPM
    found = [
        Weight(
            line.plate,
            line.likelihood,
            line.colour,
            line.visits,
            math.floor(weight / total * most) if total > 0 else 0,
        )
        for line, weight in zip(lines, weights, strict=True)
    ]
    found.sort(key=lambda line: (-line.ppm, -line.likelihood, line.plate or ""))
    left = MILLION - sum(line.ppm for line in found)
    return Judgement(tuple(found), Weight(None, nobody.likelihood, nobody.colour, nobody.visits, left))
