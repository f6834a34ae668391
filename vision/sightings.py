"""One sighting per plate per stay: when tracks are one stay, when a stay is decided, and when it is over.

A stay is a plate's presence before the camera. It may hold several tracks: a plate hidden for longer than
the tracker remembers, or gone from the picture and back within `reentry_s`, is the same stay. It gives one
sighting, once, and after that only its departure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt

from vision.consensus import Consensus, Look, agree, novelty, thumb_of
from vision.rectify import edges
from vision.track import edit_distance
from vision.types import Corners, Departure, Event, Frame, Image, Position, Reading, Sighting, Zone
from vision.zones import Rest, zone_at

Point = npt.NDArray[np.float64]

# More looks than these add nothing but time, and more that could not be read add nothing at all.
MOST_LOOKS = 48
MOST_UNREAD = 4
# How many texts of a stay keep their best picture until it is decided.
MOST_PICTURES = 3
# What cannot be read is worth reporting only if the detector is so sure that it is a plate.
SURELY_A_PLATE = 0.6
# A reading that is not sure is of the stay before it if it is so near (plate widths) and differs in so few.
NEAR_WIDTHS = 3.0
FEW_CHARACTERS = 2
# How likely two readings must be of one plate, position by position together, to be taken as one.
COMPATIBLE = 0.05


@dataclass(frozen=True, slots=True)
class Rules:
    """When a stay is decided; see PipelineOptions."""

    zones: tuple[Zone, ...]
    min_looks: int
    dwell_s: float
    decide_within_s: float
    reentry_s: float
    forget_s: float
    sure_ppm: int


@dataclass(slots=True, eq=False)
class Stay:
    """A plate's presence before the camera. Changed by its `Stays` only.

    number: of its first track. counted_at: when it was first seen where looks count, or None.
    readings: how often it was read there; looks: what counts of it.
    """

    number: int
    camera: str
    first_seen_at: datetime
    seen_at: datetime
    corners: Corners
    rest: Rest
    zone: str | None = None
    counted_at: datetime | None = None
    readings: int = 0
    looks: list[Look] = field(default_factory=list)
    pictures: dict[str | None, tuple[float, Reading, Image]] = field(default_factory=dict)
    zone_seconds: dict[str, float] = field(default_factory=dict)
    consensus: Consensus | None = None
    sighting: Sighting | None = None

    @property
    def centre(self) -> Point:
        """The middle of the plate where it was last seen, pixels."""
        return np.asarray(self.corners.mean(axis=0), np.float64)

    @property
    def width(self) -> float:
        """Its width there, pixels."""
        return edges(self.corners)[0]


class Stays:
    """All stays before one camera, from tracked plates to events."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.stays: dict[int, Stay] = {}
        self._of_track: dict[int, int] = {}

    def is_settled(self, track: int) -> bool:
        """Whether reading the track again would hardly change anything."""
        stay = self.stay_of(track)
        return stay is not None and (stay.sighting is not None or stay.readings >= MOST_LOOKS)

    def observe(self, track: int, frame: Frame, corners: Corners, reading: Reading | None) -> None:
        """Take in a tracked plate in a frame; reading: None where it was not read."""
        stay = self.stay_of(track) or self._begin(track, frame, corners)
        size = (frame.image.shape[1], frame.image.shape[0])
        zone = zone_at(corners, size, self.rules.zones)
        at = frame.captured_at
        if zone is not None and zone == stay.zone:
            passed_s = (at - stay.seen_at).total_seconds()
            stay.zone_seconds[zone] = stay.zone_seconds.get(zone, 0.0) + passed_s
        stay.zone, stay.corners, stay.seen_at = zone, corners, at
        stay.rest.see(stay.centre, stay.width, at)
        if zone is None and self.rules.zones:
            return
        stay.counted_at = stay.counted_at or at
        if reading is not None and stay.sighting is None:
            add_look(stay, reading, frame.image)
            self._join(stay)

    def advance(self, now: datetime, visible: Sequence[int]) -> list[Event]:
        """The events due at `now`. visible: the tracks in the frame of that time."""
        shown = {stay.number for track in visible if (stay := self.stay_of(track)) is not None}
        events: list[Event] = []
        for stay in list(self.stays.values()):
            is_visible = stay.number in shown
            gone_s = (now - stay.seen_at).total_seconds()
            is_due = stay.sighting is None and self._is_due(stay, now, is_visible, gone_s)
            if is_due and not self._absorb(stay) and (sighting := self._decide(stay)) is not None:
                events.append(sighting)
            if stay.number in self.stays and not is_visible and gone_s >= self.rules.reentry_s:
                events += self._close(stay)
        return events

    def flush(self) -> list[Event]:
        """The stream is over: decide what is open, and everybody has left."""
        events: list[Event] = []
        for stay in list(self.stays.values()):
            if stay.sighting is None and not self._absorb(stay) and self._is_worth(stay):
                sighting = self._decide(stay)
                events += [sighting] if sighting is not None else []
            if stay.number in self.stays:
                events += self._close(stay)
        return events

    def stay_of(self, track: int) -> Stay | None:
        """The stay a track belongs to, or None once it is over."""
        number = self._of_track.get(track)
        return self.stays.get(number) if number is not None else None

    def _begin(self, track: int, frame: Frame, corners: Corners) -> Stay:
        rest = Rest(corners.mean(axis=0).astype(np.float64), frame.captured_at)
        stay = Stay(track, frame.camera, frame.captured_at, frame.captured_at, corners, rest)
        self.stays[track] = stay
        self._of_track[track] = track
        return stay

    def _close(self, stay: Stay) -> list[Event]:
        del self.stays[stay.number]
        self._of_track = {t: n for t, n in self._of_track.items() if n != stay.number}
        return [Departure(stay.number, stay.seen_at)] if stay.sighting is not None else []

    def _is_sure(self, stay: Stay) -> bool:
        said = stay.consensus
        return (
            said is not None
            and said.text is not None
            and said.looks >= self.rules.min_looks
            and said.wrong_ppm <= self.rules.sure_ppm
        )

    def _is_worth(self, stay: Stay) -> bool:
        """Whether a stay that is not sure is worth a person's time: read twice, or standing long unread."""
        if stay.counted_at is None or stay.consensus is None:
            return False
        if self._is_sure(stay):
            return True
        if stay.consensus.text is not None:
            return stay.readings >= 2
        stood_s = (stay.seen_at - stay.rest.since).total_seconds()
        if max(reading.detection.score for _, reading, _ in stay.pictures.values()) < SURELY_A_PLATE:
            return False
        return stay.readings > self.rules.min_looks and stood_s >= self.rules.decide_within_s

    def _is_due(self, stay: Stay, now: datetime, is_visible: bool, gone_s: float) -> bool:
        if stay.counted_at is None or not self._is_worth(stay):
            return False
        if not is_visible:
            # A plate that is not sure yet may come back from behind another car and become so.
            patience_s = self.rules.forget_s if self._is_sure(stay) else self.rules.decide_within_s
            return gone_s > max(patience_s, self.rules.forget_s)
        if (now - stay.counted_at).total_seconds() >= self.rules.decide_within_s:
            return True
        is_there = stay.zone is not None or not self.rules.zones
        stood_s = (now - max(stay.rest.since, stay.counted_at)).total_seconds()
        return is_there and stood_s >= self.rules.dwell_s and self._is_sure(stay)

    def _decide(self, stay: Stay) -> Sighting | None:
        """The sighting of the stay, now final."""
        said = stay.consensus
        if said is None or stay.counted_at is None:
            return None
        _, best, image = stay.pictures.get(said.text) or max(stay.pictures.values(), key=lambda x: x[0])
        zone = stay.zone or max(stay.zone_seconds, key=lambda z: stay.zone_seconds[z], default=None)
        stay.sighting = Sighting(
            track=stay.number,
            camera=stay.camera,
            text=said.text,
            colour=said.colour,
            positions=said.positions,
            wrong_ppm=said.wrong_ppm,
            looks=max(said.looks, 1),
            zone=zone,
            first_seen_at=stay.counted_at,
            last_seen_at=stay.seen_at,
            best=best,
            frame=image,
        )
        stay.looks.clear()
        stay.pictures.clear()
        return stay.sighting

    def _join(self, stay: Stay) -> None:
        """If a plate now gone is this one, this is still its stay; `stay` may be merged away."""
        for earlier in self.stays.values():
            if earlier is not stay and self._was_gone(earlier, stay) and self._is_same(earlier, stay):
                self._merge(earlier, stay)
                return

    def _absorb(self, stay: Stay) -> bool:
        """Whether `stay`, about to be decided, turns out to be part of another one and was merged into it.

        A text that has its sighting gets no second one while its plate is about. What is not sure and
        looks like the plate that was here a moment ago is taken for that plate.
        """
        said = stay.consensus
        for other in self.stays.values():
            if other is stay or other.consensus is None or said is None:
                continue
            is_told = (
                other.sighting is not None and said.text is not None and other.sighting.text == said.text
            )
            is_blurred = (
                not self._is_sure(stay)
                and self._was_gone(other, stay)
                and is_near(other, stay)
                and looks_like(other.consensus.text, said.text)
            )
            if is_told or is_blurred:
                self._merge(other, stay)
                return True
        return False

    def _was_gone(self, earlier: Stay, later: Stay) -> bool:
        """Whether the one had left before the other came, and not too long ago."""
        return 0.0 < (later.first_seen_at - earlier.seen_at).total_seconds() <= self.rules.reentry_s

    def _is_same(self, earlier: Stay, later: Stay) -> bool:
        before, now = earlier.consensus, later.consensus
        if before is None or now is None or before.text is None or now.text is None:
            return False
        if before.text == now.text:
            return True
        if self._is_sure(earlier) and self._is_sure(later):
            return False
        return is_near(earlier, later) and likeness(before.positions, now.positions) >= COMPATIBLE

    def _merge(self, earlier: Stay, later: Stay) -> None:
        """Make the tracks, looks and pictures of `later` part of `earlier`."""
        del self.stays[later.number]
        self._of_track = {t: earlier.number if n == later.number else n for t, n in self._of_track.items()}
        if later.seen_at > earlier.seen_at:
            earlier.seen_at, earlier.corners, earlier.zone = later.seen_at, later.corners, later.zone
            earlier.rest = later.rest
        if earlier.sighting is None:
            earlier.counted_at = earlier.counted_at or later.counted_at
            earlier.readings += later.readings
            earlier.looks = (earlier.looks + later.looks)[:MOST_LOOKS]
            earlier.consensus = agree(earlier.looks) if earlier.looks else None
            for text, picture in later.pictures.items():
                keep_picture(earlier.pictures, text, picture)


