"""How a camera is doing, judged from its frames and its source's counts. Pure: every time is handed in."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt

from cameras.frame_source import SourceStats
from vision.types import Frame, Image

State = Literal["ok", "starting", "reconnecting", "frozen", "black", "broken"]

GRID = (64, 36)
SAMPLES = (96, 54)
# A cell of the grid is the mean of some hundred pixels: coding noise moves it less than this, a digit of a
# clock or a moving branch more.
CELL_CHANGE_LEVELS = 2.0
# Sensor noise shows as many single pixels that differ from picture to picture, several pictures running. A
# standing picture coded anew differs only at its keyframes.
PIXEL_CHANGE_LEVELS = 2
NOISY_SHARE = 0.02
NOISY_PICTURES = 3
BLACK_BELOW_LEVEL = 16.0
BLACK_SPREAD_LEVELS = 6.0


@dataclass(frozen=True, slots=True)
class HealthLimits:
    """When a camera counts as ill.

    frozen_after_s, black_after_s: how long the picture has to stand still or be black.
    silent_after_s: how long a connected stream may give no picture.
    window_s, broken_share, broken_at_least: broken when in the window this many and this share of the
    pictures were damaged.
    """

    frozen_after_s: float = 30.0
    black_after_s: float = 3.0
    silent_after_s: float = 5.0
    window_s: float = 10.0
    broken_share: float = 0.5
    broken_at_least: int = 5


@dataclass(frozen=True, slots=True)
class CameraHealth:
    """What is reported of a camera. detail: what is wrong or has changed, in words, or empty."""

    state: State
    frames: int
    dropped: int
    broken_frames: int
    reconnects: int
    last_frame_at: datetime | None
    frame_age_s: float | None
    width: int | None
    height: int | None
    size_changes: int
    detail: str


@dataclass(frozen=True, slots=True, eq=False)
class Signature:
    """A picture in small. cells: means of a grid; samples: single pixels; both grey levels."""

    cells: npt.NDArray[np.float32]
    samples: npt.NDArray[np.int16]

    @classmethod
    def of(cls, image: Image) -> Signature:
        """image: (H, W, 3) uint8, BGR; not changed."""
        green = image[:, :, 1]
        # Of a large picture some rows and columns tell as much, and cost less.
        step = max(1, green.shape[0] // 360)
        part = np.ascontiguousarray(green[::step, ::step])
        small = cv2.resize(part, GRID, interpolation=cv2.INTER_AREA).astype(np.float32)
        rows = np.linspace(0, green.shape[0] - 1, SAMPLES[1]).astype(np.intp)
        columns = np.linspace(0, green.shape[1] - 1, SAMPLES[0]).astype(np.intp)
        return cls(small, green[np.ix_(rows, columns)].astype(np.int16))

    def is_black(self) -> bool:
        return bool(self.cells.mean() < BLACK_BELOW_LEVEL and self.cells.std() < BLACK_SPREAD_LEVELS)

    def shows_change(self, since: Signature) -> bool:
        """True where some part of the picture looks different."""
        return bool(np.abs(self.cells - since.cells).max() >= CELL_CHANGE_LEVELS)

    def is_noisy(self, since: Signature) -> bool:
        """True where many single pixels differ, as a sensor's do."""
        differ = np.abs(self.samples - since.samples) >= PIXEL_CHANGE_LEVELS
        return bool(differ.mean() >= NOISY_SHARE)


@dataclass(frozen=True, slots=True)
class Mark:
    """The counts at one time."""

    at: datetime
    frames: int
    broken: int


