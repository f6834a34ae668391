"""How far the errors of several looks at one plate go together: fits the constants of `vision.consensus`.

Plates that the readers' training never saw go by as in `platepay bench tracks`, but cut by their labelled
corners, jittered as a detector's. Prints the loss for each SHARED_ERROR and MISLED, and what the consensus
claims to be wrong next to what is: `python -m models.consensus_fit --data ../shared/data`.
"""

import argparse
import math
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

import vision.consensus
from cameras.passes import CameraPass, simulate_pass
from models.pictures import LabelledPlate, load_image, read_pictures
from models.plate_crops.crops import is_held_out, jitter
from vision.backends import load_reader, load_second_reader
from vision.consensus import Consensus, Look, agree, novelty, thumb_of
from vision.ensemble import Trust
from vision.metrics import wilson
from vision.quality import quality
from vision.rectify import edges, level, possible_rows
from vision.types import Corners, Image, PlateText

VIEWS = 12
HELD_OUT_EVERY = 20
LOOKS = (1, 3, 5, 8, 12)
SHARED = (0.15, 0.3, 0.5, 0.75, 1.0)
MISLED = (0.01, 0.003, 0.001, 0.0003)
TRUSTS = (Trust(0.7, 0.9), Trust(0.7, 0.4), Trust(0.8, 0.4), Trust(0.9, 0.3), Trust(0.7, 0.3))
BINS_PPM = (0, 100, 1000, 4000, 10_000, 30_000, 100_000, 300_000, 1_000_001)

# A view: the crop, the plate's width in the frame, how many rows it may have.
View = tuple[Image, float, tuple[int, ...]]


def held_out_plates(root: Path) -> Iterator[tuple[Path, LabelledPlate]]:
    """One picture of each plate that was kept apart, by its text."""
    seen: set[str] = set()
    for picture in read_pictures(root / "train" / "crops"):
        plate = picture.plates[0]
        if plate.corners is not None and plate.text not in seen and is_held_out(plate, HELD_OUT_EVERY):
            seen.add(plate.text)
            yield picture.path, plate


def make_views(path: Path, corners: Corners, seed: int) -> list[View]:
    """The levelled crops of one pass."""
    image = load_image(path)
    (x1, y1), (x2, y2) = corners.min(axis=0), corners.max(axis=0)
    passed = simulate_pass(image, (float(x1), float(y1), float(x2), float(y2)), seed, VIEWS)
    rng = np.random.default_rng(seed + 1)
    return [one_view(passed, i, corners, rng) for i in range(VIEWS)]


def one_view(passed: CameraPass, number: int, corners: Corners, rng: np.random.Generator) -> View:
    """The plate cut out of one frame by corners as wrong as a detector's."""
    matrix = passed.matrices[number].astype(np.float64)
    placed: NDArray[np.float32] = cv2.perspectiveTransform(corners[None].astype(np.float64), matrix)[0]
    found = jitter(placed.astype(np.float32), rng)
    return level(passed.frames[number], found), edges(found)[0], possible_rows(found)


def looks_of(views: Sequence[View], first: Sequence[PlateText], second: Sequence[PlateText]) -> list[Look]:
    """The looks of one pass; the best three that the first can read are read by the second too."""
    looks: list[Look] = []
    for (crop, width, _), plate in zip(views, first, strict=True):
        thumb = thumb_of(crop)
        looks.append(Look(plate, quality(crop, width), novelty(thumb, looks), thumb))
    legible = [i for i, look in enumerate(looks) if look.plate.text is not None]
    best = sorted(legible, key=lambda i: -looks[i].worth)[:3]
    return [replace(look, second=second[i]) if i in best else look for i, look in enumerate(looks)]


def said_of(texts: Sequence[str], passes: Sequence[Sequence[Look]]) -> list[tuple[str, Consensus]]:
    """The label and the consensus after each number of looks."""
    return [
        (text, agree(looks[:count])) for text, looks in zip(texts, passes, strict=True) for count in LOOKS
    ]


def loss_of(said: Sequence[tuple[str, Consensus]]) -> float:
    """Mean negative logarithm of the chance given to what is so: the least is the best calibrated."""
    chances = [
        1 - one.wrong_ppm / 1e6 if text == one.text else one.wrong_ppm / 1e6
        for text, one in said
        if one.text is not None
    ]
    return -sum(math.log(max(chance, 1e-6)) for chance in chances) / len(chances)


def print_reliability(said: Sequence[tuple[str, Consensus]]) -> None:
    """Claimed and seen error by how sure the consensus is."""
    for low_ppm, high_ppm in pairwise(BINS_PPM):
        inside = [(t, one) for t, one in said if one.text and low_ppm <= one.wrong_ppm < high_ppm]
        wrong = sum(text != one.text for text, one in inside)
        claimed = sum(one.wrong_ppm for _, one in inside) / 1e6
        low, high = wilson(wrong, len(inside)) if inside else (0.0, 1.0)
        print(
            f"    {low_ppm:7d} to {high_ppm:7d} ppm: {len(inside):5d}, wrong {wrong:3d} "
            f"({low:.2%}-{high:.2%}), claimed {claimed:6.2f}"
        )


def load_views(data: Path, count: int, kept: Path | None) -> list[tuple[str, list[View]]]:
    """Each plate's text and views; made once where there is a file to keep them in."""
    if kept is not None and kept.is_file():
        views: list[tuple[str, list[View]]] = pickle.loads(kept.read_bytes())
        return views
    passes = [
        (plate.text, make_views(path, plate.corners, seed))
        for seed, (path, plate) in enumerate(track(list(held_out_plates(data))[:count], description="passes"))
        if plate.corners is not None
    ]
    if kept is not None:
        kept.write_bytes(pickle.dumps(passes))
    return passes


def main() -> None:
    """Make or load the views, read them, and print the loss for each pair of values."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--plates", type=int, default=200)
    parser.add_argument("--views", type=Path, help="a file that keeps the views between runs")
    arguments = parser.parse_args()
    first, second = load_reader(), load_second_reader()
    texts, both = [], []
    for text, views in track(load_views(arguments.data, arguments.plates, arguments.views), "reading"):
        by_first = [first.read(crop, rows) for crop, _, rows in views]
        by_second = [second.read(crop, rows) for crop, _, rows in views]
        texts.append(text)
        both.append(looks_of(views, by_first, by_second))
    alone = [[replace(look, second=None) for look in looks] for looks in both]
    shipped = (vision.consensus.SHARED_ERROR, vision.consensus.MISLED)
    for shared, misled in product(SHARED, MISLED):
        vision.consensus.SHARED_ERROR, vision.consensus.MISLED = shared, misled
        print(f"SHARED_ERROR {shared}, MISLED {misled}: loss {loss_of(said_of(texts, alone)):.4f}")
    vision.consensus.SHARED_ERROR, vision.consensus.MISLED = shipped
    trusted = vision.consensus.TRACK_TRUST
    for trust in TRUSTS:
        vision.consensus.TRACK_TRUST = trust
        print(f"{trust}: loss {loss_of(said_of(texts, both)):.4f}")
    vision.consensus.TRACK_TRUST = trusted
    for name, passes in (("first alone", alone), ("with the second", both)):
        print(f"as shipped, {name}: loss {loss_of(said_of(texts, passes)):.4f}")
        print_reliability(said_of(texts, passes))


if __name__ == "__main__":
    main()
