"""Frames from disk: a video file or a folder of stills. Nothing is dropped."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av

from cameras.capture_time import Pace
from cameras.config import CameraConfig
from cameras.decoding import Broken, Connection, Picture
from cameras.errors import NoPictures, StreamLost, StreamNotOpened
from cameras.frame_source import NowFunction, SourceStats, each_frame, utc_now, with_size
from cameras.stills import Still, still_paths
from vision.types import Frame

log = logging.getLogger(__name__)


class VideoFileSource:
    """A video file, every picture of it in order; realtime plays it at the speed it was taken.

    starts_at: when its first picture was taken; None is the file's own time, or now where it is played in
    real time. Raises StreamNotOpened.
    """

    def __init__(self, camera: CameraConfig, *, now: NowFunction = utc_now) -> None:
        path = Path(camera.url)
        if not path.is_file():
            raise StreamNotOpened(camera.url, "there is no such file")
        self._camera = camera
        self._connection = Connection(str(path))
        self._items = self._connection.pictures()
        self._pace = Pace(camera.frames_per_second)
        self._clock = FileClock(file_start(camera, path, now), camera.realtime)
        self._stats = SourceStats(phase="connected")
        self._number = 0
        self._stop = threading.Event()
        self._decoding = threading.Lock()
        self._held: Frame | None = None

    @property
    def stats(self) -> SourceStats:
        return self._stats

    @property
    def ended(self) -> bool:
        return self._stop.is_set() or self._stats.phase == "ended"

    def read(self, timeout_s: float) -> Frame | None:
        with self._decoding:
            frame = self._held or self._next_frame()
        if frame is None:
            return None
        self._held = None
        if not self._clock.wait_for(frame.captured_at, timeout_s, self._stop):
            self._held = frame
            return None
        return frame

    def __iter__(self) -> Iterator[Frame]:
        return each_frame(self)

    def close(self) -> None:
        """Ends the source; a reader that waits returns at once."""
        self._stop.set()
        with self._decoding:
            self._finish(self._stats.detail)

    def _next_frame(self) -> Frame | None:
        while not self.ended:
            try:
                item = next(self._items, None)
                if item is None:
                    self._finish(self._stats.detail)
                elif isinstance(item, Broken):
                    self._note_broken(item.reason)
                else:
                    frame = self._take(item)
                    if frame is not None:
                        return frame
            except StreamLost as error:
                log.warning("camera %s: %s", self._camera.name, error)
                self._finish(str(error))
            except (av.error.FFmpegError, ValueError) as error:
                self._note_broken(str(error))
        return None

    def _take(self, picture: Picture) -> Frame | None:
        captured_at = self._clock.captured_at(picture.pts_s, 1.0 / self._camera.frames_per_second)
        number = self._number
        self._number += 1
        is_wanted = self._pace.takes(captured_at)
        self._stats = replace(
            with_size(self._stats, picture.width, picture.height),
            frames=self._stats.frames + 1,
            thinned=self._stats.thinned + (not is_wanted),
            last_frame_at=captured_at,
        )
        if not is_wanted:
            return None
        return Frame(picture.image(), captured_at, self._camera.name, number)

    def _note_broken(self, reason: str) -> None:
        count = self._stats.broken_frames + 1
        self._stats = replace(self._stats, broken_frames=count, detail=f"broken frame: {reason}")

    def _finish(self, detail: str) -> None:
        if self._stats.phase != "ended":
            self._connection.close()
        self._stats = replace(self._stats, phase="ended", detail=detail)


def file_start(camera: CameraConfig, path: Path, now: NowFunction) -> datetime:
    """When the first picture of a file or folder was taken, as far as can be known."""
    if camera.starts_at is not None:
        return camera.starts_at
    if camera.realtime:
        return now()
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


class FileClock:
    """Capture times of a file from its own times, and the waits that make it play in real time."""

    def __init__(self, start: datetime, realtime: bool) -> None:
        self._start = start
        self._realtime = realtime
        self._began_s = time.monotonic()
        self._zero_pts_s: float | None = None
        self._last_pts_s = 0.0
        self._last: datetime | None = None

    def captured_at(self, pts_s: float | None, step_s: float) -> datetime:
        """step_s: how far apart pictures are where the file does not say."""
        last = self._last
        if pts_s is None:
            found = self._start if last is None else last + timedelta(seconds=step_s)
        else:
            if self._zero_pts_s is None:
                self._zero_pts_s = pts_s
            elif last is not None and pts_s < self._last_pts_s:
                # Recordings put end to end: each counts from its own beginning.
                passed_s = (last - self._start).total_seconds()
                self._zero_pts_s = pts_s - passed_s - step_s
            self._last_pts_s = pts_s
            found = self._start + timedelta(seconds=pts_s - self._zero_pts_s)
        if last is not None and found <= last:
            found = last + timedelta(microseconds=1)
        self._last = found
        return found

    def wait_for(self, captured_at: datetime, timeout_s: float, stop: threading.Event) -> bool:
        """Waits until the picture is due; False where that is not within the time given, or it is stopped."""
        if not self._realtime:
            return not stop.is_set()
        due_s = self._began_s + (captured_at - self._start).total_seconds()
        left_s = due_s - time.monotonic()
        if left_s > 0:
            stop.wait(min(left_s, timeout_s))
        return not stop.is_set() and time.monotonic() >= due_s


class StillsSource:
    """A folder of stills in the order of their names; a damaged one is counted and named.

    Capture times: starts_at and on from there at frames_per_second, or each file's own time, pushed on where
    files are as old as each other. Raises NoPictures.
    """

    def __init__(self, camera: CameraConfig, *, now: NowFunction = utc_now) -> None:
        folder = Path(camera.url)
        self._paths = still_paths(folder)
        if not self._paths:
            raise NoPictures(camera.url, "there is no picture in this folder")
        self._camera = camera
        self._step = timedelta(seconds=1.0 / camera.frames_per_second)
        self._fixed_start = camera.starts_at or (now() if camera.realtime else None)
        self._clock = FileClock(self._fixed_start or now(), camera.realtime)
        self._index = 0
        self._last: datetime | None = None
        self._held: Frame | None = None
        self._stats = SourceStats(phase="connected")
        self._stop = threading.Event()

    @property
    def stats(self) -> SourceStats:
        return self._stats

    @property
    def ended(self) -> bool:
        return self._stop.is_set() or self._stats.phase == "ended"

    def read(self, timeout_s: float) -> Frame | None:
        frame = self._held or self._next_frame()
        self._held = None
        if frame is not None and not self._clock.wait_for(frame.captured_at, timeout_s, self._stop):
            self._held = frame
            return None
        return frame

    def __iter__(self) -> Iterator[Frame]:
        return each_frame(self)

    def close(self) -> None:
        self._stop.set()
        self._stats = replace(self._stats, phase="ended")

    def _next_frame(self) -> Frame | None:
        while not self.ended:
            if self._index >= len(self._paths):
                self._stats = replace(self._stats, phase="ended")
                return None
            number, path = self._index, self._paths[self._index]
            self._index += 1
            still = Still.read(path)
            captured_at = self._captured_at(path)
            if still.image is None:
                self._note_broken(path.name, still.problem)
                continue
            height, width = still.image.shape[:2]
            self._stats = replace(
                with_size(self._stats, width, height),
                frames=self._stats.frames + 1,
                last_frame_at=captured_at,
            )
            return Frame(still.image, captured_at, self._camera.name, number)
        return None

    def _captured_at(self, path: Path) -> datetime:
        if self._last is None:
            found = self._fixed_start or file_time(path)
        elif self._fixed_start is not None:
            found = self._last + self._step
        else:
            found = max(file_time(path), self._last + self._step)
        self._last = found
        return found

    def _note_broken(self, name: str, problem: str) -> None:
        log.warning("camera %s: %s cannot be used: %s", self._camera.name, name, problem)
        self._stats = replace(
            self._stats,
            broken_frames=self._stats.broken_frames + 1,
            detail=f"{name}: {problem}",
            broken_names=(*self._stats.broken_names, name)[-20:],
        )


def file_time(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
