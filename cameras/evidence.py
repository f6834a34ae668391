"""Evidence pictures: JPEG files named by their own SHA-256, written whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import cv2

from cameras.durable_files import UNFINISHED, write_durably
from cameras.errors import EvidenceTooLarge
from vision.types import Image, Sighting

LIMIT_BYTES = 2_000_000
FRAME_QUALITIES = (88, 75, 60, 45, 30)
CROP_QUALITIES = (95, 88, 75)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The SHA-256 of the two pictures of a sighting, in lower-case hex."""

    frame: str
    crop: str


def encode_jpeg(image: Image, qualities: tuple[int, ...], limit_bytes: int = LIMIT_BYTES) -> bytes:
    """The picture as JPEG, at the first of the qualities that fits; raises EvidenceTooLarge where none does.

    image: (H, W, 3) uint8, BGR; not changed.
    """
    size = 0
    for quality in qualities:
        is_done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        if not is_done:
            raise ValueError(f"a picture of shape {image.shape} cannot be written as JPEG")
        size = int(data.size)
        if size <= limit_bytes:
            return bytes(data.tobytes())
    raise EvidenceTooLarge(size, limit_bytes)


class EvidenceStore:
    """A folder of evidence pictures: `ab/abcd….jpg`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, sighting: Sighting) -> Evidence:
        """Stores the best frame and the levelled crop of a sighting; they are on disk when it returns."""
        return Evidence(
            frame=self.put(encode_jpeg(sighting.frame, FRAME_QUALITIES)),
            crop=self.put(encode_jpeg(sighting.best.crop, CROP_QUALITIES)),
        )

    def path(self, sha256: str) -> Path:
        """Where the picture of that hash is or would be; raises ValueError for what is no hash."""
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise ValueError(f"{sha256!r} is no SHA-256 in lower-case hex")
        return self.folder / sha256[:2] / f"{sha256}.jpg"

    def get(self, sha256: str) -> bytes | None:
        """The picture, or None where it is gone or no longer what its name says."""
        try:
            data = self.path(sha256).read_bytes()
        except FileNotFoundError:
            return None
        return data if hashlib.sha256(data).hexdigest() == sha256 else None

    def put(self, data: bytes) -> str:
        """Stores the bytes and gives their SHA-256. Written beside, synced, then renamed."""
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.path(sha256)
        if self.get(sha256) is not None:
            # Used again: the retention time starts anew.
            os.utime(path)
            return sha256
        write_durably(path, data)
        return sha256

    def sweep(self, older_than: timedelta, now: datetime, keep: Collection[str] = ()) -> int:
        """Deletes pictures of that age and what broken-off writes left; gives how many.

        keep: hashes that stay however old they are, such as those still waiting to be sent.
        """
        before_s = (now - older_than).timestamp()
        swept = 0
        for path in self.folder.glob("??/*"):
            if path.suffix not in (".jpg", UNFINISHED) or path.stem in keep:
                continue
            try:
                if path.stat().st_mtime < before_s:
                    path.unlink()
                    swept += 1
            except FileNotFoundError:
                continue
        return swept
