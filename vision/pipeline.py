"""The whole way of a frame: detect, level, read, track, agree, sighting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from vision.consensus import thumb_of
from vision.motion import MotionGate
from vision.picture import Detector, PictureReading, Reader, read_crop, read_picture
from vision.quality import quality
from vision.rectify import edges, level, possible_rows
from vision.sightings import Rules, Stays
from vision.stay import ReadCrop
from vision.track import Tracker
from vision.types import (
    Corners,
    Departure,
    Detection,
    Event,
    Frame,
    Reading,
    Sighting,
    Zone,
)
from vision.zones import zone_at

__all__ = [
    "Departure",
    "Detector",
    "Event",
    "LiveTrack",
    "PictureReading",
    "PipelineOptions",
    "PlateReaderPipeline",
    "Reader",
    "Sighting",
    "Stopwatch",
    "Zone",
    "build_pipeline",
    "read_crop",
    "read_picture",
]

Timed = TypeVar("Timed")


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """How one camera is watched. Times in seconds of capture time.

    zones: where plates count; without any they count everywhere.
    min_looks: independent looks a sure sighting needs. sure_ppm: the chance of error at which it is sure.
    dwell_s: how long a plate must stand. decide_within_s: after so long it is decided, sure or not.
    reentry_s: a plate back within this time never left. forget_s: how long a track survives unseen.
    reread_s: how often a plate is read again once its sighting is out.
    look_every_s: how often plates are looked for where nothing moves; 0 looks at every frame.
    """

    zones: tuple[Zone, ...] = ()
    min_looks: int = 3
    sure_ppm: int = 4000
    dwell_s: float = 1.0
    decide_within_s: float = 8.0
    reentry_s: float = 45.0
    forget_s: float = 3.0
    reread_s: float = 2.0
    look_every_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Stopwatch:
    """Where measured times go. clock: seconds, of the caller's choosing; record: stage, seconds."""

    clock: Callable[[], float]
    record: Callable[[str, float], None]


@dataclass(frozen=True, slots=True, eq=False)
class LiveTrack:
    """A plate before the camera now. wrong_ppm: a million where nothing could be read yet."""

    track: int
    corners: Corners
    text: str | None
    wrong_ppm: int
    zone: str | None
    is_decided: bool


