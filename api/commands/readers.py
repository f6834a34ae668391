"""Which of the two readers looks at single pictures."""

from __future__ import annotations

from typing import Final

from api.commands.failures import CommandError
from vision.backends import load_reader, load_second_reader
from vision.ensemble import BothReaders
from vision.picture import Reader

CHOICES: Final = ("first", "second", "both")


def open_readers(readers: str, engine: str) -> Reader:
    """The reader that was asked for. Raises CommandError for a name that is none of CHOICES, VisionError."""
    match readers:
        case "first":
            return load_reader(engine)
        case "second":
            return load_second_reader(engine)
        case "both":
            return BothReaders(load_reader(engine), load_second_reader(engine))
        case _:
            raise CommandError(f"--readers {readers}: there is no such choice; give {', '.join(CHOICES)}")
