"""The loop of one camera: frames through the vision pipeline, sightings to the sink, health now and then."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Event as StopEvent
from typing import Protocol

from cameras.config import CameraConfig
from cameras.frame_source import FrameSource, NowFunction, SourceStats, utc_now
from cameras.health import CameraHealth, HealthLimits, HealthMonitor
from cameras.sinks import Sink
from cameras.sources import open_source
from vision.pipeline import PipelineOptions
from vision.types import Departure, Event, Frame, Sighting, Zone

log = logging.getLogger(__name__)

READ_STEP_S = 0.25
REPORT_EVERY_S = 3.0
FLUSH_TIMEOUT_S = 10.0
COMPLAIN_EVERY_S = 10.0
# Sightings that the sink could not take wait here; beyond that many the oldest is lost, loudly.
PENDING_LIMIT = 256
# Sightings whose departure is still to come.
OPEN_LIMIT = 4096


class Pipeline(Protocol):
    """What turns frames into events; vision.pipeline.PlateReaderPipeline."""

    @property
    def unread(self) -> int: ...

    def process(self, frame: Frame) -> list[Event]: ...

    def flush(self) -> list[Event]: ...


@dataclass(frozen=True, slots=True)
class WatchReport:
    """What a watch did. failures: times the pipeline raised. lost: events that could not be kept.

    unread: plates that came and went and could not be read.
    undelivered: True where messages were still waiting for the service at the end.
    """

    frames: int = 0
    sightings: int = 0
    departures: int = 0
    unread: int = 0
    failures: int = 0
    sink_failures: int = 0
    lost: int = 0
    undelivered: bool = False
    health: CameraHealth | None = None
    stats: SourceStats = field(default_factory=SourceStats)


def pipeline_options(camera: CameraConfig) -> PipelineOptions:
    """How the vision pipeline shall watch this camera."""
    options = PipelineOptions(
        zones=tuple(Zone(zone.name, zone.polygon) for zone in camera.zones), reentry_s=camera.reentry_s
    )
    if camera.decide_within_s is not None:
        options = replace(options, decide_within_s=camera.decide_within_s)
    if camera.dwell_s is not None:
        options = replace(options, dwell_s=camera.dwell_s)
    return options


def watch(
    camera: CameraConfig,
    pipeline: Pipeline,
    sink: Sink,
    stop: StopEvent,
    *,
    source: FrameSource | None = None,
    report_every_s: float = REPORT_EVERY_S,
    flush_timeout_s: float = FLUSH_TIMEOUT_S,
    now: NowFunction = utc_now,
    on_frame: Callable[[Frame], None] | None = None,
) -> WatchReport:
    """Watches the camera until stop is set or its file has ended; then everything open becomes final.

    source, sink: the source is closed at the end, the sink is not. on_frame: called after each frame.
    Raises StreamNotOpened or NoPictures where a file or folder cannot be used, and BrokenPipeError where
    nobody reads the JSON lines any more; nothing else ends it.
    """
    watcher = Watcher(camera, pipeline, sink, source or open_source(camera), report_every_s, now)
    try:
        while not stop.is_set() and not watcher.source.ended:
            frame = watcher.turn()
            if frame is not None and on_frame is not None:
                on_frame(frame)
    finally:
        watcher.finish(flush_timeout_s)
    return watcher.report


class Watcher:
    """The state of one watch."""

    def __init__(
        self,
        camera: CameraConfig,
        pipeline: Pipeline,
        sink: Sink,
        source: FrameSource,
        report_every_s: float,
        now: NowFunction,
    ) -> None:
        self.source = source
        self.report = WatchReport()
        self._camera = camera
        self._pipeline = pipeline
        self._sink = sink
        self._now = now
        self._report_every_s = report_every_s
        self._monitor = HealthMonitor(HealthLimits(frozen_after_s=camera.frozen_after_s))
        self._frame: Frame | None = None
        self._open: dict[int, str] = {}
        self._pending: deque[Event] = deque()
        self._reported_s = float("-inf")
        self._complained_s = float("-inf")

    def turn(self) -> Frame | None:
        """One frame, if there is one in time, and what is due besides."""
        self._frame = None
        if not self._guard("a frame could not be worked on", self._take):
            self.report = replace(self.report, failures=self.report.failures + 1)
        self._deliver()
        if time.monotonic() - self._reported_s >= self._report_every_s:
            self._report_health()
        return self._frame

    def finish(self, flush_timeout_s: float) -> None:
        """The end: what is open becomes final and is handed on."""
        self.source.close()
        if not self._guard("the pipeline could not be flushed", lambda: self._queue(self._pipeline.flush())):
            self.report = replace(self.report, failures=self.report.failures + 1)
        self._deliver()
        self._report_health()
        arrived: list[bool] = []
        self._guard(
            "the sink could not be flushed", lambda: arrived.append(self._sink.flush(flush_timeout_s))
        )
        undelivered = arrived != [True] or bool(self._pending)
        self.report = replace(
            self.report,
            undelivered=undelivered,
            stats=self.source.stats,
            unread=self._pipeline.unread,
        )

    def _take(self) -> None:
        frame = self._frame = self.source.read(READ_STEP_S)
        if frame is not None:
            self.report = replace(self.report, frames=self.report.frames + 1)
            self._monitor.see(frame)
            self._queue(self._pipeline.process(frame))

    def _queue(self, events: list[Event]) -> None:
        for event in events:
            if len(self._pending) >= PENDING_LIMIT:
                lost = self._pending.popleft()
                log.error("camera %s: %r is lost: nothing takes it", self._camera.name, lost)
                self.report = replace(self.report, lost=self.report.lost + 1)
            self._pending.append(event)

    def _deliver(self) -> None:
        """Hands events on in order; one that cannot be stored now (a full disk) is tried again."""
        while self._pending and self._guard("a sighting could not be handed on", self._hand_on_first):
            pass

    def _hand_on_first(self) -> None:
        try:
            self._hand_on(self._pending[0])
        except (OSError, sqlite3.Error):
            self.report = replace(self.report, sink_failures=self.report.sink_failures + 1)
            raise
        except Exception:
            # It will not go better next time, and must not hold up those behind it.
            self._pending.popleft()
            self.report = replace(self.report, lost=self.report.lost + 1)
            raise
        self._pending.popleft()

    def _hand_on(self, event: Event) -> None:
        match event:
            case Sighting():
                sighting_id = self._sink.sighting(event)
                if len(self._open) >= OPEN_LIMIT:
                    self._open.pop(next(iter(self._open)))
                self._open[event.track] = sighting_id
                self.report = replace(self.report, sightings=self.report.sightings + 1)
                log.info(
                    "camera %s: %s at %s, wrong in %d of a million, %d looks",
                    self._camera.name, event.text or "an unreadable plate", event.zone or "no pump",
                    event.wrong_ppm, event.looks,
                )  # fmt: skip
            case Departure():
                known = self._open.get(event.track)
                if known is not None:
                    self._sink.departure(known, event.left_at)
                    del self._open[event.track]
                    self.report = replace(self.report, departures=self.report.departures + 1)

    def _report_health(self) -> None:
        self._reported_s = time.monotonic()
        stats = self.source.stats
        health = self._monitor.judge(stats, self._moment(stats))
        self.report = replace(self.report, health=health, stats=stats)
        self._guard("the camera's health could not be reported", lambda: self._sink.health(health))

    def _moment(self, stats: SourceStats) -> datetime:
        """Now, in the time the frames are in: a recording's is long ago."""
        is_current = self._camera.is_live or self._camera.realtime
        return self._now() if is_current or stats.last_frame_at is None else stats.last_frame_at

    def _guard(self, failed: str, work: Callable[[], None]) -> bool:
        """Does the work; where that fails the traceback is logged, though not for every frame."""
        try:
            work()
        except BrokenPipeError:
            # Whoever read our lines is gone: there is nothing to go on for.
            raise
        except Exception:
            if time.monotonic() - self._complained_s >= COMPLAIN_EVERY_S:
                self._complained_s = time.monotonic()
                log.exception("camera %s: %s", self._camera.name, failed)
            return False
        return True
