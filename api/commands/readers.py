"""Which of the two readers looks at single pictures, and what runs the second."""

from __future__ import annotations

import os
from typing import Final

from api.commands.failures import CommandError
from vision.backends import load_reader, load_second_reader
from vision.ensemble import BothReaders
from vision.picture import Reader

CHOICES: Final = ("first", "second", "both")
SECOND_READER_VARIABLE: Final = "PLATEPAY_SECOND_READER"


def open_readers(readers: str, engine: str) -> Reader:
    """The reader that was asked for. Raises CommandError for a name that is none of CHOICES, VisionError."""
    match readers:
        case "first":
            return load_reader(engine)
        case "second":
            return open_second_reader(engine)
        case "both":
            return BothReaders(load_reader(engine), open_second_reader(engine))
        case _:
            raise CommandError(f"--readers {readers}: there is no such choice; give {', '.join(CHOICES)}")


def open_second_reader(engine: str) -> Reader:
    """The second reader in the engine that PLATEPAY_SECOND_READER names, otherwise in `engine`.

    Raises VisionError.
    """
    named = os.environ.get(SECOND_READER_VARIABLE) or "auto"
    return load_second_reader(engine if named == "auto" else named)
