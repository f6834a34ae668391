"""Simulated passes of labelled plates, and what of their reading may be kept: no plate can be got back.

Of a sighting only the characters are kept that were unsure or wrong, at most three; of single looks only how
often a character was read as which.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from api.commands.bench_passes import Remembering, RememberingReader, Still
from api.simulation.misreads import RATHER_SURE_PPM, UNSURE_PPM
from cameras.messages import position_ppm
from cameras.passes import MOST_ENLARGED, CameraPass, simulate_pass
from vision.picture import Detector, Reader
from vision.pipeline import PipelineOptions, build_pipeline
from vision.types import Event, Frame, PlateText, Sighting

FRAME_S: Final = 0.1
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
# As the service watches, but decided at the end of the pass, however few the looks were.
OPTIONS: Final = PipelineOptions(min_looks=1, dwell_s=60.0, decide_within_s=60.0, look_every_s=0.0)
# A car is in view for so many frames, at ten a second: while it drives to its pump, or hardly at all.
FRAMES: Final = (12, 20, 30)
HARD_FRAMES: Final = (4, 6, 9, 12)
# To its pump it drives up slowly, for so many frames, and then stands: together as long as the service takes
# to decide, and longer.
ARRIVING: Final = (20, 30, 40)
STANDING: Final = 60
AT_PUMP: Final = PipelineOptions()
# Every so many-th pass is a hard one; so is every pass of a still whose plate a camera of a forecourt, hung
# as it should be, would show larger. Such a still is not shown at a pump.
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
    is_at_pump: whether the car came to stand before the camera.
    """

    text: str
    colour: str
    is_hard: bool
    sighting: Sighting | None
    looks: tuple[PlateText, ...]
    is_at_pump: bool = False


@dataclass(slots=True)
class Passes:
    """How many passes there were, and of how many nothing, or a text of another length, was said.

    hard_lost: hard passes that are among `unread` and `other_length`.
    """

    passes: int = 0
    hard_passes: int = 0
    hard_lost: int = 0
    unread: int = 0
    other_length: int = 0

    def add(self, one: PlatePass) -> None:
        """Count a pass in."""
        said = one.sighting.text if one.sighting is not None else None
        is_other_length = said is not None and len(said) != len(one.text)
        self.passes += 1
        self.hard_passes += one.is_hard
        self.unread += said is None
        self.other_length += is_other_length
        self.hard_lost += one.is_hard and (said is None or is_other_length)


@dataclass(slots=True)
class Alike:
    """How often the same plate on its way looked as bad as it did at a pump.

    unread, wrong, unsure: stills that were so at the pump, wrong in text or colour; *_too: of those, the ones
    of which nothing was read on the way either, the same wrong plate, or none that was sure.
    """

    unread: int = 0
    unread_too: int = 0
    wrong: int = 0
    wrong_too: int = 0
    unsure: int = 0
    unsure_too: int = 0

    def add(self, on_its_way: PlatePass, at_pump: PlatePass) -> None:
        """Count two passes of one still in."""
        before, here = on_its_way.sighting, at_pump.sighting
        said = None if before is None else before.text
        if here is None or here.text is None:
            self.unread += 1
            self.unread_too += said is None
        elif (here.text, here.colour) != (at_pump.text, at_pump.colour or here.colour):
            self.wrong += 1
            self.wrong_too += before is not None and (said, before.colour) == (here.text, here.colour)
        elif here.wrong_ppm > UNSURE_PPM:
            self.unsure += 1
            self.unsure_too += before is None or said is None or before.wrong_ppm > UNSURE_PPM


