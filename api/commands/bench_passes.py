"""What the pipeline makes of simulated passes over labelled stills, by number of looks."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numpy.random import Generator

from cameras.forecourt import PUMPS, Script, ScriptedCar, pump_place, scale_at
from cameras.passes import CameraPass, simulate_pass
from cameras.simulator import Scene
from vision.labelled import load_image, read_labels
from vision.metrics import Count
from vision.picture import Box, Detector, Reader
from vision.pipeline import PipelineOptions, PlateReaderPipeline, build_pipeline
from vision.plates import DIGITS, LETTERS, PROVINCES, is_supported
from vision.types import Detection, Frame, Image, PlateText, Sighting

LOOKS: Final = (1, 2, 3, 5, 8, 12)
FRAMES: Final = max(LOOKS)
FRAME_S: Final = 0.1
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
# The chance of error at which the service takes a sighting for sure, parts per million.
SURE_PPM: Final = 4000
# Nothing is decided before the last frame of a pass, so that each number of looks is seen.
OPTIONS: Final = PipelineOptions(
    min_looks=1, sure_ppm=SURE_PPM, dwell_s=60.0, decide_within_s=60.0, look_every_s=0.0
)
# Every so many-th plate of the training data was kept apart from the readers' training.
HELD_OUT_EVERY: Final = 20
# A detection this near to where the plate is (of its widths) is of that plate.
SAME_PLACE: Final = 0.6
MIDDLE_OF_PLATE_PX, HALF_PLATE_PX = 110.0, 75.0


@dataclass(frozen=True, slots=True, eq=False)
class Still:
    """A labelled still. image: (H, W, 3) uint8 BGR; plate: the box of the labelled plate."""

    name: str
    text: str
    image: Image
    plate: Box


@dataclass(frozen=True, slots=True)
class Seen:
    """What the pipeline said after so many frames. text: None where it said nothing."""

    text: str | None
    wrong_ppm: int
    independent_looks: int

    @property
    def is_sure(self) -> bool:
        """Whether the service would take it for sure."""
        return self.text is not None and self.wrong_ppm <= SURE_PPM


@dataclass(frozen=True, slots=True)
class Passed:
    """One pass. seen: by reader ("first", "both") and number of looks. switches: changes of the track."""

    text: str
    seen: dict[str, dict[int, Seen]]
    switches: int


@dataclass(slots=True)
class Remembering:
    """Networks that do each frame and crop once, however many pipelines ask. Fits Detector."""

    detector: Detector
    found: dict[int, list[Detection]] = field(default_factory=dict)

    def detect(self, image: Image) -> list[Detection]:
        """Plates in a picture that stays the same object for as long as this one lives."""
        if id(image) not in self.found:
            self.found[id(image)] = self.detector.detect(image)
        return self.found[id(image)]


@dataclass(slots=True)
class RememberingReader:
    """A reader that reads each crop once."""

    reader: Reader
    said: dict[bytes, PlateText] = field(default_factory=dict)

    def read(self, crop: Image, rows: Sequence[int] = (1,)) -> PlateText:
        """What stands on the crop."""
        name = hashlib.blake2b(crop.tobytes() + bytes(rows), digest_size=16).digest()
        if name not in self.said:
            self.said[name] = self.reader.read(crop, rows)
        return self.said[name]


def labelled_stills(labels: Path, *, held_out_only: bool, most: int, seed: int) -> Iterator[Still]:
    """A seeded choice of stills with one plate to be read; pictures that cannot be opened are left out."""
    pictures = [
        picture
        for picture in read_labels(labels)
        if (plate := picture.plates[0] if len(picture.plates) == 1 else None) is not None
        and plate.box is not None
        and is_supported(plate.text)
        and (not held_out_only or is_held_out(plate.text))
    ]
    order = np.random.default_rng(seed).permutation(len(pictures))
    for index in order[:most]:
        picture = pictures[index]
        image, box = load_image(picture.path), picture.plates[0].box
        if image is not None and box is not None:
            yield Still(picture.path.name, picture.plates[0].text, image, box)


def is_held_out(text: str) -> bool:
    """Whether the plate was kept apart from the readers' training: the rule of `models/plate_crops`."""
    return zlib.crc32(text.encode()) % HELD_OUT_EVERY == 0


