"""Plates of known colour in many lights, as the measures of `vision.paint`.

    python -m models.plate_colour.dataset --out runs/colour

Blue plates are real ones, and recombined and drawn ones like all others: what is painted must not be what
tells them apart. Writes `train.npz`, `held_out.npz`, and `plain.npz`, drawn plates in good light: measures
(N, F) float32, colours (N,) as numbers. A file that is there already stays.
"""

import argparse
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from rich.progress import track

from models.pictures import Image, data_root
from models.plate_art.random_plates import pick
from models.plate_colour.lights import lit
from models.plate_crops.bank import CellBank
from models.plate_crops.crops import RealCrops, jitter, levelled_plate
from models.plate_crops.recombine import recombined_crop
from models.plate_crops.views import another_view
from vision.colour import COLOURS
from vision.paint import measure
from vision.rectify import READER_HEIGHT, READER_WIDTH, level

CONFIG = Path(__file__).parent / "config.toml"
# Kinds of plates by colour, each as likely as the next: of recombined ones, and of drawn ones.
RECOMBINED = {
    "blue": ("blue",),
    "green": ("green small", "green small", "green large"),
    "yellow": ("yellow", "yellow", "yellow school", "yellow double"),
    "white": ("white police",),
    "black": ("black",),
}
DRAWN = {
    "blue": ("blue",),
    "green": ("green", "green", "green large", "green aviation"),
    "yellow": ("yellow", "yellow school", "yellow double", "yellow trailer double"),
    "white": ("white police", "white military", "white emergency"),
    "black": ("black", "black Hong Kong", "black consulate", "black embassy"),
}
Make = Callable[[str, Generator], Image]


def drawn(colour: str, rng: Generator) -> Image:
    """A drawn plate of this colour, levelled; of two rows too, as it comes."""
    return levelled_plate(rng, pick(rng, DRAWN[colour]))[0]


def makers(root: Path, config: dict[str, Any], *, held_out: bool) -> dict[str, Make]:
    """Where crops come from."""
    every = config["held_out_every"]
    bank = CellBank.load(root, every, held_out, one_in=1 if held_out else config["cells_one_in"])
    real = RealCrops(root, every, held_out)

    def recombined(colour: str, rng: Generator) -> Image:
        return recombined_crop(bank, rng, pick(rng, RECOMBINED[colour]), wobble=jitter)[0]

    def cut(_: str, rng: Generator) -> Image:
        found = real.draw(rng, 0.5)
        return level(found.image, jitter(found.corners, rng))

    return {"real": cut, "recombined": recombined, "drawn": drawn}


def seen(
    make: dict[str, Make], config: dict[str, Any], plates: int, rng: Generator, is_plain: bool = False
) -> tuple[Any, Any]:
    """Measures and colours of so many plates of each colour, each in several lights, or in good ones."""
    measures, colours = [], []
    for number, colour in enumerate(COLOURS):
        shares = dict(config["shares_blue" if colour == "blue" else "shares"])
        sources = rng.choice(list(shares), plates, p=list(shares.values()))
        for source in track(sources, description=colour):
            crop = make[str(source)](colour, rng)
            small = np.asarray(
                cv2.resize(crop, (READER_WIDTH, READER_HEIGHT), interpolation=cv2.INTER_AREA), np.uint8
            )
            for _ in range(config["lights"]):
                measures.append(measure(lit(another_view(small, rng), rng, is_plain)))
                colours.append(number)
    return np.array(measures, np.float32), np.array(colours, np.int64)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--data", type=Path, default=data_root())
    parser.add_argument("--out", type=Path, default=Path("runs/colour"))
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    config = tomllib.loads(arguments.config.read_text(encoding="utf-8"))["dataset"]
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in ("plain", "train", "held_out"):
        path = arguments.out / f"{name}.npz"
        if path.exists():
            continue
        rng = np.random.default_rng([config["seed"], len(name)])
        is_plain = name == "plain"
        make = {"drawn": drawn} if is_plain else makers(arguments.data, config, held_out=name == "held_out")
        shares = {"shares": {"drawn": 1.0}, "shares_blue": {"drawn": 1.0}} if is_plain else {}
        measures, colours = seen(make, config | shares, config["plates"][name], rng, is_plain)
        np.savez(path, measures=measures, colours=colours)
        print(f"{name}: {len(colours)} crops")


if __name__ == "__main__":
    main()
