"""How well plates are found and read, against labelled pictures (`labels.csv` of the shared data)."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vision.picture import Box, Detector, PictureReading, Reader, box_of, overlap, read_crop, read_picture
from vision.types import PlateText

__all__ = ["Count", "LabelledPicture", "LabelledPlate", "Outcome", "Report", "evaluate_labels", "read_crop"]

MATCHING_OVERLAP = 0.5
ERROR_LEVELS = (0.01, 0.005, 0.001, 0.0)


@dataclass(frozen=True, slots=True)
class LabelledPlate:
    """One row of `labels.csv`. box: x1, y1, x2, y2 in pixels; None where the picture is the plate."""

    text: str
    kind: str
    box: Box | None


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """A picture and its plates; text "" where only the box is known."""

    path: Path
    plates: tuple[LabelledPlate, ...]


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

    wrong_texts: readings that are the text of no plate of their picture. extra: those of them that lie on
    no labelled plate.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    pictures: int = 0
    unread_pictures: list[str] = field(default_factory=list)
    wrong_texts: int = 0
    extra: int = 0
    labelled_boxes: int = 0
    found_boxes: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Everything in plain values, for JSON."""
        plates = self.outcomes
        kinds = sorted({outcome.kind for outcome in plates})
        return {
            "pictures": self.pictures,
            "unread_pictures": self.unread_pictures,
            "plates": len(plates),
            "exact": count(plates, lambda o: o.is_exact),
            "province": count(plates, lambda o: (o.read or "")[:1] == o.text[:1]),
            "last_six": count(plates, lambda o: (o.read or "")[1:] == o.text[1:]),
            "read_as_plate": count(plates, lambda o: o.read is not None),
            "detected": Count(self.found_boxes, self.labelled_boxes).as_dict(),
            "kinds": {k: count([o for o in plates if o.kind == k], lambda o: o.is_exact) for k in kinds},
            "provinces": by_province(plates),
            "coverage": {f"{level:g}": coverage(plates, level) for level in ERROR_LEVELS},
            "wrong_texts": self.wrong_texts,
            "wrong_texts_a_picture": round(self.wrong_texts / max(self.pictures, 1), 5),
            "extra_texts": self.extra,
            "calibration_error": round(calibration_error(plates), 5),
            "errors": [
                {"file": o.file, "plate": o.text, "read": o.read, "confidence": round(o.confidence, 5)}
                for o in plates
                if not o.is_exact
            ],
        }


def count(outcomes: Sequence[Outcome], is_right: Callable[[Outcome], bool]) -> dict[str, Any]:
    """How many outcomes are right, with the interval."""
    return Count(sum(map(is_right, outcomes)), len(outcomes)).as_dict()


def by_province(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    """Exact plates by their first character."""
    provinces = sorted({outcome.text[:1] for outcome in outcomes})
    return {p: count([o for o in outcomes if o.text[:1] == p], lambda o: o.is_exact) for p in provinces}


def wilson(right: int, of: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's score interval of a share (E. B. Wilson, 1927); 95 % by default."""
    share = right / of
    middle = share + z * z / (2 * of)
    spread = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    scale = 1 + z * z / of
    # Rounding must not push a bound past the share itself.
    return max(0.0, min(share, (middle - spread) / scale)), min(1.0, max(share, (middle + spread) / scale))


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
    """Expected calibration error of the readings: mean distance of confidence and share right, by groups."""
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


def read_labels(csv_path: Path) -> list[LabelledPicture]:
    """The pictures of a `labels.csv`, in its order. Raises OSError, KeyError for a missing column."""
    rows: dict[str, list[LabelledPlate]] = {}
    with csv_path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            plates = rows.setdefault(row["file"], [])
            box = tuple(float(row[k]) for k in ("x1", "y1", "x2", "y2")) if row["x1"] else None
            if box is not None and len(box) == 4:
                plates.append(LabelledPlate(row["plate_text"], row["plate_type"], box))
            elif row["plate_text"]:
                plates.append(LabelledPlate(row["plate_text"], row["plate_type"], None))
    return [LabelledPicture(csv_path.parent / file, tuple(plates)) for file, plates in rows.items()]


def evaluate_labels(
    csv_path: Path | str,
    crops: bool,
    detector: Detector | None,
    reader: Reader,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Read every picture of a labelled set and compare.

    crops: each picture is one cut plate and needs no detector. progress: called with pictures done and all.
    """
    report = Report()
    pictures = read_labels(Path(csv_path))
    for done, picture in enumerate(pictures, 1):
        data = np.fromfile(picture.path, np.uint8) if picture.path.is_file() else np.empty(0, np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
        if image is None:
            report.unread_pictures.append(picture.path.name)
            readings: list[PictureReading] = []
        elif crops or detector is None:
            readings = [read_crop(np.asarray(image, np.uint8), reader)]
        else:
            readings = read_picture(np.asarray(image, np.uint8), detector, reader)
        add_picture(report, picture, readings)
        if progress is not None:
            progress(done, len(pictures))
    return report


def add_picture(report: Report, picture: LabelledPicture, readings: Sequence[PictureReading]) -> None:
    """Match the readings of one picture with its labels; changes `report`."""
    report.pictures += 1
    matched = match_boxes(picture.plates, readings)
    known = {plate.text for plate in picture.plates}
    for i, reading in enumerate(readings):
        is_wrong = reading.plate.text is not None and reading.plate.text not in known
        report.wrong_texts += is_wrong
        report.extra += is_wrong and i not in matched.values()
    for number, plate in enumerate(picture.plates):
        found = readings[matched[number]] if number in matched else None
        report.labelled_boxes += 1
        report.found_boxes += found is not None
        if plate.text:
            said = found.plate if found is not None else PlateText(None, "blue", 0.0, (), 0.0)
            report.outcomes.append(
                Outcome(
                    picture.path.name, plate.text, plate.kind, found is not None, said.text, said.confidence
                )
            )


def match_boxes(plates: Sequence[LabelledPlate], readings: Sequence[PictureReading]) -> dict[int, int]:
    """For each labelled plate that was found the reading of it, by overlap, best pairs first."""
    pairs = sorted(
        (
            (1.0 if plate.box is None else overlap(plate.box, box_of(reading.detection.corners)), p, r)
            for p, plate in enumerate(plates)
            for r, reading in enumerate(readings)
        ),
        reverse=True,
    )
    matched: dict[int, int] = {}
    for share, p, r in pairs:
        if share >= MATCHING_OVERLAP and p not in matched and r not in matched.values():
            matched[p] = r
    return matched


def summary(reports: Iterable[Report]) -> Report:
    """Several sets taken as one."""
    whole = Report()
    for report in reports:
        whole.outcomes += report.outcomes
        whole.pictures += report.pictures
        whole.unread_pictures += report.unread_pictures
        whole.wrong_texts += report.wrong_texts
        whole.extra += report.extra
        whole.labelled_boxes += report.labelled_boxes
        whole.found_boxes += report.found_boxes
    return whole
