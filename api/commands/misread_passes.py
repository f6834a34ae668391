"""Simulated passes of labelled plates, and what of their reading may be kept: no plate can be got back.

Of a sighting only the characters are kept that were unsure or wrong, at most three; of single looks only how
often a character was read as which.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from api.commands.bench_passes import Remembering, RememberingReader, Still
from api.simulation.misreads import RATHER_SURE_PPM
from cameras.messages import position_ppm
from cameras.passes import MOST_ENLARGED, CameraPass, simulate_pass
from vision.picture import Detector, Reader
from vision.pipeline import PipelineOptions, build_pipeline
from vision.types import Frame, PlateText, Sighting

FRAME_S: Final = 0.1
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
# As the service watches, but decided at the end of the pass, however few the looks were.
OPTIONS: Final = PipelineOptions(min_looks=1, dwell_s=60.0, decide_within_s=60.0, look_every_s=0.0)
# A car is in view for so many frames, at ten a second: while it drives to its pump, or hardly at all.
FRAMES: Final = (12, 20, 30)
HARD_FRAMES: Final = (4, 6, 9, 12)
# Every so many-th pass is a hard one; so is every pass of a still whose plate a camera of a forecourt, hung
# as it should be, would show larger.
HARD_EVERY: Final = 5
SMALLEST_PX: Final = 100.0
# A position surer than this, and right, is not kept.
SURE_PPM: Final = 999_000
KEPT_POSITIONS: Final = 3
# A single look this far from the label is of another plate in the picture.
MOST_WRONG_CHARACTERS: Final = 3
SAME_PLACE: Final = 0.6


@dataclass(frozen=True, slots=True)
class PlatePass:
    """One pass of a plate whose text and colour are known.

    sighting: what the pipeline said of it, or None. looks: what the readers said of single frames.
    """

    text: str
    colour: str
    is_hard: bool
    sighting: Sighting | None
    looks: tuple[PlateText, ...]


@dataclass(slots=True)
class Misreads:
    """What is kept of many passes; see `as_dict` for the form of the file."""

    passes: int = 0
    hard_passes: int = 0
    hard_lost: int = 0
    unread: int = 0
    other_length: int = 0
    looks: int = 0
    sure_positions: int = 0
    sure_wrong: int = 0
    sure: dict[str, Counter[str]] = field(default_factory=dict)
    confusion: dict[str, Counter[str]] = field(default_factory=dict)
    colours: dict[str, Counter[str]] = field(default_factory=dict)
    sightings: list[dict[str, Any]] = field(default_factory=list)

    def add(self, one: PlatePass) -> None:
        """Count a pass in; a sighting of another length than the plate is counted and not kept."""
        self.passes += 1
        self.hard_passes += one.is_hard
        for look in one.looks:
            self._count(one.text, look)
        if one.sighting is None or one.sighting.text is None:
            self.unread += 1
            self.hard_lost += one.is_hard
        elif len(one.sighting.text) != len(one.text):
            self.other_length += 1
            self.hard_lost += one.is_hard
        else:
            if one.colour:
                self.colours.setdefault(one.colour, Counter())[one.sighting.colour] += 1
            self._keep(one, one.sighting)

    def _count(self, text: str, look: PlateText) -> None:
        read = look.text
        if read is None or len(read) != len(text):
            return
        pairs = list(zip(text, read, strict=True))
        if sum(a != b for a, b in pairs) > MOST_WRONG_CHARACTERS:
            return
        self.looks += 1
        for true, seen in pairs:
            self.confusion.setdefault(true, Counter())[seen] += 1

    def _keep(self, one: PlatePass, sighting: Sighting) -> None:
        positions = [position_ppm(position) for position in sighting.positions]
        for true, choices in zip(one.text, positions, strict=True):
            if int(choices[0][1]) >= SURE_PPM:
                self.sure_positions += 1
                self.sure_wrong += choices[0][0] != true
            if int(choices[0][1]) >= RATHER_SURE_PPM:
                self.sure.setdefault(str(choices[0][0]), Counter())[true] += 1
        self.sightings.append(
            {
                "colour": sighting.colour,
                "length": len(one.text),
                "looks": sighting.looks,
                "wrong_ppm": sighting.wrong_ppm,
                "text_is_right": sighting.text == one.text,
                "hard": one.is_hard,
                "positions": kept_positions(one.text, positions),
            }
        )

    def as_dict(self, made_with: str, weights: dict[str, str]) -> dict[str, Any]:
        """The file. sure_wrong of sure_positions: characters at or above SURE_PPM that were not right.

        sure: of positions at or above RATHER_SURE_PPM, by the character read, how often each was there.
        hard_lost: hard passes that are among `unread` and `other_length`.
        """
        return {
            "made_with": made_with,
            "weights": weights,
            "passes": self.passes,
            "hard_passes": self.hard_passes,
            "hard_lost": self.hard_lost,
            "unread": self.unread,
            "other_length": self.other_length,
            "sure_positions": self.sure_positions,
            "sure_wrong": self.sure_wrong,
            "sure": {read: dict(true.most_common()) for read, true in sorted(self.sure.items())},
            "looks": self.looks,
            "confusion": {true: dict(seen.most_common()) for true, seen in sorted(self.confusion.items())},
            "colours": {true: dict(seen.most_common()) for true, seen in sorted(self.colours.items())},
            "sightings": self.sightings,
        }


def kept_positions(text: str, positions: Sequence[list[list[str | int]]]) -> list[dict[str, Any] | None]:
    """For each character None where it was sure and right, or is the fourth to be unsure, else what it was.

    positions: (character, ppm), most likely first. Wrong characters are kept before unsure ones.
    """
    doubtful = [
        (choices[0][0] == true, int(choices[0][1]), index)
        for index, (true, choices) in enumerate(zip(text, positions, strict=True))
        if choices[0][0] != true or int(choices[0][1]) < SURE_PPM
    ]
    kept = {index for _, _, index in sorted(doubtful)[:KEPT_POSITIONS]}
    return [
        {"true": true, "choices": choices} if index in kept else None
        for index, (true, choices) in enumerate(zip(text, positions, strict=True))
    ]


def pass_of(
    still: Still, colour: str, seed: int, detector: Detector, first: Reader, second: Reader
) -> PlatePass:
    """One pass through the pipeline as the service runs it; how long and how hard comes of the seed."""
    rng = np.random.default_rng([seed, 1])
    is_hard = bool(rng.random() < 1 / HARD_EVERY)
    is_small = (still.plate[2] - still.plate[0]) * MOST_ENLARGED < SMALLEST_PX
    frames = int(rng.choice(HARD_FRAMES if is_hard or is_small else FRAMES))
    shown = simulate_pass(still.image, still.plate, seed, frames, is_hard=is_hard, is_near=True)
    one, two = RememberingReader(first), RememberingReader(second)
    pipeline = build_pipeline(OPTIONS, Remembering(detector), one, second_reader=two)
    for number in range(frames):
        at = START + timedelta(seconds=number * FRAME_S)
        pipeline.process(Frame(shown.frames[number], at, "pass", number))
    events = [event for event in pipeline.flush() if isinstance(event, Sighting)]
    sighting = next((event for event in events if _is_of(event, shown)), None)
    looks = (*one.said.values(), *two.said.values())
    return PlatePass(still.text, colour, is_hard or is_small, sighting, looks)


def _is_of(sighting: Sighting, shown: CameraPass) -> bool:
    number = sighting.best.frame_number
    centre: npt.NDArray[Any] = sighting.best.detection.corners.mean(axis=0)
    return float(np.linalg.norm(centre - shown.centres[number])) < SAME_PLACE * shown.widths[number]