def drawn_stills(count: int, seed: int) -> Iterator[Still]:
    """Drawn cars with random blue plates on the simulated forecourt."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        text, pump = random_text(rng), PUMPS[number % len(PUMPS)]
        place = pump_place(pump)
        scale = scale_at(place.y)
        y, half = place.y - MIDDLE_OF_PLATE_PX * scale, HALF_PLATE_PX * scale
        scene = Scene(Script((ScriptedCar(text, "blue", pump, 2.0, 9.0),), seed=seed + number))
        plate = (place.x - half, y - half / 3, place.x + half, y + half / 3)
        yield Still(f"drawn-{number}", text, scene.picture(5.0), plate)


def random_text(rng: Generator) -> str:
    """A text that a blue plate may carry."""
    tail = [str(rng.choice(list(DIGITS + LETTERS))) for _ in range(5)]
    return str(rng.choice(list(PROVINCES))) + str(rng.choice(list(LETTERS))) + "".join(tail)


def run_pass(still: Still, seed: int, detector: Detector, first: Reader, second: Reader) -> Passed:
    """One pass over the still through the real pipeline, by each reader and number of looks."""
    shown = simulate_pass(still.image, still.plate, seed, FRAMES)
    found, one, two = Remembering(detector), RememberingReader(first), RememberingReader(second)
    seen: dict[str, dict[int, Seen]] = {"first": {}, "both": {}}
    for looks in LOOKS:
        alone = build_pipeline(OPTIONS, found, one)
        both = build_pipeline(OPTIONS, found, one, second_reader=two)
        seen["first"][looks] = _said(alone, shown, looks)
        seen["both"][looks] = _said(both, shown, looks)
    return Passed(still.text, seen, _switches(build_pipeline(OPTIONS, found, one), shown))


def _frame(shown: CameraPass, number: int) -> Frame:
    return Frame(shown.frames[number], START + timedelta(seconds=number * FRAME_S), "pass", number)


def _said(pipeline: PlateReaderPipeline, shown: CameraPass, looks: int) -> Seen:
    """What is said of the labelled plate after so many frames: its sighting, else what it reads so far."""
    for number in range(looks):
        pipeline.process(_frame(shown, number))
    last, width = shown.centres[looks - 1], shown.widths[looks - 1]
    live = [t for t in pipeline.live_tracks() if _apart(t.corners.mean(axis=0), last) < SAME_PLACE * width]
    for event in pipeline.flush():
        if isinstance(event, Sighting):
            number = event.best.frame_number
            centre = event.best.detection.corners.mean(axis=0)
            if _apart(centre, shown.centres[number]) < SAME_PLACE * shown.widths[number]:
                return Seen(event.text, event.wrong_ppm, event.looks)
    # One unsure look is not reported; what it reads is right or wrong all the same.
    text = live[0].text if live else None
    return Seen(text, 1_000_000, 0)


def _switches(pipeline: PlateReaderPipeline, shown: CameraPass) -> int:
    """How often the track at the labelled plate changed its number in the pass."""
    numbers = []
    for number in range(FRAMES):
        pipeline.process(_frame(shown, number))
        for track in pipeline.live_tracks():
            if _apart(track.corners.mean(axis=0), shown.centres[number]) < SAME_PLACE * shown.widths[number]:
                numbers.append(track.track)
                break
    return sum(a != b for a, b in pairwise(numbers))


def _apart(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> float:
    return float(np.linalg.norm(a - b))


def summarise(passes: Sequence[Passed]) -> dict[str, Any]:
    """Counts with intervals by reader and number of looks."""
    return {
        "passes": len(passes),
        "id_switches": sum(one.switches for one in passes),
        "passes_with_one_track": Count(sum(one.switches == 0 for one in passes), len(passes)).as_dict(),
        "looks": {
            reader: {str(looks): _row(passes, reader, looks) for looks in LOOKS}
            for reader in ("first", "both")
        },
    }


def _row(passes: Sequence[Passed], reader: str, looks: int) -> dict[str, Any]:
    said = [(one.text, one.seen[reader][looks]) for one in passes]
    sure = [(text, seen) for text, seen in said if seen.is_sure]
    wrong = sum(text != seen.text for text, seen in sure)
    claimed = sum(seen.wrong_ppm for _, seen in sure) / 1_000_000
    independent = sum(seen.independent_looks for _, seen in said)
    return {
        "exact": Count(sum(text == seen.text for text, seen in said), len(said)).as_dict(),
        "accepted": Count(len(sure), len(said)).as_dict(),
        "wrong_of_accepted": Count(wrong, len(sure)).as_dict(),
        "claimed_wrong": round(claimed, 3),
        "mean_independent_looks": round(independent / max(len(said), 1), 2),
    }
