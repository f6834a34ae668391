"""Figures of how well plates are found and read: counts with intervals, coverage, calibration."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vision.intervals import wilson
from vision.picture import Box
from vision.plates import PROVINCES, is_supported
from vision.types import Corners, Image

ERROR_LEVELS = (0.01, 0.005, 0.001, 0.0)
# What the labels call a plate of new energy, small or large. Farm and aviation plates are other greens.
ENERGY_KINDS = ("green", "green-large")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One labelled plate and what was made of it. read: None where nothing was found or read."""

    file: str
    text: str
    kind: str
    is_found: bool
    read: str | None
    confidence: float

    @property
    def is_exact(self) -> bool:
        """Whether every character is right."""
        return self.read == self.text


@dataclass(frozen=True, slots=True, eq=False)
class Miss:
    """A labelled plate that was not read exactly, or a text that is the plate of no label.

    text, kind: of the label; "" where none lies there. box: of the label, corners and score: of the
    detection, None where there is none. view: the surroundings, only where views were asked for.
    """

    file: str
    text: str
    kind: str
    read: str | None
    confidence: float
    box: Box | None = None
    corners: Corners | None = None
    score: float | None = None
    view: Image | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """`right` of `of`, with Wilson's 95 % interval."""

    right: int
    of: int

    def as_dict(self) -> dict[str, Any]:
        """The counts, the share and the bounds; no share of nothing."""
        if self.of == 0:
            return {"right": 0, "of": 0}
        low, high = wilson(self.right, self.of)
        return {
            "right": self.right,
            "of": self.of,
            "share": round(self.right / self.of, 5),
            "low": round(low, 5),
            "high": round(high, 5),
        }


@dataclass(slots=True)
class Report:
    """All outcomes of one labelled set.

    texts: all readings that were given. wrong_texts: those that are the text of no plate of their picture.
    extra: those of them that lie on no labelled plate. unjudged: texts on plates whose label leaves the text
    open; they are neither right nor wrong.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    pictures: int = 0
    unread_pictures: list[str] = field(default_factory=list)
    texts: int = 0
    wrong_texts: int = 0
    extra: int = 0
    unjudged: int = 0
    labelled_boxes: int = 0
    found_boxes: int = 0
    misses: list[Miss] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Everything in plain values, for JSON."""
        plates = self.outcomes
        kinds = sorted({outcome.kind for outcome in plates})
        provinces = by_province(plates)
        supported = [o for o in plates if is_supported(o.text)]
        unsupported = [o for o in plates if not is_supported(o.text)]
        return {
            "pictures": self.pictures,
            "unread_pictures": self.unread_pictures,
            "plates": len(plates),
            "exact": count(plates, lambda o: o.is_exact),
            "exact_supported": count(supported, lambda o: o.is_exact),
            "unsupported_not_read": count(unsupported, lambda o: o.read is None),
            "province": count(plates, lambda o: (o.read or "")[:1] == o.text[:1]),
            "last_six": count(plates, lambda o: (o.read or "")[1:] == o.text[1:]),
            "read_as_plate": count(plates, lambda o: o.read is not None),
            "detected": Count(self.found_boxes, self.labelled_boxes).as_dict(),
            "energy": count([o for o in plates if o.kind in ENERGY_KINDS], lambda o: o.is_exact),
            "kinds": {k: count([o for o in plates if o.kind == k], lambda o: o.is_exact) for k in kinds},
            "provinces": provinces,
            "worst_province": worst_of(provinces),
            "coverage": {f"{level:g}": coverage(plates, level) for level in ERROR_LEVELS},
            "texts": self.texts,
            "wrong_texts": self.wrong_texts,
            "wrong_texts_a_picture": round(self.wrong_texts / max(self.pictures, 1), 5),
            "extra_texts": self.extra,
            "unjudged_texts": self.unjudged,
            "calibration_error": round(calibration_error(plates), 5),
            "errors": [
                {"file": m.file, "plate": m.text, "read": m.read, "confidence": round(m.confidence, 5)}
                for m in self.misses
            ],
        }


def count(outcomes: Sequence[Outcome], is_right: Callable[[Outcome], bool]) -> dict[str, Any]:
    """How many outcomes are right, with the interval."""
    return Count(sum(map(is_right, outcomes)), len(outcomes)).as_dict()


def by_province(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    """Exact plates of each province; plates that begin with something else are left out."""
    provinces = sorted({o.text[0] for o in outcomes if o.text[:1] in PROVINCES}, key=PROVINCES.index)
    return {p: count([o for o in outcomes if o.text[:1] == p], lambda o: o.is_exact) for p in provinces}


def worst_of(provinces: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The count of the province read worst, with its name; of several the one with most plates."""
    if not provinces:
        return {"name": None, "right": 0, "of": 0}
    name = min(provinces, key=lambda p: (provinces[p]["share"], -provinces[p]["of"]))
    return {"name": name, **provinces[name]}


def coverage(outcomes: Sequence[Outcome], error: float) -> dict[str, Any]:
    """The largest share of plates that can be accepted by confidence with at most this share of errors.

    least_confidence: of the accepted ones. Plates of one confidence are accepted together or not at all.
    """
    read = sorted((o for o in outcomes if o.read is not None), key=lambda o: -o.confidence)
    wrong = best = 0
    least = 1.0
    for accepted, outcome in enumerate(read, 1):
        wrong += not outcome.is_exact
        is_last_of_its_kind = accepted == len(read) or read[accepted].confidence < outcome.confidence
        if is_last_of_its_kind and wrong <= error * accepted:
            best, least = accepted, outcome.confidence
    return {**Count(best, len(outcomes)).as_dict(), "least_confidence": round(least, 6)}


def calibration_error(outcomes: Sequence[Outcome], bins: int = 10) -> float:
    """Expected calibration error of the readings: mean distance of confidence and share right, by groups.

    The groups are of equal size, in the order of confidence.
    """
    read = sorted((o for o in outcomes if o.read is not None), key=lambda o: o.confidence)
    if not read:
        return 0.0
    groups = [g for g in np.array_split(np.arange(len(read)), bins) if len(g)]
    distance = 0.0
    for group in groups:
        members = [read[i] for i in group]
        confidence = math.fsum(o.confidence for o in members)
        distance += abs(confidence - sum(o.is_exact for o in members))
    return distance / len(read)


def summary(reports: Iterable[Report]) -> Report:
    """Several sets taken as one."""
    whole = Report()
    for report in reports:
        whole.outcomes += report.outcomes
        whole.pictures += report.pictures
        whole.unread_pictures += report.unread_pictures
        whole.texts += report.texts
        whole.wrong_texts += report.wrong_texts
        whole.extra += report.extra
        whole.unjudged += report.unjudged
        whole.labelled_boxes += report.labelled_boxes
        whole.found_boxes += report.found_boxes
        whole.misses += report.misses
    return whole