@dataclass(slots=True)
class Misreads:
    """What is kept of many passes; see `as_dict` for the form of the file. at_pump: of cars that stood."""

    every: Passes = field(default_factory=Passes)
    at_pump: Passes = field(default_factory=Passes)
    alike: Alike = field(default_factory=Alike)
    looks: int = 0
    sure_positions: int = 0
    sure_wrong: int = 0
    sure: dict[str, Counter[str]] = field(default_factory=dict)
    confusion: dict[str, Counter[str]] = field(default_factory=dict)
    colours: dict[str, Counter[str]] = field(default_factory=dict)
    sightings: list[dict[str, Any]] = field(default_factory=list)

    def add(self, one: PlatePass) -> None:
        """Count a pass in; a sighting of another length than the plate is counted and not kept."""
        self.every.add(one)
        if one.is_at_pump:
            self.at_pump.add(one)
        for look in one.looks:
            self._count(one.text, look)
        said = one.sighting
        if said is not None and said.text is not None and len(said.text) == len(one.text):
            if one.colour:
                self.colours.setdefault(one.colour, Counter())[said.colour] += 1
            self._keep(one, said)

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
                "true_colour": one.colour,
                "length": len(one.text),
                "looks": sighting.looks,
                "wrong_ppm": sighting.wrong_ppm,
                "text_is_right": sighting.text == one.text,
                "hard": one.is_hard,
                "at_pump": one.is_at_pump,
                "positions": kept_positions(one.text, positions),
            }
        )

    def as_dict(self, made_with: str, weights: dict[str, str]) -> dict[str, Any]:
        """The file. sure_wrong of sure_positions: characters at or above SURE_PPM that were not right.

        sure: of positions at or above RATHER_SURE_PPM, by the character read, how often each was there.
        passes and what follows: of all passes; at_pump: of those at a pump alone. alike: of both passes of
        one still.
        """
        return {
            "made_with": made_with,
            "weights": weights,
            **asdict(self.every),
            "at_pump": asdict(self.at_pump),
            "alike": asdict(self.alike),
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
    """A car that drives by, through the pipeline; how long and how hard comes of the seed."""
    rng = np.random.default_rng([seed, 1])
    is_hard = bool(rng.random() < 1 / HARD_EVERY)
    is_small = not is_large_enough(still)
    frames = int(rng.choice(HARD_FRAMES if is_hard or is_small else FRAMES))
    shown = simulate_pass(still.image, still.plate, seed, frames, is_hard=is_hard, is_near=True)
    sighting, looks = watched(shown, OPTIONS, detector, first, second)
    return PlatePass(still.text, colour, is_hard or is_small, sighting, looks)


def stop_of(
    still: Still, colour: str, seed: int, detector: Detector, first: Reader, second: Reader
) -> PlatePass:
    """A car that comes to its pump and stands there, watched and decided as the service does it."""
    rng = np.random.default_rng([seed, 2])
    is_hard = bool(rng.random() < 1 / HARD_EVERY)
    frames = int(rng.choice(ARRIVING)) + STANDING
    shown = simulate_pass(
        still.image, still.plate, seed, frames, is_hard=is_hard, is_near=True, standing=STANDING
    )
    sighting, looks = watched(shown, AT_PUMP, detector, first, second)
    return PlatePass(still.text, colour, is_hard, sighting, looks, is_at_pump=True)


def is_large_enough(still: Still) -> bool:
    """Whether its plate can be shown as large as a camera of a forecourt shows it."""
    return (still.plate[2] - still.plate[0]) * MOST_ENLARGED >= SMALLEST_PX


def watched(
    shown: CameraPass, options: PipelineOptions, detector: Detector, first: Reader, second: Reader
) -> tuple[Sighting | None, tuple[PlateText, ...]]:
    """What the pipeline says of the labelled plate, and what both readers said of single frames."""
    one, two = RememberingReader(first), RememberingReader(second)
    pipeline = build_pipeline(options, Remembering(detector), one, second_reader=two)
    events: list[Event] = []
    for number, image in enumerate(shown.frames):
        at = START + timedelta(seconds=number * FRAME_S)
        events += pipeline.process(Frame(image, at, "pass", number))
        if any(isinstance(event, Sighting) and _is_of(event, shown) for event in events):
            break
    events += pipeline.flush()
    sightings = (event for event in events if isinstance(event, Sighting))
    sighting = next((event for event in sightings if _is_of(event, shown)), None)
    return sighting, (*one.said.values(), *two.said.values())


def _is_of(sighting: Sighting, shown: CameraPass) -> bool:
    number = sighting.best.frame_number
    centre: npt.NDArray[Any] = sighting.best.detection.corners.mean(axis=0)
    return float(np.linalg.norm(centre - shown.centres[number])) < SAME_PLACE * shown.widths[number]
