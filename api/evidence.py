"""Evidence pictures on disk, named by the SHA-256 of their bytes: written once, never changed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from api.errors import EvidenceDiffers, EvidenceNotJpeg, EvidenceUnknown
from cameras.durable_files import write_durably

LARGEST_BYTES = 2 * 1024 * 1024
SHA256_HEX = re.compile(r"[0-9a-f]{64}")


class EvidenceStore:
    """Keeps JPEG pictures under root, two levels deep so that no folder grows too large."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, sha256: str, content: bytes) -> bool:
        """Keep a picture; True where it is new. It is on disk when this returns.

        Raises EvidenceDiffers where the bytes have another SHA-256, EvidenceNotJpeg where they are no JPEG.
        """
        found = hashlib.sha256(content).hexdigest()
        if found != sha256:
            raise EvidenceDiffers(named=sha256, found=found)
        if not is_jpeg(content):
            raise EvidenceNotJpeg(sha256=sha256, first_bytes=content[:4].hex())
        path = self._path(sha256)
        if path.exists():
            return False
        write_durably(path, content)
        return True

    def get(self, sha256: str) -> bytes:
        """The picture's bytes, checked against their name. Raises EvidenceUnknown."""
        try:
            content = self._path(sha256).read_bytes()
        except FileNotFoundError:
            raise EvidenceUnknown(sha256=sha256) from None
        if hashlib.sha256(content).hexdigest() != sha256:
            raise EvidenceUnknown(sha256=sha256)
        return content

    def has(self, sha256: str) -> bool:
        """Whether the picture is kept here."""
        if not SHA256_HEX.fullmatch(sha256):
            raise EvidenceUnknown(sha256=sha256)
        return os.path.exists(f"{self._root}/{sha256[:2]}/{sha256}.jpg")  # noqa: PTH110  asked for each sighting

    def delete(self, sha256: str) -> bool:
        """Delete the picture; says whether it was there. Its bytes stay on the disk until written over."""
        try:
            self._path(sha256).unlink()
        except FileNotFoundError:
            return False
        return True

    def older_than(self, before: datetime) -> Iterator[str]:
        """The hashes of pictures that were written before this."""
        for path in self._root.glob("??/*.jpg"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < before.timestamp() and SHA256_HEX.fullmatch(path.stem):
                    yield path.stem

    def _path(self, sha256: str) -> Path:
        if not SHA256_HEX.fullmatch(sha256):
            raise EvidenceUnknown(sha256=sha256)
        return self._root / sha256[:2] / f"{sha256}.jpg"


def is_jpeg(content: bytes) -> bool:
    """Whether these bytes are a JPEG with a picture in it: its markers are walked up to the first scan.

    Source of the format: ITU-T T.81, annex B.
    """
    if not content.startswith(b"\xff\xd8\xff") or b"\xff\xd9" not in content[-64:]:
        return False
    at, framed = 2, False
    while at + 4 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker == 0xDA:  # start of scan: the picture itself follows
            return framed
        length = int.from_bytes(content[at + 2 : at + 4], "big")
        # SOF0..SOF15 without DHT, JPG and DAC: the frame header with height and width.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height = int.from_bytes(content[at + 5 : at + 7], "big")
            width = int.from_bytes(content[at + 7 : at + 9], "big")
            framed = height > 0 and width > 0
        if length < 2:
            return False
        at += 2 + length
    return False
