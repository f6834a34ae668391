"""`platepay read`: the plates in pictures, one line a picture."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.markup import escape

from api.commands.failures import CommandError
from api.commands.readers import open_readers
from vision.backends import load_detector
from vision.picture import PictureReading, read_crop, read_picture
from vision.types import Image

PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}


def read(paths: list[Path], *, as_json: bool, crops: bool, engine: str, readers: str) -> int:
    """Read every picture; returns 0, or 1 where at least one picture could not be opened."""
    reader = open_readers(readers, engine)
    detector = load_detector(engine)
    console = Console()
    failed = 0
    for path in _pictures(paths):
        try:
            image = load_picture(path)
        except CommandError as error:
            failed += 1
            sys.stderr.write(f"platepay: {error}\n")
            if as_json:
                _print_json({"file": str(path), "error": str(error), "plates": [], "ms": 0.0})
            continue
        started = time.perf_counter()
        readings = [read_crop(image, reader, detector)] if crops else read_picture(image, detector, reader)
        elapsed_ms = (time.perf_counter() - started) * 1000
        if as_json:
            plates = [_plate(reading) for reading in readings if reading.plate.text is not None]
            _print_json({"file": str(path), "plates": plates, "ms": round(elapsed_ms, 1)})
        else:
            console.print(
                f"[bold]{escape(str(path))}[/bold]  {_described(readings)}  [dim]{elapsed_ms:.0f} ms[/dim]"
            )
    return 1 if failed else 0


def load_picture(path: Path) -> Image:
    """(H, W, 3) uint8 BGR. Raises CommandError naming a file that is missing or is no picture."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise CommandError(f"{path}: cannot be read ({error.strerror})") from error
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise CommandError(f"{path}: not a picture that can be decoded (JPEG, PNG, BMP, WebP or TIFF is)")
    return image.astype(np.uint8, copy=False)


def _pictures(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            found = sorted(p for p in path.rglob("*") if p.suffix.lower() in PICTURE_SUFFIXES)
            if not found:
                raise CommandError(f"{path}: holds no pictures")
            yield from found
        else:
            yield path


def _plate(reading: PictureReading) -> dict[str, Any]:
    plate = reading.plate
    return {
        "text": plate.text,
        "colour": plate.colour,
        "confidence": round(plate.confidence, 6),
        "corners": [[round(float(x), 1), round(float(y), 1)] for x, y in reading.detection.corners],
        "characters": [[[char, round(p, 6)] for char, p in position] for position in plate.positions],
    }


def _described(readings: list[PictureReading]) -> str:
    plates = [r.plate for r in readings if r.plate.text is not None]
    if not plates:
        return "[dim]no readable plate[/dim]"
    return "  ".join(f"{p.text} {p.colour} {p.confidence:.1%}" for p in plates)


def _print_json(row: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
    sys.stdout.flush()
