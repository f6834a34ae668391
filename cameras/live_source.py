"""A live stream: read by a thread of its own, reconnected for ever, never behind."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import av

from cameras.backoff import Backoff
from cameras.capture_time import Pace, StreamClock
from cameras.config import CameraConfig
from cameras.decoding import Broken, Connection, Picture
from cameras.errors import StreamError, StreamLost, masked
from cameras.frame_source import NowFunction, SourceStats, each_frame, utc_now, with_size
from vision.types import Frame

log = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 6.0


@dataclass(frozen=True, slots=True, eq=False)
class Pending:
    """A decoded picture that waits to be taken."""

    picture: Picture
    captured_at: datetime
    number: int


class LiveSource:
    """A stream that is read at once by a thread of its own, which keeps only the newest picture.

    It reconnects for ever; a slow reader gets the newest picture, not the next. wait: sleeps that many
    seconds, or less once the source is closed.
    """

    def __init__(
        self,
        camera: CameraConfig,
        *,
        rng: random.Random | None = None,
        now: NowFunction = utc_now,
        backoff: Backoff | None = None,
        open_timeout_s: float = 10.0,
        read_timeout_s: float = 5.0,
    ) -> None:
        self._camera = camera
        self._now = now
        self._backoff = backoff or Backoff(rng or random.Random())  # noqa: S311 - no secret depends on it
        self._timeouts = (open_timeout_s, read_timeout_s)
        self._stats = SourceStats()
        self._newest: Pending | None = None
        self._number = 0
        self._last_captured: datetime | None = None
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"camera-{camera.name}", daemon=True)
        self._thread.start()

    @property
    def stats(self) -> SourceStats:
        with self._changed:
            return self._stats

    @property
    def ended(self) -> bool:
        return self._stop.is_set()

    def read(self, timeout_s: float) -> Frame | None:
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._stop.is_set(), timeout_s)
            pending, self._newest = self._newest, None
        if pending is None or self._stop.is_set():
            return None
        try:
            image = pending.picture.image()
        except (av.error.FFmpegError, ValueError, MemoryError) as error:
            self._note_broken(f"a picture cannot be converted: {error}")
            return None
        return Frame(image, pending.captured_at, self._camera.name, pending.number)

    def __iter__(self) -> Iterator[Frame]:
        return each_frame(self)

    def close(self) -> None:
        """Ends the source; a reader that waits returns at once."""
        self._stop.set()
        with self._changed:
            self._stats = replace(self._stats, phase="ended")
            self._newest = None
            self._changed.notify_all()
        if self._thread is not threading.current_thread():
            self._thread.join(CLOSE_TIMEOUT_S)

    def wait_until(self, condition: Callable[[SourceStats], bool], timeout_s: float) -> bool:
        """Waits until the stats fulfil the condition; False where they do not in time."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(self._stats), timeout_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._one_connection()
                error: Exception = StreamLost(self._camera.url, "the stream ended")
            except StreamError as caught:
                error = caught
            except Exception as caught:
                log.exception("camera %s: the reader failed", self._camera.name)
                error = caught
            if self._stop.is_set():
                return
            self._note_failure(str(error) or type(error).__name__)
            self._stop.wait(self._backoff.next_s())

    def _one_connection(self) -> None:
        open_timeout_s, read_timeout_s = self._timeouts
        with Connection(
            self._camera.url, open_timeout_s=open_timeout_s, read_timeout_s=read_timeout_s
        ) as connection:
            clock = StreamClock(holds_one_back=connection.holds_one_back)
            pace = Pace(self._camera.frames_per_second)
            is_first = True
            for item in connection.pictures():
                if self._stop.is_set():
                    return
                if isinstance(item, Broken):
                    self._note_broken(item.reason)
                    continue
                if is_first:
                    is_first = False
                    self._note_connected()
                self._offer(item, clock.captured_at(item.pts_s, self._now()), pace)

    def _offer(self, picture: Picture, captured_at: datetime, pace: Pace) -> None:
        with self._changed:
            if self._last_captured is not None and captured_at <= self._last_captured:
                captured_at = self._last_captured + timedelta(microseconds=1)
            self._last_captured = captured_at
            number = self._number
            self._number += 1
            is_wanted = pace.takes(captured_at)
            is_late = is_wanted and self._newest is not None
            self._stats = replace(
                with_size(self._stats, picture.width, picture.height),
                frames=self._stats.frames + 1,
                thinned=self._stats.thinned + (not is_wanted),
                dropped=self._stats.dropped + is_late,
                last_frame_at=captured_at,
            )
            if is_wanted:
                self._newest = Pending(picture, captured_at, number)
            self._changed.notify_all()

    def _note_connected(self) -> None:
        self._backoff.reset()
        with self._changed:
            again = self._stats.frames > 0
            self._stats = replace(
                self._stats,
                phase="connected",
                detail="",
                failed_attempts=0,
                reconnects=self._stats.reconnects + again,
            )
            self._changed.notify_all()
        log.info("camera %s: connected to %s", self._camera.name, masked(self._camera.url))

    def _note_broken(self, reason: str) -> None:
        with self._changed:
            self._stats = replace(
                self._stats, broken_frames=self._stats.broken_frames + 1, detail=f"broken frame: {reason}"
            )
            self._changed.notify_all()

    def _note_failure(self, text: str) -> None:
        with self._changed:
            attempts = self._stats.failed_attempts + 1
            self._stats = replace(self._stats, phase="reconnecting", detail=text, failed_attempts=attempts)
            self._changed.notify_all()
        log.log(
            logging.WARNING if attempts == 1 else logging.DEBUG,
            "camera %s: %s (attempt %d)", self._camera.name, text, attempts,
        )  # fmt: skip
