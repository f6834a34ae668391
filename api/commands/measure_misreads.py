"""`platepay measure-misreads`: how our readers err over whole passes, as a file without any plate."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from api.commands.bench_passes import Still, is_held_out
from api.commands.evaluate_all import find_data
from api.commands.failures import CommandError
from api.commands.misread_passes import Misreads, PlatePass, is_large_enough, pass_of, stop_of
from api.simulation.misreads import UNSURE_PPM
from vision.backends import load_detector, load_reader, load_second_reader
from vision.cards import open_weights
from vision.colour import COLOURS
from vision.detector import PlateDetector
from vision.ensemble import Reader
from vision.labelled import LabelledPicture, load_image, read_labels
from vision.plates import is_supported

SEED: Final = 11
STOPS_SEED: Final = 50_000_017
STILLS, QUICK_STILLS = 1200, 12
MISREADS: Final = Path(__file__).parents[2] / "vision" / "assets" / "misreads.json"
LARGEST_BYTES: Final = 800_000
# The file is written again after so many stills: what was measured is not lost.
WRITTEN_EVERY: Final = 100
# So many stills wait for each process.
STILLS_AHEAD: Final = 4
READERS: Final = {"plate_reader": "plate_reader.onnx", "second_reader": "second_reader.onnx"}


@dataclass(frozen=True, slots=True)
class Source:
    """A labelled set.

    held_out: only plates no reader was trained on. most: at most so many stills. left_out: pictures by name.
    """

    folder: str
    held_out: bool = False
    most: int = 1_000
    left_out: tuple[str, ...] = ()


# Sets that may only judge are left out: the file shapes how sure a decision is.
SOURCES: Final = (
    # One picture was retouched: no car ever showed that plate.
    Source("dev/passerbyzzz_provinces", left_out=("passerbyzzz_00278.jpg",)),
    Source("dev/cn_misc"),
    Source("dev/cn_extra"),
    Source("dev/shaowenfu_boxes"),
    Source("dev/casuallyname_test"),
    Source("dev/ccpd_misc"),
    Source("train/scenes", held_out=True),
    Source("train/scenes_near", held_out=True),
    Source("train/crops", held_out=True, most=200),
)


# One shown still: its number, the labelled picture, the picture itself.
Shown = tuple[int, LabelledPicture, Still]


@dataclass(frozen=True, slots=True)
class Watching:
    """Shows stills to the pipeline.

    engine: of the detector and both readers, loaded once a process. seed: of all passes.
    """

    engine: str
    seed: int

    def __call__(self, shown: Shown) -> tuple[PlatePass, PlatePass | None]:
        """The still drives by, and comes to a pump where its plate is large enough for that."""
        number, picture, still = shown
        detector, first, second = loaded(self.engine)
        kind = picture.plates[0].kind
        colour = kind if kind in COLOURS else ""
        seed = self.seed * 100_003 + number
        on_its_way = pass_of(still, colour, seed, detector, first, second)
        if not is_large_enough(still):
            return on_its_way, None
        return on_its_way, stop_of(still, colour, STOPS_SEED + seed, detector, first, second)


@cache
def loaded(engine: str) -> tuple[PlateDetector, Reader, Reader]:
    """Detector and both readers, warm."""
    return load_detector(engine), load_reader(engine), load_second_reader(engine)


def watched_all(
    shown: Iterable[Shown], watching: Watching, workers: int
) -> Iterator[tuple[PlatePass, PlatePass | None]]:
    """What is said of each still, in their order, by so many processes."""
    if workers == 1:
        yield from map(watching, shown)
        return
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        # A few stills at a time: each waits as a whole picture.
        for some in batched(shown, STILLS_AHEAD * workers):
            yield from pool.map(watching, some)


def batched(shown: Iterable[Shown], count: int) -> Iterator[list[Shown]]:
    """As lists of at most `count`."""
    every = iter(shown)
    while some := list(islice(every, count)):
        yield some


def measure_misreads(
    *,
    data: Path | None,
    out: Path | None,
    as_json: bool,
    quick: bool,
    engine: str,
    stills: int | None,
    workers: int = 1,
    seed: int | None = None,
) -> int:
    """Run the passes and write the file; returns 0. Each still drives by, and comes to a pump.

    With `quick` nothing is written unless `out` is given. The file does not depend on `workers`.
    """
    folder = find_data(data)
    target = out or (None if quick else MISREADS)
    count = stills or (QUICK_STILLS if quick else STILLS)
    weights = {name: open_weights(file).sha256 for name, file in READERS.items()}
    seed = SEED if seed is None else seed
    made_with = f"platepay measure-misreads --stills {count}" + (f" --seed {seed}" if seed != SEED else "")
    misreads = Misreads()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("stills", total=count)
        shown = ((number, *each) for number, each in enumerate(shown_stills(folder, count)))
        watching = Watching(engine, seed)
        for number, (on_its_way, at_pump) in enumerate(watched_all(shown, watching, workers)):
            misreads.add(on_its_way)
            if at_pump is not None:
                misreads.add(at_pump)
                misreads.alike.add(on_its_way, at_pump)
            progress.advance(bar)
            if target is not None and (number + 1) % WRITTEN_EVERY == 0:
                write(target, misreads.as_dict(made_with, weights))
    if not misreads.every.passes:
        raise CommandError(f"{folder}: holds none of the labelled sets")
    content = misreads.as_dict(made_with, weights)
    if target is not None:
        write(target, content)
    tell(content, as_json=as_json)
    return 0


def shown_stills(folder: Path, count: int) -> Iterator[tuple[LabelledPicture, Still]]:
    """`count` stills of all sets in a seeded order, over and over where there are fewer."""
    pictures = [picture for source in SOURCES for picture in pictures_of(folder, source)]
    if not pictures:
        return
    rng, shown = np.random.default_rng(SEED), 0
    while True:
        before = shown
        for index in rng.permutation(len(pictures)):
            if shown == count:
                return
            picture = pictures[index]
            image, plate = load_image(picture.path), picture.plates[0]
            if image is not None and plate.box is not None:
                yield picture, Still(picture.path.name, plate.text, image, plate.box)
                shown += 1
        if shown == before:
            return


def pictures_of(folder: Path, source: Source) -> list[LabelledPicture]:
    """The pictures of one set with one plate to be read, a seeded choice of at most so many."""
    labels = folder / source.folder / "labels.csv"
    if not labels.is_file():
        return []
    pictures = [
        picture
        for picture in read_labels(labels)
        if picture.path.name not in source.left_out
        and len(picture.plates) == 1
        and picture.plates[0].box is not None
        and is_supported(picture.plates[0].text)
        and (not source.held_out or is_held_out(picture.plates[0].text))
    ]
    order = np.random.default_rng(SEED).permutation(len(pictures))
    return [pictures[index] for index in sorted(order[: source.most])]


def write(target: Path, content: dict[str, Any]) -> None:
    """The file; raises CommandError where it would be too large to ship."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    if len(body.encode()) > LARGEST_BYTES:
        raise CommandError(f"{target}: would have {len(body.encode())} bytes; give fewer --stills")
    target.write_text(body + "\n", encoding="utf-8")


def tell(content: dict[str, Any], *, as_json: bool) -> None:
    """What was measured, in short."""
    sightings = content["sightings"]
    short = {name: content[name] for name in ("passes", "unread", "other_length", "looks")}
    short["at_pump"] = content["at_pump"]
    short["sure_positions"], short["sure_wrong"] = content["sure_positions"], content["sure_wrong"]
    short["sightings"] = len(sightings)
    short["wrong"] = sum(not one["text_is_right"] for one in sightings)
    for most in (4_000, UNSURE_PPM):
        sure = [one for one in sightings if one["wrong_ppm"] <= most]
        short[f"within_{most}_ppm"] = len(sure)
        short[f"wrong_within_{most}_ppm"] = sum(not one["text_is_right"] for one in sure)
    if as_json:
        sys.stdout.write(json.dumps(short) + "\n")
        return
    for name, value in short.items():
        sys.stdout.write(f"{name.replace('_', ' ')}: {value}\n")
