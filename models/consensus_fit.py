"""How far the errors of several looks at one plate go together: fits SHARED_ERROR of `vision.consensus`.

Plates that the readers' training never saw go by as in `platepay bench tracks`, but cut by their labelled
corners, jittered as a detector's. For each value it prints what the consensus claims to be wrong of what it
is sure of, and what is: `python -m models.consensus_fit --data ../shared/data`.
"""

import argparse
import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

import vision.consensus
from cameras.passes import CameraPass, simulate_pass
from models.pictures import LabelledPlate, load_image, read_pictures
from models.plate_reader.crops import is_held_out, jitter
from vision.backends import load_reader, load_second_reader
from vision.consensus import Look, agree, novelty, thumb_of
from vision.metrics import wilson
from vision.quality import quality
from vision.rectify import edges, level, possible_rows
from vision.types import Corners, Image, PlateText

VIEWS = 12
HELD_OUT_EVERY = 20
SURE_PPM = (1000, 4000, 10_000)
LOOKS = (1, 2, 3, 5, 8, 12)
SHARED = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)

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
    """The looks of one pass; the best three by both readers."""
    looks: list[Look] = []
    for (crop, width, _), plate in zip(views, first, strict=True):
        thumb = thumb_of(crop)
        looks.append(Look(plate, quality(crop, width), novelty(thumb, looks), thumb))
    best = sorted(range(len(looks)), key=lambda i: -looks[i].worth)[:3]
    return [
        Look(look.plate, look.weight, look.novelty, look.thumb, second=second[i] if i in best else None)
        for i, look in enumerate(looks)
    ]


def tell(name: str, texts: Sequence[str], passes: Sequence[Sequence[Look]], counts: Sequence[int]) -> None:
    """Claimed and seen error of what is sure, over these numbers of looks together."""
    said = [
        (text, agree(looks[:count])) for text, looks in zip(texts, passes, strict=True) for count in counts
    ]
    for limit in SURE_PPM:
        sure = [(text, one) for text, one in said if one.text is not None and one.wrong_ppm <= limit]
        wrong = sum(text != one.text for text, one in sure)
        claimed = sum(one.wrong_ppm for _, one in sure) / 1e6
        low, high = wilson(wrong, len(sure)) if sure else (0.0, 1.0)
        print(
            f"{name} sure at {limit:6d} ppm: {len(sure):5d} of {len(said):5d}, wrong {wrong:3d} "
            f"({low:.2%}-{high:.2%}), claimed {claimed:6.2f}"
        )


def main() -> None:
    """Make or load the views, read them, and print the table for each value."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--plates", type=int, default=240)
    parser.add_argument("--views", type=Path, help="a file that keeps the views between runs")
    arguments = parser.parse_args()
    if arguments.views is not None and arguments.views.is_file():
        passes = pickle.loads(arguments.views.read_bytes())
    else:
        chosen = list(held_out_plates(arguments.data))[: arguments.plates]
        passes = [
            (plate.text, make_views(path, plate.corners, seed))
            for seed, (path, plate) in enumerate(track(chosen, description="passes"))
            if plate.corners is not None
        ]
        if arguments.views is not None:
            arguments.views.write_bytes(pickle.dumps(passes))
    first, second = load_reader(), load_second_reader()
    texts, read = [], []
    for text, views in track(passes, description="reading"):
        by_first = [first.read(crop, rows) for crop, _, rows in views]
        by_second = [second.read(crop, rows) for crop, _, rows in views]
        texts.append(text)
        read.append(looks_of(views, by_first, by_second))
    alone = [[Look(k.plate, k.weight, k.novelty, k.thumb) for k in looks] for looks in read]
    for shared in SHARED:
        vision.consensus.SHARED_ERROR = shared
        print(f"SHARED_ERROR {shared}")
        tell("  first alone, 1 look     ", texts, alone, (1,))
        tell("  first alone, 3 to 12    ", texts, alone, (3, 5, 8, 12))
        tell("  with the second, 3 to 12", texts, read, (3, 5, 8, 12))


if __name__ == "__main__":
    main()