def add_look(stay: Stay, reading: Reading, image: Image) -> None:
    """Take one more reading into the stay's consensus and keep its picture if it is a good one."""
    stay.readings += 1
    unread = sum(look.plate.text is None for look in stay.looks)
    has_room = unread < MOST_UNREAD if reading.plate.text is None else len(stay.looks) - unread < MOST_LOOKS
    if has_room:
        thumb = thumb_of(reading.crop)
        stay.looks.append(Look(reading.plate, reading.quality, novelty(thumb, stay.looks), thumb))
        stay.consensus = agree(stay.looks)
    worth = reading.quality * (0.1 + reading.plate.confidence)
    keep_picture(stay.pictures, reading.plate.text, (worth, reading, image))


def keep_picture(
    pictures: dict[str | None, tuple[float, Reading, Image]],
    text: str | None,
    picture: tuple[float, Reading, Image],
) -> None:
    """Keep the best picture of each text, and of few texts; changes `pictures`."""
    if text not in pictures or picture[0] > pictures[text][0]:
        pictures[text] = picture
    if len(pictures) > MOST_PICTURES:
        del pictures[min(pictures, key=lambda t: pictures[t][0])]


def is_near(earlier: Stay, later: Stay) -> bool:
    """Whether the later plate is about where the earlier one was last seen."""
    distance = float(np.linalg.norm(earlier.centre - later.centre))
    return distance <= NEAR_WIDTHS * max(earlier.width, later.width)


def looks_like(known: str | None, unsure: str | None) -> bool:
    """Whether an unsure text may be a bad reading of a known one; nothing read may be anything."""
    return known is None or unsure is None or edit_distance(known, unsure) <= FEW_CHARACTERS


def likeness(a: Sequence[Position], b: Sequence[Position]) -> float:
    """Chance that two readings, each right as often as it says, are of one text."""
    if len(a) != len(b):
        return 0.0
    return math.prod(
        sum(p * other.get(c, 0.0) for c, p in position)
        for position, other in zip(a, (dict(x) for x in b), strict=True)
    )
