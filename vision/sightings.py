"""One sighting per plate per stay: when tracks are one stay, when a stay is decided, and when it is over.

A stay is a plate's presence before the camera. It may hold several tracks: a plate hidden for longer than
the tracker remembers, or gone from the picture and back within `reentry_s`, is the same stay. It gives one
sighting, once, and after that only its departure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from vision.consensus import Thumb, agree
from vision.stay import (
    HAS_MOVED_WIDTHS,
    MOST_LOOKS,
    SURELY_A_PLATE,
    ReadCrop,
    Stay,
    add_frame,
    add_look,
    ask_second,
    ask_stacked,
    is_near,
    is_stack_due,
    keep_picture,
    likeness,
    looks_like,
    note_neighbours,
    read_stack,
    taken,
)
from vision.types import Corners, Departure, Detection, Event, Frame, Reading, Sighting, Zone
from vision.zones import Rest, zone_at

# The second reader reads so many looks as soon as they are enough to decide by, and more at the last moment.
SECOND_LOOKS, MOST_SECOND_LOOKS = 3, 5
# How likely two readings must be of one plate, position by position together, to be taken as one.
COMPATIBLE = 0.05
# A plate has come to rest in no fewer frames than this: with very few a second, two prove nothing.
LEAST_AT_REST = 3
# A car that moves in a zone may take so many times as long until it is decided.
PATIENCE = 3


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


class Stays:
    """All stays before one camera, from tracked plates to events.

    first: reads the mean of standing frames. second: another reader, asked about the best looks; without it
    the first reader decides alone.
    unread: how many plates have left that could not be read.
    """

    def __init__(self, rules: Rules, first: ReadCrop, second: ReadCrop | None = None) -> None:
        self.rules = rules
        self.stays: dict[int, Stay] = {}
        self.unread = 0
        self._first = first
        self._second = second
        self._of_track: dict[int, int] = {}

    def is_settled(self, track: int) -> bool:
        """Whether reading the track again would hardly change anything."""
        stay = self.stay_of(track)
        return stay is not None and (stay.sighting is not None or stay.readings >= MOST_LOOKS)

    def observe(
        self, track: int, frame: Frame, detection: Detection, reading: Reading | None, thumb: Thumb | None
    ) -> None:
        """Take in a tracked plate in a frame; reading, thumb: None where it was not read."""
        stay = self.stay_of(track) or self._begin(track, frame, detection.corners)
        size = (frame.image.shape[1], frame.image.shape[0])
        zone = zone_at(detection.corners, size, self.rules.zones)
        at = frame.captured_at
        is_found = detection.corners is not stay.corners or stay.seen == 0
        stay.see(detection.corners, detection.score, at)
        if zone is not None and stay.counted_at is not None:
            rested_s = (at - max(stay.rest.since, stay.counted_at)).total_seconds()
            stay.stood_s[zone] = max(rested_s, stay.stood_s.get(zone, 0.0))
        stay.zone = zone
        if zone is None and self.rules.zones:
            return
        stay.counted_at = stay.counted_at or at
        if stay.sighting is None:
            add_frame(stay, frame.image, detection.corners, is_found=is_found)
        if reading is not None and thumb is not None and stay.sighting is None:
            add_look(stay, reading, thumb, frame.image)
            self._join(stay)

    def advance(self, now: datetime, visible: Sequence[int]) -> list[Event]:
        """The events due at `now`. visible: the tracks in the frame of that time."""
        shown = {stay.number: stay for track in visible if (stay := self.stay_of(track)) is not None}
        note_neighbours(list(shown.values()))
        events: list[Event] = []
        for stay in list(self.stays.values()):
            is_visible = stay.number in shown
            gone_s = (now - stay.seen_at).total_seconds()
            if stay.sighting is None and self._is_due_after_all(stay, now, is_visible, gone_s):
                sighting = self._decide(stay) if not self._absorb(stay) else None
                events += [sighting] if sighting is not None else []
            if stay.number in self.stays and not is_visible and gone_s >= self.rules.reentry_s:
                events += self._finish(stay)
        return events

    def flush(self) -> list[Event]:
        """The stream is over: decide what is open, and everybody has left."""
        events: list[Event] = []
        for stay in list(self.stays.values()):
            events += self._finish(stay)
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

    def _finish(self, stay: Stay) -> list[Event]:
        """It has left for good: decide it if it is open, and tell that it has left."""
        events: list[Event] = []
        if stay.sighting is None and self._is_worth(stay):
            self._ask_second(stay, MOST_SECOND_LOOKS)
            sighting = self._decide(stay) if not self._absorb(stay) else None
            events += [sighting] if sighting is not None else []
        return events + (self._close(stay) if stay.number in self.stays else [])

    def _close(self, stay: Stay) -> list[Event]:
        del self.stays[stay.number]
        self._of_track = {t: n for t, n in self._of_track.items() if n != stay.number}
        if stay.sighting is None and stay.text is None and stay.is_plate(self.rules.min_looks):
            self.unread += 1
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
        """Whether a stay that is not sure is worth a person's time: read twice, or long unread."""
        if stay.counted_at is None or stay.consensus is None:
            return False
        if self._is_sure(stay):
            return True
        if stay.consensus.text is not None:
            return stay.readings >= 2
        if stay.is_attachment or stay.surest < SURELY_A_PLATE or not self._has_come(stay):
            return False
        stood_s = (stay.seen_at - stay.rest.since).total_seconds()
        return stay.readings > self.rules.min_looks and stood_s >= self.rules.decide_within_s

    def _has_come(self, stay: Stay) -> bool:
        """Whether it, or what was there before it was hidden, has been seen to move."""
        before = (
            other for other in self.stays.values() if self._was_gone(other, stay) and is_near(other, stay)
        )
        return any(each.moved_widths >= HAS_MOVED_WIDTHS for each in (stay, *before))

    def _is_due_after_all(self, stay: Stay, now: datetime, is_visible: bool, gone_s: float) -> bool:
        """Whether it is to be decided now, by what both readers say where there are two.

        The second reader is asked before anything is final, and when the first would have decided by now
        but is not sure.
        """
        if is_visible:
            self._read_stack(stay, now)
        is_due = self._is_due(stay, now, is_visible, gone_s)
        if self._second is None:
            return is_due
        if is_due:
            is_last = not is_visible or not self._is_sure(stay)
            has_asked = self._ask_second(stay, MOST_SECOND_LOOKS if is_last else SECOND_LOOKS)
        else:
            has_asked = self._is_waiting(stay, now, is_visible) and self._ask_second(stay, SECOND_LOOKS)
        return self._is_due(stay, now, is_visible, gone_s) if has_asked else is_due

    def _read_stack(self, stay: Stay, now: datetime) -> None:
        """Have the frames since it stands read as one, where there are many more than before."""
        if not self._has_stood(stay, now):
            return
        is_last = self._is_due(stay, now, is_visible=True, gone_s=0.0)
        if is_stack_due(stay, is_last=is_last):
            read_stack(stay, self._first)
            if self._second is not None and stay.second_readings:
                ask_stacked(stay, self._second)

    def _ask_second(self, stay: Stay, most: int) -> bool:
        """Have the second reader read the stack and the best looks, at most so many; whether it did."""
        has_asked = False
        if self._second is not None and stay.counted_at is not None:
            has_asked = ask_stacked(stay, self._second)
            while stay.second_readings < most and ask_second(stay, self._second):
                has_asked = True
        return has_asked

    def _is_waiting(self, stay: Stay, now: datetime, is_visible: bool) -> bool:
        """Whether only certainty is missing: it stands where it counts and was read often enough."""
        return is_visible and stay.readings >= self.rules.min_looks and self._has_stood(stay, now)

    def _has_stood(self, stay: Stay, now: datetime, times: int = 1) -> bool:
        """Whether it has come to rest where it counts, for so many times as long as it must."""
        if stay.counted_at is None or (stay.zone is None and self.rules.zones):
            return False
        stood_s = (now - max(stay.rest.since, stay.counted_at)).total_seconds()
        return stood_s >= times * self.rules.dwell_s and stay.rest.frames >= LEAST_AT_REST

    def _is_seen_standing(self, stay: Stay, now: datetime) -> bool:
        """Whether its standing frames have had their say, or it has stood so long that they never will."""
        return stay.stacked is not None or self._has_stood(stay, now, times=2)

    def _is_due(self, stay: Stay, now: datetime, is_visible: bool, gone_s: float) -> bool:
        if stay.counted_at is None or not self._is_worth(stay):
            return False
        if not is_visible:
            # A plate that is not sure yet may come back from behind another car and become so.
            patience_s = self.rules.forget_s if self._is_sure(stay) else self.rules.decide_within_s
            return gone_s > max(patience_s, self.rules.forget_s)
        # One that still moves, or is in no zone, may yet come to stand at a pump.
        patience = 1 if self._has_stood(stay, now) or not self.rules.zones else PATIENCE
        if (now - stay.counted_at).total_seconds() >= patience * self.rules.decide_within_s:
            return True
        return self._has_stood(stay, now) and self._is_sure(stay) and self._is_seen_standing(stay, now)

    def _decide(self, stay: Stay) -> Sighting | None:
        """The sighting of the stay, now final."""
        said = stay.consensus
        if said is None or stay.counted_at is None:
            return None
        _, best, image = stay.pictures.get(said.text) or max(stay.pictures.values(), key=lambda x: x[0])
        # Only where it stood: a car on its way to another pump drives through zones.
        stood = {zone: s for zone, s in stay.stood_s.items() if s >= self.rules.dwell_s}
        zone = stay.zone if stay.zone in stood else max(stood, key=lambda z: stood[z], default=None)
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
            taken=taken(stay.all_looks),
        )
        stay.looks.clear()
        stay.pictures.clear()
        stay.stack = stay.stacked = None
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
            earlier.stack, earlier.misfits = later.stack, later.misfits
        earlier.seen += later.seen
        earlier.score_sum += later.score_sum
        earlier.surest = max(earlier.surest, later.surest)
        earlier.widest = max(earlier.widest, later.widest)
        earlier.beside += later.beside
        earlier.moved_widths = max(earlier.moved_widths, later.moved_widths)
        if earlier.sighting is None:
            earlier.counted_at = earlier.counted_at or later.counted_at
            earlier.readings += later.readings
            earlier.looks = (earlier.looks + later.looks)[:MOST_LOOKS]
            earlier.stacked = later.stacked or earlier.stacked
            earlier.consensus = agree(earlier.all_looks) if earlier.all_looks else None
            for text, picture in later.pictures.items():
                keep_picture(earlier.pictures, text, picture)
