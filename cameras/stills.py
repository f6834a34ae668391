"""Single pictures from disk, and whether they are whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vision.types import Image

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm")
JPEG_START, JPEG_SCAN, JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"
PNG_START = b"\x89PNG"
# Decoders give up memory for what a header claims; no camera takes more than this.
LARGEST_FILE_BYTES = 64 * 1024 * 1024


def still_paths(folder: Path) -> list[Path]:
    """The pictures of a folder, sorted by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())


def is_cut_off_jpeg(data: bytes) -> bool:
    """True for a JPEG that has no end after its last scan: decoders fill it up with grey."""
    return data.startswith(JPEG_START) and data.rfind(JPEG_END) < data.rfind(JPEG_SCAN)


@dataclass(frozen=True, slots=True, eq=False)
class Still:
    """A picture from disk, or the problem with it. image: (H, W, 3) uint8, BGR."""

    image: Image | None
    problem: str

    @classmethod
    def read(cls, path: Path) -> Still:
        """Never raises for a damaged or unreadable file: that is the answer."""
        try:
            if path.stat().st_size > LARGEST_FILE_BYTES:
                return cls(None, f"the file is larger than {LARGEST_FILE_BYTES // 1024 // 1024} MiB")
            data = path.read_bytes()
        except OSError as error:
            return cls(None, error.strerror or str(error))
        return cls.decode(data)

    @classmethod
    def decode(cls, data: bytes) -> Still:
        """The picture in these bytes. A cut-off one counts as damaged though a decoder would fill it up."""
        if not data:
            return cls(None, "the file is empty")
        if is_cut_off_jpeg(data):
            return cls(None, "the picture is cut off")
        if data.startswith(PNG_START) and b"IEND" not in data[-64:]:
            return cls(None, "the picture is cut off")
        try:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        except cv2.error as error:
            return cls(None, f"the picture cannot be decoded: {error.err}")
        if image is None:
            return cls(None, "this is no picture that can be decoded")
        return cls(np.asarray(image, np.uint8), "")
