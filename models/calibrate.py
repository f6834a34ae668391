"""Fit how far the readers are to be believed, on plates that neither was trained on.

    python -m models.calibrate --json calibration.json

Each reader has a temperature, and both together have the weights in `vision.ensemble.TRUST`. What is fitted
is the log loss of "every character is right" over real held-out plates, as they are and degraded, and over
drawn and recombined ones of every province. Prints the reliability table that goes into the cards.
"""

import argparse
import itertools
import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.progress import track

from models.pictures import Image, data_root, load_image, read_pictures
from models.plate_crops.bank import CellBank
from models.plate_crops.crops import RealCrops, degrade, drawn_crop, is_held_out, jitter
from models.plate_crops.pool import HELD_OUT_EVERY
from models.plate_crops.recombine import recombined_crop
from models.plate_crops.views import another_view
from vision.backends import load_reader, load_second_reader
from vision.colour import colour_probabilities
from vision.ensemble import Trust, combine
from vision.paint import paint_probabilities
from vision.reader import PlateReader, kind_weights, plate_text, reader_input, reader_line
from vision.rectify import level
from vision.types import PlateText

Labelled = tuple[Image, str]
Judged = tuple[float, bool]  # confidence, and whether the text was right

TEMPERATURES = (0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0)
WEIGHTS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
ALONE = (0.2, 0.4, 0.6, 0.8)
EDGES = (0.0, 0.2, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0)
SMALLEST = 1e-4


def held_apart(root: Path, seed: int, made: int) -> Iterator[Labelled]:
    """Crops of plates that no training has seen: each real one twice, then `made` of our making."""
    rng = np.random.default_rng([seed, 17])
    real = RealCrops(root, HELD_OUT_EVERY, held_out=True)
    views = [(item.image, item.text, item.corners) for item in (*real.home, *real.others)]
    views += list(plates_in_scenes(root))
    for image, text, corners in views:
        crop = level(image, jitter(corners, rng))
        yield crop, text
        yield degrade(another_view(small(crop), rng), rng), text
    bank = CellBank.load(root, HELD_OUT_EVERY)
    for number in range(made):
        crop, text = recombined_crop(bank, rng) if number % 2 else drawn_crop(rng)
        yield degrade(another_view(small(crop), rng), rng), text


def plates_in_scenes(root: Path) -> Iterator[tuple[Image, str, Any]]:
    """Plates of the street scenes whose text no training crop has."""
    known = {
        picture.plates[0].text
        for picture in read_pictures(root / "train" / "crops")
        if not is_held_out(picture.plates[0], HELD_OUT_EVERY)
    }
    for folder in ("scenes", "scenes_near"):
        for picture in read_pictures(root / "train" / folder):
            for plate in picture.plates:
                if plate.text and plate.corners is not None and plate.text not in known:
                    yield load_image(picture.path), plate.text, plate.corners


def small(crop: Image) -> Image:
    """The crop at the size of a reader's input."""
    return np.asarray(cv2.resize(crop, (168, 48), interpolation=cv2.INTER_AREA), np.uint8)


def log_loss(judged: Iterable[Judged]) -> float:
    """Mean surprise at what turned out right or wrong."""
    losses = [
        -math.log(max(confidence if is_right else 1 - confidence, SMALLEST))
        for confidence, is_right in judged
    ]
    return math.fsum(losses) / len(losses)


def judged(readings: Iterable[PlateText], crops: list[Labelled]) -> list[Judged]:
    """Confidence of each reading, and whether it is right."""
    return [(plate.confidence, plate.text == text) for plate, (_, text) in zip(readings, crops, strict=True)]


def fit_temperature(reader: PlateReader, crops: list[Labelled], name: str) -> tuple[float, list[PlateText]]:
    """The temperature with the least log loss, and the readings at it."""
    seen = []
    for crop, _ in track(crops, description=name):
        colours, paint = colour_probabilities(crop), paint_probabilities(crop)
        [output] = reader.network.run(reader_input(reader_line(crop)))
        seen.append((reader.decoder.decode(output, kind_weights(paint)), colours))

    def readings(temperature: float) -> list[PlateText]:
        limits = replace(reader.limits, temperature=temperature)
        return [plate_text(decoded, colours, limits) for decoded, colours in seen]

    best = min(TEMPERATURES, key=lambda temperature: log_loss(judged(readings(temperature), crops)))
    return best, readings(best)


def fit_trust(first: list[PlateText], second: list[PlateText], crops: list[Labelled]) -> Trust:
    """The weights of both readers with the least log loss."""
    choices = [Trust(*numbers) for numbers in itertools.product(WEIGHTS, WEIGHTS, ALONE)]

    def loss(trust: Trust) -> float:
        return log_loss(judged((combine(a, b, trust) for a, b in zip(first, second, strict=True)), crops))

    return min(track(choices, description="both"), key=loss)


def reliability(judged: list[Judged]) -> dict[str, Any]:
    """How often readings of each confidence were right, and the expected calibration error."""
    rows, error = [], 0.0
    for low, high in itertools.pairwise(EDGES):
        group = [(c, r) for c, r in judged if low <= c < high or c == high == 1.0]
        if not group:
            continue
        said = math.fsum(c for c, _ in group) / len(group)
        right = sum(r for _, r in group)
        error += abs(said - right / len(group)) * len(group) / len(judged)
        rows.append({"from": low, "to": high, "said": round(said, 4), "right": right, "of": len(group)})
    return {"expected_calibration_error": round(error, 4), "table": rows}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=data_root())
    parser.add_argument("--first", type=Path, default=None, help="instead of the shipped first reader")
    parser.add_argument("--second", type=Path, default=None, help="instead of the shipped second reader")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--made", type=int, default=800, help="drawn and recombined crops")
    parser.add_argument("--json", type=Path, default=None)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    crops = list(held_apart(arguments.data, arguments.seed, arguments.made))
    print(f"{len(crops)} crops")
    report: dict[str, Any] = {"crops": len(crops)}
    warm_first, first = fit_temperature(load_reader("auto", arguments.first), crops, "first")
    warm_second, second = fit_temperature(load_second_reader("auto", arguments.second), crops, "second")
    trust = fit_trust(first, second, crops)
    both = [combine(a, b, trust) for a, b in zip(first, second, strict=True)]
    found: dict[str, tuple[dict[str, float], list[PlateText]]] = {
        "first": ({"temperature": warm_first}, first),
        "second": ({"temperature": warm_second}, second),
        "both": (asdict(trust), both),
    }
    for name, (fitted, readings) in found.items():
        outcome = judged(readings, crops)
        report[name] = fitted | {"exact": sum(r for _, r in outcome), **reliability(outcome)}
        print(name, json.dumps(report[name]))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
