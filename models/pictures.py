"""The labelled pictures: where they lie and what is on them. They are never part of the repository."""

import csv
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Corners = NDArray[np.float32]

REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class LabelledPlate:
    """One plate of one picture.

    box: x1, y1, x2, y2 in pixels. corners: (4, 2) as top-left, top-right, bottom-right, bottom-left of the
    plate itself. text is empty where only the place is known.
    """

    text: str
    colour: str
    rows: int
    box: tuple[float, float, float, float] | None
    corners: Corners | None


@dataclass(frozen=True)
class LabelledPicture:
    """One picture file and every plate labelled on it."""

    path: Path
    plates: tuple[LabelledPlate, ...]


def data_root() -> Path:
    """Where the labelled pictures lie: `PLATEPAY_DATA`, else `shared/data` beside the repository."""
    return Path(os.environ.get("PLATEPAY_DATA", REPOSITORY.parent / "shared" / "data"))


def parse_corners(text: str) -> Corners | None:
    """`x,y x,y x,y x,y` as (4, 2) float32, or None for an empty text."""
    if not text:
        return None
    return np.array([[float(v) for v in point.split(",")] for point in text.split()], np.float32)


def read_pictures(folder: Path) -> list[LabelledPicture]:
    """All pictures of a folder with `labels.csv`, in file order; a row without box and text is no plate."""
    found: dict[str, list[LabelledPlate]] = {}
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            plates = found.setdefault(row["file"], [])
            corners = parse_corners(row["corners"])
            if row["x1"]:
                box = (float(row["x1"]), float(row["y1"]), float(row["x2"]), float(row["y2"]))
            elif row["plate_text"]:
                box = None
            else:
                continue
            rows = 2 if row["layout"] == "double" else 1
            plates.append(LabelledPlate(row["plate_text"], row["plate_type"], rows, box, corners))
    return [LabelledPicture(folder / name, tuple(plates)) for name, plates in found.items()]


def load_image(path: Path) -> Image:
    """A picture as (H, W, 3) uint8 BGR. Raises OSError where it cannot be decoded."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise OSError(f"cannot decode {path.name}")
    return np.asarray(image, np.uint8)
