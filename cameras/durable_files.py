"""Files that are on disk, whole, when the call returns."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

UNFINISHED = ".part"


def write_durably(path: Path, data: bytes) -> None:
    """Write the bytes beside the path, sync them, rename: there is never half a file under this name.

    A broken-off write leaves at most a file that ends in UNFINISHED.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=UNFINISHED)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder last through a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
