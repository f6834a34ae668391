"""What can go wrong in vision.

VisionError
├── EngineMissingError        the framework of an engine is not installed
├── EngineUnknownError        no engine has that name
└── WeightsError
    ├── WeightsMissingError       a weight file or its card is not there
    ├── WeightsCorruptedError     a weight file is not the one its card names
    └── WeightsUnsuitableError    a network has not the inputs or outputs we speak
"""

from __future__ import annotations

from pathlib import Path


class VisionError(Exception):
    """Base of all errors of this package; `code` is stable."""

    code = "vision_error"


class EngineMissingError(VisionError):
    """The framework behind `engine` is not installed."""

    code = "engine_missing"

    def __init__(self, engine: str, package: str, extra: str | None = None) -> None:
        self.engine = engine
        self.package = package
        self.extra = extra
        wanted = f"platepay[{extra}]" if extra else package
        super().__init__(
            f"engine {engine!r} needs the package {package}, which is not installed: pip install '{wanted}'"
        )


class EngineUnknownError(VisionError):
    """There is no such engine."""

    code = "engine_unknown"

    def __init__(self, engine: str, known: tuple[str, ...]) -> None:
        self.engine = engine
        self.known = known
        super().__init__(f"there is no engine {engine!r}; known are {', '.join(known)}")


class WeightsError(VisionError):
    """Something is wrong with a weight file."""

    code = "weights_error"

    def __init__(self, path: Path, message: str) -> None:
        self.path = path
        super().__init__(f"{path.name}: {message} ({path})")


class WeightsMissingError(WeightsError):
    """A weight file, or its card, is not there."""

    code = "weights_missing"


class WeightsCorruptedError(WeightsError):
    """A weight file's sha256 is not the one its card names."""

    code = "weights_corrupted"

    def __init__(self, path: Path, expected: str, actual: str) -> None:
        self.expected = expected
        self.actual = actual
        super().__init__(path, f"sha256 is {actual}, its card says {expected}: fetch or build the file again")


class WeightsUnsuitableError(WeightsError):
    """A network does not have the inputs, outputs or notes that we speak."""

    code = "weights_unsuitable"