class HealthMonitor:
    """Watches one camera. Hand it every frame taken, and ask it to judge with the source's counts."""

    def __init__(self, limits: HealthLimits | None = None) -> None:
        self._limits = limits or HealthLimits()
        self._marks: deque[Mark] = deque(maxlen=64)
        self._last: Signature | None = None
        self._standing: Signature | None = None
        self._alive_at: datetime | None = None
        self._black_since: datetime | None = None
        self._seen_at: datetime | None = None
        self._noisy_run = 0
        self._size: tuple[int, int] | None = None
        self._note = ""

    def see(self, frame: Frame) -> None:
        """Takes note of a frame: whether it moves, is black, has another size."""
        size = (int(frame.image.shape[1]), int(frame.image.shape[0]))
        if self._size is not None and size != self._size:
            self._note = (
                f"the picture size changed from {self._size[0]}x{self._size[1]} to {size[0]}x{size[1]} "
                f"at {frame.captured_at:%Y-%m-%d %H:%M:%S} UTC"
            )
            self._last = self._standing = None
        self._size = size
        signature = Signature.of(frame.image)
        self._note_life(signature, frame.captured_at)
        if not signature.is_black():
            self._black_since = None
        elif self._black_since is None:
            self._black_since = frame.captured_at
        self._last = signature
        self._seen_at = frame.captured_at

    def _note_life(self, signature: Signature, at: datetime) -> None:
        if self._standing is None or self._last is None:
            self._standing, self._alive_at, self._noisy_run = signature, at, 0
            return
        self._noisy_run = self._noisy_run + 1 if signature.is_noisy(self._last) else 0
        if signature.shows_change(self._standing) or self._noisy_run >= NOISY_PICTURES:
            self._standing, self._alive_at = signature, at

    def judge(self, stats: SourceStats, now: datetime) -> CameraHealth:
        """How the camera is doing now.

        now: the wall clock for a live stream, the last frame's time for a file.
        """
        state, detail = self._state(stats, now)
        self._mark(stats, now)
        last = stats.last_frame_at
        return CameraHealth(
            state=state,
            frames=stats.frames,
            dropped=stats.dropped,
            broken_frames=stats.broken_frames,
            reconnects=stats.reconnects,
            last_frame_at=last,
            frame_age_s=None if last is None else max(0.0, (now - last).total_seconds()),
            width=stats.width,
            height=stats.height,
            size_changes=stats.size_changes,
            detail="; ".join(part for part in (detail, self._note) if part),
        )

    def _state(self, stats: SourceStats, now: datetime) -> tuple[State, str]:
        limits = self._limits
        if stats.phase == "reconnecting":
            return "reconnecting", f"{stats.detail} (attempt {stats.failed_attempts})"
        broken = self._broken_share(stats, now)
        if broken is not None:
            return "broken", broken
        if stats.phase == "starting":
            return "starting", "waiting for the first picture"
        if stats.phase == "connected" and stats.last_frame_at is not None:
            silent_s = (now - stats.last_frame_at).total_seconds()
            if silent_s > limits.silent_after_s:
                return "broken", f"connected, but no picture for {silent_s:.0f} s"
        if self._black_since is not None and self._seen_at is not None:
            black_s = (self._seen_at - self._black_since).total_seconds()
            if black_s >= limits.black_after_s:
                return "black", f"the picture has been black for {black_s:.0f} s"
        if self._alive_at is not None and self._seen_at is not None:
            still_s = (self._seen_at - self._alive_at).total_seconds()
            if still_s >= limits.frozen_after_s:
                return "frozen", f"pictures arrive, but nothing in them has changed for {still_s:.0f} s"
        return "ok", ""

    def _broken_share(self, stats: SourceStats, now: datetime) -> str | None:
        since = now - timedelta(seconds=self._limits.window_s)
        old = next((mark for mark in self._marks if mark.at >= since), None)
        if old is None:
            return None
        broken, good = stats.broken_frames - old.broken, stats.frames - old.frames
        if broken < self._limits.broken_at_least or broken < self._limits.broken_share * (broken + good):
            return None
        return f"{broken} of the last {broken + good} pictures were damaged"

    def _mark(self, stats: SourceStats, now: datetime) -> None:
        least = timedelta(seconds=self._limits.window_s / 32)
        if not self._marks:
            # Pictures damaged before the first look count too.
            self._marks.append(Mark(now, 0, 0))
        elif now - self._marks[-1].at >= least:
            self._marks.append(Mark(now, stats.frames, stats.broken_frames))
