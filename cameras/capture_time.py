"""When a picture was taken: the stream's own times tied to the wall clock. Arrival times are handed in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

# A picture never arrives before it was taken, so the smallest delay seen is the best tie. It may rise this
# fast (seconds a second), which follows a camera's clock that runs a little slow.
LEAK = 0.0005
# Times of the stream that step back, or ahead of what has passed by more than this, begin a new count.
JUMP_S = 2.0
# Pictures that arrive this late for this long: the stream's clock stood still.
BEHIND_S = 2.0
BEHIND_FOR_S = 10.0
TICK = timedelta(microseconds=1)
# The shortest distance of two pictures is not known before the second one: what cameras mostly send.
USUAL_STEP_S = 0.04


@dataclass(slots=True)
class StreamClock:
    """Gives each picture of one connection its capture time, strictly later than the one before.

    The time is the stream's own time plus the smallest delay of arrival seen so far; where the stream has no
    times it is the time of arrival. holds_one_back: the demuxer hands a picture out when the next one begins
    (RTSP), so it comes one step late.
    """

    holds_one_back: bool = False
    reanchored: int = 0
    _step_s: float | None = None
    _offset_s: float | None = None
    _last_pts_s: float = 0.0
    _last_arrival_s: float = 0.0
    _behind_since_s: float | None = None
    _last: datetime | None = None

    def captured_at(self, pts_s: float | None, arrived_at: datetime) -> datetime:
        """The capture time of a picture with this stream time, None where it has none; aware UTC."""
        arrival_s = arrived_at.timestamp()
        if pts_s is None:
            late_by_s = USUAL_STEP_S if self.holds_one_back else 0.0
            return self._after_last(arrived_at - timedelta(seconds=late_by_s))
        sample_s = arrival_s - pts_s - self._late_by_s(pts_s)
        if self._offset_s is None:
            self._offset_s = sample_s
        elif self._jumped(pts_s, arrival_s) or self._stood_still(sample_s, arrival_s):
            self._offset_s = sample_s
            self._behind_since_s = None
            self.reanchored += 1
        else:
            passed_s = max(0.0, arrival_s - self._last_arrival_s)
            self._offset_s = min(sample_s, self._offset_s + LEAK * passed_s)
        self._last_pts_s, self._last_arrival_s = pts_s, arrival_s
        return self._after_last(arrived_at - timedelta(seconds=arrival_s - pts_s - self._offset_s))

    def _late_by_s(self, pts_s: float) -> float:
        """At least how long the picture was held back."""
        if not self.holds_one_back:
            return 0.0
        step_s = pts_s - self._last_pts_s
        if self._offset_s is not None and 0.0 < step_s < JUMP_S:
            self._step_s = step_s if self._step_s is None else min(self._step_s, step_s)
        return USUAL_STEP_S if self._step_s is None else self._step_s

    def _jumped(self, pts_s: float, arrival_s: float) -> bool:
        step_s = pts_s - self._last_pts_s
        passed_s = max(0.0, arrival_s - self._last_arrival_s)
        return step_s < 0.0 or step_s > passed_s + JUMP_S

    def _stood_still(self, sample_s: float, arrival_s: float) -> bool:
        offset_s = sample_s if self._offset_s is None else self._offset_s
        if sample_s - offset_s <= BEHIND_S:
            self._behind_since_s = None
            return False
        if self._behind_since_s is None:
            self._behind_since_s = arrival_s
        return arrival_s - self._behind_since_s >= BEHIND_FOR_S

    def _after_last(self, wanted: datetime) -> datetime:
        if self._last is not None and wanted <= self._last:
            wanted = self._last + TICK
        self._last = wanted
        return wanted


@dataclass(slots=True)
class Pace:
    """Thins pictures out to a number a second, by their capture times."""

    frames_per_second: float
    _due: datetime | None = None

    def takes(self, captured_at: datetime) -> bool:
        """True where this picture is wanted."""
        step = timedelta(seconds=1.0 / self.frames_per_second)
        if self._due is None:
            self._due = captured_at + step
            return True
        if captured_at < self._due - 0.1 * step:
            # A clock that was set back must not silence the camera.
            if captured_at < self._due - 3 * step - timedelta(seconds=5):
                self._due = None
            return False
        self._due = max(self._due, captured_at - step) + step
        return True
