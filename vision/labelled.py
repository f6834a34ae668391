"""Labelled pictures (`labels.csv` of the shared data), and what a recogniser makes of them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vision.metrics import Miss, Outcome, Report
from vision.picture import Box, Detector, PictureReading, Reader, box_of, overlap, read_crop, read_picture
from vision.types import Image, PlateText

MATCHING_OVERLAP = 0.5
VIEW_WIDTH_PX = 240
# Surroundings of a plate in its view, as a share of the plate's width.
VIEW_MARGIN = 0.4
UNREAD = PlateText(None, "blue", 0.0, (), 0.0)


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


def load_image(path: Path) -> Image | None:
    """(H, W, 3) uint8 BGR, or None where the file is missing or is no picture."""
    data = np.fromfile(path, np.uint8) if path.is_file() else np.empty(0, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    return None if image is None else np.asarray(image, np.uint8)


def evaluate_labels(
    pictures: Sequence[LabelledPicture],
    detector: Detector | None,
    reader: Reader,
    progress: Callable[[int, int], None] | None = None,
    *,
    crops: bool = False,
    report: Report | None = None,
    with_views: bool = False,
) -> Report:
    """Read every picture and compare.

    crops: each picture is one cut plate; so it is without a detector, and then nobody levels it.
    progress: called with pictures done and all. report: is gone on with where given. with_views: keep the
    surroundings of every miss.
    """
    report = report or Report()
    for done, picture in enumerate(pictures, 1):
        image = load_image(picture.path)
        readings: list[PictureReading] = []
        if image is None:
            report.unread_pictures.append(picture.path.name)
        elif detector is None or crops:
            readings = [read_crop(image, reader, detector)]
        else:
            readings = read_picture(image, detector, reader)
        add_picture(report, picture, readings, image if with_views else None)
        if progress is not None:
            progress(done, len(pictures))
    return report


def add_picture(
    report: Report,
    picture: LabelledPicture,
    readings: Sequence[PictureReading],
    image: Image | None = None,
) -> None:
    """Match the readings of one picture with its labels; changes `report`.

    image: the picture, where misses shall keep their surroundings.
    """
    report.pictures += 1
    matched = match_boxes(picture.plates, readings)
    owner = {reading: plate for plate, reading in matched.items()}
    known = {plate.text for plate in picture.plates}
    for i, reading in enumerate(readings):
        text = reading.plate.text
        if text is None:
            continue
        report.texts += 1
        if text in known:
            continue
        if i not in owner:
            report.extra += 1
            report.wrong_texts += 1
            report.misses.append(_miss(picture, None, reading, image))
        elif picture.plates[owner[i]].text:
            report.wrong_texts += 1
        else:
            report.unjudged += 1
    for number, plate in enumerate(picture.plates):
        found = readings[matched[number]] if number in matched else None
        report.labelled_boxes += 1
        report.found_boxes += found is not None
        if not plate.text:
            continue
        said = found.plate if found is not None else UNREAD
        outcome = Outcome(
            picture.path.name, plate.text, plate.kind, found is not None, said.text, said.confidence
        )
        report.outcomes.append(outcome)
        if not outcome.is_exact:
            report.misses.append(_miss(picture, plate, found, image))


def _miss(
    picture: LabelledPicture, plate: LabelledPlate | None, found: PictureReading | None, image: Image | None
) -> Miss:
    said = found.plate if found is not None else UNREAD
    box = plate.box if plate is not None else None
    corners = found.detection.corners if found is not None else None
    place = box if box is not None else box_of(corners) if corners is not None else None
    return Miss(
        file=picture.path.name,
        text=plate.text if plate is not None else "",
        kind=plate.kind if plate is not None else "",
        read=said.text,
        confidence=said.confidence,
        box=box,
        corners=corners,
        score=found.detection.score if found is not None else None,
        view=None if image is None else view_of(image, place, corners),
    )


def view_of(image: Image, place: Box | None, corners: np.ndarray | None) -> Image:
    """The plate and what is around it, with the detector's corners drawn; `image` is not changed."""
    x1, y1, x2, y2 = place if place is not None else (0.0, 0.0, float(image.shape[1]), float(image.shape[0]))
    margin = VIEW_MARGIN * (x2 - x1)
    left, top = max(0, int(x1 - margin)), max(0, int(y1 - margin))
    view = image[top : max(top + 1, int(y2 + margin)), left : max(left + 1, int(x2 + margin))]
    scale = VIEW_WIDTH_PX / view.shape[1]
    size = (VIEW_WIDTH_PX, max(1, round(view.shape[0] * scale)))
    small = cv2.resize(view, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    if corners is not None:
        outline = ((corners - [left, top]) * scale).round().astype(np.int32)
        cv2.polylines(small, [outline], True, (0, 0, 255), 1, cv2.LINE_AA)
    return np.asarray(small, np.uint8)


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
