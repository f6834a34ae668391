"""Follows plates from frame to frame of one camera, by place and by text.

Place alone swaps two cars that pass each other; text alone loses a plate for one bad reading. A track takes
the detection that is near where it should be now and does not read as another plate.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt

from vision.rectify import edges
from vision.types import Corners, Detection, PlateText

Point = npt.NDArray[np.float64]

# A detection may lie this many plate widths from where the track should be, more for each second unseen.
REACH = 1.0
# Nearer than this, and with no other plate about, the text need not be looked at.
NEAR = 0.5
REACH_PER_S = 2.0
LONGEST_REACH = 5.0
# Two frames show one plate in sizes no further apart (natural logarithm), more for each second unseen.
SIZE_CHANGE, SIZE_CHANGE_PER_S = 0.5, 0.3
# What a wholly different text costs, in plate widths.
TEXT_COST = 3.0
# Two texts are of different plates when both are at least so sure and share at most so many characters.
SURE_TEXT = 0.5
SAME_SHARE = 0.75
VELOCITY_MEMORY = 0.6


@dataclass(slots=True, eq=False)
class Track:
    """One plate followed through the frames. Changed by its tracker only.

    centre, velocity: pixels and pixels a second. texts: how much confidence each text has gathered.
    """

    number: int
    corners: Corners
    centre: Point
    velocity: Point
    width: float
    seen_at: datetime
    texts: dict[str, float] = field(default_factory=dict)
    surest: float = 0.0

    @property
    def text(self) -> str | None:
        """The text read with the most confidence so far."""
        return max(self.texts, key=lambda text: self.texts[text]) if self.texts else None

    def expected(self, at: datetime) -> Point:
        """Where the centre should be now; a track long unseen is not carried on for ever."""
        return self.centre + self.velocity * min((at - self.seen_at).total_seconds(), 0.5)


class Tracker:
    """The tracks of one camera; numbers belong to this instance.

    forget_s: how long a plate may be unseen before its track ends.
    """

    def __init__(self, forget_s: float = 3.0) -> None:
        self.forget_s = forget_s
        self.tracks: dict[int, Track] = {}
        self._numbers = itertools.count(1)

    def certain(self, at: datetime, detections: Sequence[Detection]) -> list[int | None]:
        """For each detection the track it can only be of, judged by place alone, or None."""
        found = [
            {t.number: away for t in self.tracks.values() if (away := self._distance(t, at, d)) < np.inf}
            for d in detections
        ]
        claims = Counter(number for distances in found for number in distances)
        sure: list[int | None] = []
        for distances in found:
            number = next(iter(distances), None)
            is_only = number is not None and len(distances) == 1 and claims[number] == 1
            sure.append(number if number is not None and is_only and distances[number] < NEAR else None)
        return sure

    def update(
        self, at: datetime, detections: Sequence[Detection], plates: Sequence[PlateText | None]
    ) -> list[int]:
        """The track number of each detection; new tracks begin where none fits.

        at: time of the frame. plates: what was read of each detection, None where it was not read.
        """
        pairs = sorted(
            (cost, number, i)
            for i, (detection, plate) in enumerate(zip(detections, plates, strict=True))
            for number, track in self.tracks.items()
            if (cost := self._cost(track, at, detection, plate)) < np.inf
        )
        assigned: dict[int, int] = {}
        taken: set[int] = set()
        for _, number, i in pairs:
            if i not in assigned and number not in taken:
                assigned[i] = number
                taken.add(number)
        for i, (detection, plate) in enumerate(zip(detections, plates, strict=True)):
            if i not in assigned:
                assigned[i] = self._begin(at, detection)
            self._follow(self.tracks[assigned[i]], at, detection, plate)
        return [assigned[i] for i in range(len(detections))]

    def forget(self, at: datetime) -> list[int]:
        """End the tracks unseen for too long; their numbers."""
        ended = [n for n, t in self.tracks.items() if (at - t.seen_at).total_seconds() > self.forget_s]
        for number in ended:
            del self.tracks[number]
        return ended

    def _distance(self, track: Track, at: datetime, detection: Detection) -> float:
        """Distance in plate widths, or infinity where it cannot be the same plate."""
        unseen_s = (at - track.seen_at).total_seconds()
        width, _ = edges(detection.corners)
        if abs(np.log(width / track.width)) > SIZE_CHANGE + SIZE_CHANGE_PER_S * unseen_s:
            return np.inf
        centre = detection.corners.mean(axis=0)
        away = min(np.linalg.norm(centre - track.expected(at)), np.linalg.norm(centre - track.centre))
        distance = float(away) / max(width, track.width)
        return distance if distance < min(REACH + REACH_PER_S * unseen_s, LONGEST_REACH) else np.inf

    def _cost(self, track: Track, at: datetime, detection: Detection, plate: PlateText | None) -> float:
        distance = self._distance(track, at, detection)
        if distance == np.inf or plate is None or plate.text is None or track.text is None:
            return distance
        same = similarity(plate.text, track.text)
        if same <= SAME_SHARE and plate.confidence >= SURE_TEXT and track.surest >= SURE_TEXT:
            return np.inf
        return distance + TEXT_COST * (1 - same)

    def _begin(self, at: datetime, detection: Detection) -> int:
        number = next(self._numbers)
        centre = detection.corners.mean(axis=0).astype(np.float64)
        width, _ = edges(detection.corners)
        self.tracks[number] = Track(number, detection.corners, centre, np.zeros(2), width, at)
        return number

    def _follow(self, track: Track, at: datetime, detection: Detection, plate: PlateText | None) -> None:
        centre = detection.corners.mean(axis=0).astype(np.float64)
        passed_s = (at - track.seen_at).total_seconds()
        if passed_s > 0:
            moved = (centre - track.centre) / passed_s
            track.velocity = VELOCITY_MEMORY * track.velocity + (1 - VELOCITY_MEMORY) * moved
        track.centre, track.corners, track.seen_at = centre, detection.corners, at
        track.width, _ = edges(detection.corners)
        if plate is not None and plate.text is not None:
            track.texts[plate.text] = track.texts.get(plate.text, 0.0) + plate.confidence
            track.surest = max(track.surest, plate.confidence)


def similarity(a: str, b: str) -> float:
    """Share of characters two texts have in common, 0 to 1: one minus the edit distance over the length."""
    return 1 - edit_distance(a, b) / max(len(a), len(b), 1)


def edit_distance(a: str, b: str) -> int:
    """How many characters must be changed, added or taken away to make `b` of `a` (Levenshtein)."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return row[-1]
