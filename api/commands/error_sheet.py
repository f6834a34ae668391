"""Misses on a sheet: what the plate was, what was read, and the picture of it. Plates are personal data."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from api.commands.failures import CommandError
from vision.metrics import Miss, Report

Canvas = NDArray[np.uint8]

TILE_WIDTH, TILE_HEIGHT = 260, 210
VIEW_HEIGHT = 126
COLUMNS, ROWS = 5, 5
FONT: Final = "uni"  # the one of OpenCV's own that has Chinese characters
BLACK, GREEN, RED = (0, 0, 0), (0, 110, 0), (0, 0, 190)
FIELDS: Final = (
    "set",
    "file",
    "plate",
    "kind",
    "read",
    "confidence",
    "found",
    "detector_score",
    "box_width_px",
)


def check_folder(folder: Path) -> Path:
    """The folder, made where it is not there. Raises CommandError inside a git working tree."""
    place = folder.resolve()
    if any((parent / ".git").exists() for parent in (place, *place.parents)):
        raise CommandError(
            f"{folder}: lies in a git working tree; number plates are personal data: give a folder outside"
        )
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(f"{folder}: cannot be made ({error.strerror})") from error
    return place


def write_sheets(folder: Path, reports: Mapping[str, Report]) -> int:
    """Write `misses.csv` and, set by set, pages of pictures in place of older ones; the number of misses."""
    for old in folder.glob("misses_*.png"):
        old.unlink()
    misses = [(name, miss) for name, report in reports.items() for miss in report.misses]
    with (folder / "misses.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(FIELDS)
        rows.writerows(_row(name, miss) for name, miss in misses)
    for name, report in reports.items():
        for number, page in enumerate(pages(report.misses), 1):
            _write_png(folder / f"misses_{name}_{number}.png", page)
    sys.stderr.write(
        f"{len(misses)} misses written to {folder}: number plates are personal data, delete them after use\n"
    )
    return len(misses)


def pages(misses: Sequence[Miss]) -> Iterator[Canvas]:
    """Sheets of tiles, (h, w, 3) uint8 BGR."""
    a_page = COLUMNS * ROWS
    for start in range(0, len(misses), a_page):
        tiles = [draw_tile(miss) for miss in misses[start : start + a_page]]
        tiles += [_blank()] * (-len(tiles) % COLUMNS)
        yield np.vstack([np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)])


def draw_tile(miss: Miss) -> Canvas:
    """One miss: its surroundings with the detector's corners, truth, reading, and where it comes from."""
    tile = _blank()
    if miss.view is not None:
        scale = min((TILE_WIDTH - 10) / miss.view.shape[1], VIEW_HEIGHT / miss.view.shape[0])
        size = (max(1, int(miss.view.shape[1] * scale)), max(1, int(miss.view.shape[0] * scale)))
        tile[4 : 4 + size[1], 4 : 4 + size[0]] = cv2.resize(miss.view, size, interpolation=cv2.INTER_AREA)
    said = f"{miss.read} {miss.confidence:.3f}" if miss.read else "not read"
    found = f"found {miss.score:.2f}" if miss.score is not None else "not found"
    lines = (
        (f"plate {miss.text} {miss.kind}" if miss.text else "no labelled plate", GREEN),
        (f"read  {said}", RED),
        (f"{miss.file}  {found}", BLACK),
    )
    for number, (text, colour) in enumerate(lines):
        cv2.putText(tile, text, (4, 150 + 22 * number), colour, cv2.FontFace(FONT), 15 if number < 2 else 12)
    return tile


def _blank() -> Canvas:
    return np.full((TILE_HEIGHT, TILE_WIDTH, 3), 255, np.uint8)


def _row(name: str, miss: Miss) -> list[str]:
    return [
        name,
        miss.file,
        miss.text,
        miss.kind,
        miss.read or "",
        f"{miss.confidence:.5f}",
        "yes" if miss.score is not None else "no",
        "" if miss.score is None else f"{miss.score:.3f}",
        "" if miss.box is None else f"{miss.box[2] - miss.box[0]:.0f}",
    ]


def _write_png(path: Path, page: Canvas) -> None:
    encoded, data = cv2.imencode(".png", page)
    if not encoded:
        raise CommandError(f"{path}: the picture cannot be written")
    path.write_bytes(data.tobytes())
