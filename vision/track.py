"""Follows plates from frame to frame of one camera, by place, motion, text and looks.

Place alone swaps two cars that pass each other; text alone loses a plate for one bad reading, and has
nothing to say of a plate that cannot be read. A track takes the detection that is near where it should be
now and does not read as another plate. A plate out of sight for a moment may come back further away, but
then it must read or look like the one that was lost.
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
Thumb = npt.NDArray[np.float32]

# A detection may lie this many plate widths from where the track should be; the first step of a new track,
# whose motion is not known yet, may be longer.
REACH, FIRST_REACH = 1.0, 2.2
# A plate out of sight for longer than this may have stopped, turned or sped up; it may then be further off,
# up to so many widths where it reads or looks the same, and no further than REACH where not.
LOST_S = 0.7
REACH_PER_S, LONGEST_REACH = 2.0, 5.0
# A track is carried on along its motion for so long, with half its speed after that.
CARRIED_S = 0.7
# Nearer than this, and with no other plate about, the text need not be looked at.
NEAR = 0.5
# Two frames show one plate in sizes no further apart (natural logarithm), more for each second unseen.
SIZE_CHANGE, SIZE_CHANGE_PER_S, MOST_SIZE_CHANGE = 0.5, 0.3, 1.0
# What a wholly different text costs, and a wholly different look, in plate widths.
TEXT_COST, LOOK_COST = 3.0, 0.5
# Two texts are of different plates when both are at least so sure and share at most so many characters. A
# reader makes up a whole text now and then; less sure than this, place says more.
SURE_TEXT = 0.9
SAME_SHARE = 0.75
# Correlation of two small pictures: above the first it is the same plate, below the second it is not. In
# between nothing is known: other plates of one colour reach 0.75, a moving one's next frame falls to 0.3.
SAME_LOOK, OTHER_LOOK = 0.8, 0.0
VELOCITY_MEMORY = 0.6


@dataclass(slots=True, eq=False)
class Track:
    """One plate followed through the frames. Changed by its tracker only.

    centre, velocity: pixels and pixels a second. seen: in how many frames. texts: how much confidence each
    text has gathered. thumb: how it looked when it was last read.
    """

    number: int
    corners: Corners
    centre: Point
    velocity: Point
    width: float
    seen_at: datetime
    seen: int = 1
    texts: dict[str, float] = field(default_factory=dict)
    surest: float = 0.0
    thumb: Thumb | None = None

    @property
    def text(self) -> str | None:
        """The text read with the most confidence so far."""
        return max(self.texts, key=lambda text: self.texts[text]) if self.texts else None

    def expected(self, at: datetime) -> Point:
        """Where the centre should be now; a track long unseen is not carried on for ever."""
        return self.centre + self.velocity * min((at - self.seen_at).total_seconds(), CARRIED_S)

    def is_other_text(self, plate: PlateText | None) -> bool:
        """Whether `plate` surely reads as another plate than this one."""
        if plate is None or plate.text is None or self.text is None:
            return False
        is_sure = plate.confidence >= SURE_TEXT and self.surest >= SURE_TEXT
        return is_sure and similarity(plate.text, self.text) <= SAME_SHARE

    def is_alike(self, plate: PlateText | None, thumb: Thumb | None) -> bool:
        """Whether it reads, or where nothing can be read looks, like this one."""
        if plate is not None and plate.text is not None and self.text is not None:
            return similarity(plate.text, self.text) > SAME_SHARE
        return self.look_like(thumb) >= SAME_LOOK

    def look_like(self, thumb: Thumb | None) -> float:
        """Correlation with how this plate looked, or in between where that is not known."""
        if thumb is None or self.thumb is None:
            return (SAME_LOOK + OTHER_LOOK) / 2
        return float(self.thumb @ thumb)


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
        self,
        at: datetime,
        detections: Sequence[Detection],
        plates: Sequence[PlateText | None],
        thumbs: Sequence[Thumb | None] = (),
    ) -> list[int]:
        """The track number of each detection; new tracks begin where none fits.

        at: time of the frame. plates: what was read of each detection, None where it was not read.
        thumbs: how each looked (`consensus.thumb_of`); without any, looks do not count.
        """
        looks = [*thumbs] or [None] * len(detections)
        seen = list(zip(detections, plates, looks, strict=True))
        pairs = sorted(
            (cost, number, i)
            for i, (detection, plate, thumb) in enumerate(seen)
            for number, track in self.tracks.items()
            if (cost := self._cost(track, at, detection, plate, thumb)) < np.inf
        )
        assigned: dict[int, int] = {}
        taken: set[int] = set()
        for _, number, i in pairs:
            if i not in assigned and number not in taken:
                assigned[i] = number
                taken.add(number)
        for i, (detection, plate, thumb) in enumerate(seen):
            is_new = i not in assigned
            if is_new:
                assigned[i] = self._begin(at, detection)
            self._follow(self.tracks[assigned[i]], at, detection, plate, thumb, is_new=is_new)
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
        change = min(SIZE_CHANGE + SIZE_CHANGE_PER_S * unseen_s, MOST_SIZE_CHANGE)
        if abs(np.log(width / track.width)) > change:
            return np.inf
        centre = detection.corners.mean(axis=0)
        away = min(np.linalg.norm(centre - track.expected(at)), np.linalg.norm(centre - track.centre))
        distance = float(away) / max(width, track.width)
        nearest = FIRST_REACH if track.seen == 1 else REACH
        return distance if distance < min(nearest + REACH_PER_S * unseen_s, LONGEST_REACH) else np.inf

    def _cost(
        self, track: Track, at: datetime, detection: Detection, plate: PlateText | None, thumb: Thumb | None
    ) -> float:
        distance = self._distance(track, at, detection)
        if distance == np.inf or track.is_other_text(plate):
            return np.inf
        look = track.look_like(thumb)
        if (at - track.seen_at).total_seconds() > LOST_S:
            is_elsewhere = distance >= REACH and not track.is_alike(plate, thumb)
            if is_elsewhere or look < OTHER_LOOK:
                return np.inf
        cost = distance + LOOK_COST * (1 - look)
        if plate is not None and plate.text is not None and track.text is not None:
            cost += TEXT_COST * (1 - similarity(plate.text, track.text))
        return cost

    def _begin(self, at: datetime, detection: Detection) -> int:
        number = next(self._numbers)
        centre = detection.corners.mean(axis=0).astype(np.float64)
        width, _ = edges(detection.corners)
        self.tracks[number] = Track(number, detection.corners, centre, np.zeros(2), width, at)
        return number

    def _follow(
        self,
        track: Track,
        at: datetime,
        detection: Detection,
        plate: PlateText | None,
        thumb: Thumb | None,
        *,
        is_new: bool,
    ) -> None:
        centre = detection.corners.mean(axis=0).astype(np.float64)
        passed_s = (at - track.seen_at).total_seconds()
        if passed_s > 0:
            moved = (centre - track.centre) / passed_s
            memory = VELOCITY_MEMORY if track.seen > 1 else 0.0
            track.velocity = memory * track.velocity + (1 - memory) * moved
        if not is_new:
            track.seen += 1
        track.centre, track.corners, track.seen_at = centre, detection.corners, at
        track.width, _ = edges(detection.corners)
        track.thumb = thumb if thumb is not None else track.thumb
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