class PlateReaderPipeline:
    """Turns the frames of one camera into sightings. Not for use by several threads at once."""

    def __init__(
        self,
        options: PipelineOptions,
        detector: Detector,
        reader: Reader,
        stopwatch: Stopwatch | None = None,
        second_reader: Reader | None = None,
    ) -> None:
        self.options = options
        self._detector = detector
        self._reader = reader
        self._stopwatch = stopwatch
        forget_s = min(options.forget_s, options.reentry_s)
        self._tracker = Tracker(forget_s)
        self._stays = Stays(
            Rules(
                zones=options.zones,
                min_looks=options.min_looks,
                dwell_s=options.dwell_s,
                decide_within_s=options.decide_within_s,
                reentry_s=options.reentry_s,
                forget_s=forget_s,
                sure_ppm=options.sure_ppm,
            ),
            self._timed_reader("read", reader),
            self._timed_reader("second", second_reader) if second_reader is not None else None,
        )
        self._gate = MotionGate(options.zones, options.look_every_s)
        self._detections: list[Detection] = []
        self._read_at: dict[int, datetime] = {}
        self._visible: list[int] = []

    @property
    def unread(self) -> int:
        """How many plates have come and gone that were plates for certain and could not be read."""
        return self._stays.unread

    def process(self, frame: Frame) -> list[Event]:
        """What has become certain with this frame. Frames come in the order they were captured."""
        if not self._must_look(frame):
            # Nothing has moved: what was there is there, where it was.
            still: list[Reading | None] = [None] * len(self._detections)
            return self._timed("track", lambda: self._follow(frame, self._detections, still))
        detections = self._timed("detect", lambda: self._detector.detect(frame.image))
        if len(detections) < len(self._detections):
            self._gate.stir(frame.captured_at)
        self._detections = detections
        known = self._tracker.certain(frame.captured_at, detections)
        readings = [
            self._read(frame, detection) if self._is_worth_reading(track, frame, detection) else None
            for detection, track in zip(detections, known, strict=True)
        ]
        return self._timed("track", lambda: self._follow(frame, detections, readings))

    def flush(self) -> list[Event]:
        """End of the stream: what is still open becomes final, and everybody has left."""
        self._visible = []
        return self._stays.flush()

    def live_tracks(self) -> list[LiveTrack]:
        """The plates in the last frame: what was read, or else seen so often and surely that it is one."""
        live = []
        for track in self._visible:
            stay = self._stays.stay_of(track)
            if stay is not None and stay.is_plate(self.options.min_looks):
                wrong_ppm = stay.consensus.wrong_ppm if stay.consensus is not None else 1_000_000
                is_decided = stay.sighting is not None
                live.append(LiveTrack(stay.number, stay.corners, stay.text, wrong_ppm, stay.zone, is_decided))
        return live

    def _must_look(self, frame: Frame) -> bool:
        if self.options.look_every_s <= 0:
            return True
        is_open = any(self._is_undecided(track) for track in self._visible)
        return self._timed(
            "gate", lambda: self._gate.must_look(frame.image, frame.captured_at, is_wanted=is_open)
        )

    def _is_undecided(self, track: int) -> bool:
        """Whether more looks at the track may decide it."""
        stay = self._stays.stay_of(track)
        return stay is not None and stay.counted_at is not None and not self._stays.is_settled(track)

    def _follow(
        self, frame: Frame, detections: list[Detection], readings: list[Reading | None]
    ) -> list[Event]:
        at = frame.captured_at
        plates = [reading.plate if reading is not None else None for reading in readings]
        thumbs = [thumb_of(reading.crop) if reading is not None else None for reading in readings]
        self._visible = self._tracker.update(at, detections, plates, thumbs)
        seen = zip(self._visible, detections, readings, thumbs, strict=True)
        for track, detection, reading, thumb in seen:
            if reading is not None:
                self._read_at[track] = at
            self._stays.observe(track, frame, detection, reading, thumb)
        for track in self._tracker.forget(at):
            self._read_at.pop(track, None)
        return self._stays.advance(at, self._visible)

    def _timed_reader(self, stage: str, reader: Reader) -> ReadCrop:
        return lambda crop, rows: self._timed(stage, lambda: reader.read(crop, rows))

    def _is_worth_reading(self, track: int | None, frame: Frame, detection: Detection) -> bool:
        """Whether a plate must be read now.

        Always, but for one that is surely of a known track and settled, or stands where none counts: that
        is read now and then, to notice another plate in its place.
        """
        if track is None or track not in self._read_at:
            return True
        size = (frame.image.shape[1], frame.image.shape[0])
        zones = self.options.zones
        counts = not zones or zone_at(detection.corners, size, zones) is not None
        if counts and not self._stays.is_settled(track):
            return True
        return (frame.captured_at - self._read_at[track]).total_seconds() >= self.options.reread_s

    def _read(self, frame: Frame, detection: Detection) -> Reading:
        crop = self._timed("level", lambda: level(frame.image, detection.corners))
        rows = possible_rows(detection.corners)
        plate = self._timed("read", lambda: self._reader.read(crop, rows))
        width_px, _ = edges(detection.corners)
        worth = quality(crop, width_px)
        return Reading(frame.number, frame.captured_at, detection, plate, worth, crop)

    def _timed(self, stage: str, work: Callable[[], Timed]) -> Timed:
        if self._stopwatch is None:
            return work()
        start = self._stopwatch.clock()
        result = work()
        self._stopwatch.record(stage, self._stopwatch.clock() - start)
        return result


def build_pipeline(
    options: PipelineOptions,
    detector: Detector,
    reader: Reader,
    stopwatch: Stopwatch | None = None,
    *,
    second_reader: Reader | None = None,
) -> PlateReaderPipeline:
    """A pipeline for one camera; it shares nothing with others but the networks handed in.

    reader: reads every look. second_reader: reads the best looks of each plate before it is decided.
    """
    return PlateReaderPipeline(options, detector, reader, stopwatch, second_reader)
