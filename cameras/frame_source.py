"""What every source of frames can do, and what it tells of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, Protocol

from vision.types import Frame

Phase = Literal["starting", "connected", "reconnecting", "ended"]
NowFunction = Callable[[], datetime]


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class SourceStats:
    """What a source has seen so far.

    frames: good pictures, those passed over included. dropped: pictures replaced by newer ones before anyone
    took them. thinned: pictures left out to keep to frames_per_second. broken_frames: damaged pictures.
    reconnects: connections opened after the first. size_changes: times the picture's size changed.
    detail: the last error in words, empty while all is well. broken_names: the last few damaged files.
    """

    phase: Phase = "starting"
    frames: int = 0
    dropped: int = 0
    thinned: int = 0
    broken_frames: int = 0
    reconnects: int = 0
    failed_attempts: int = 0
    size_changes: int = 0
    width: int | None = None
    height: int | None = None
    last_frame_at: datetime | None = None
    detail: str = ""
    broken_names: tuple[str, ...] = ()


class FrameSource(Protocol):
    """The frames of one camera, in order of capture."""

    @property
    def stats(self) -> SourceStats: ...

    @property
    def ended(self) -> bool:
        """True once no frame will come any more."""
        ...

    def read(self, timeout_s: float) -> Frame | None:
        """The next frame, or None where none came in time or the source has ended."""
        ...

    def __iter__(self) -> Iterator[Frame]: ...

    def close(self) -> None: ...


def each_frame(source: FrameSource, step_s: float = 0.5) -> Iterator[Frame]:
    """The frames of a source until it ends or is closed."""
    while not source.ended:
        frame = source.read(step_s)
        if frame is not None:
            yield frame


def with_size(stats: SourceStats, width: int, height: int) -> SourceStats:
    """The stats after a picture of this size; a change is counted."""
    if stats.width is None:
        return replace(stats, width=width, height=height)
    if (stats.width, stats.height) == (width, height):
        return stats
    return replace(stats, width=width, height=height, size_changes=stats.size_changes + 1)
