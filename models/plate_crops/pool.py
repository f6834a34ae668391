"""A pool of training crops on disk, so that training need not wait for drawing.

    python -m models.plate_crops.pool --out runs/crops --count 40000 --seed 1 --source drawn --source swapped

A crop of the pool is levelled but not yet degraded: each use blurs, darkens and shrinks it in another way.
A shard is a pair of files, `NAME.npy` (N, 48, 168, 3) uint8 BGR and `NAME.txt` with a text a line, and is
complete as soon as it is there, so a training may begin while the pool is still filled.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from rich.progress import track

from models.alphabet import INPUT_HEIGHT, INPUT_WIDTH
from models.pictures import Image, data_root
from models.plate_crops.bank import CellBank
from models.plate_crops.crops import RealCrops, drawn_crop, jitter, swap_province
from models.plate_crops.foreign import foreign_crop
from models.plate_crops.recombine import recombined_crop
from vision.rectify import level

SHARD = 2048
HELD_OUT_EVERY = 20

Source = Callable[[Generator], tuple[Image, str]]


@dataclass(frozen=True)
class Pool:
    """All shards of a folder, mapped into memory."""

    crops: list[NDArray[np.uint8]]
    texts: list[list[str]]

    def draw(self, rng: Generator) -> tuple[Image, str]:
        """Any crop, each equally likely."""
        shard = int(rng.integers(len(self.crops)))
        number = int(rng.integers(len(self.texts[shard])))
        return np.asarray(self.crops[shard][number], np.uint8), self.texts[shard][number]


def open_pool(folder: Path, source: str) -> Pool:
    """The crops of one source that are complete by now. Raises FileNotFoundError where there are none."""
    names = sorted(folder.glob(f"{source}-*.npy"))
    if not names:
        raise FileNotFoundError(f"{folder} holds no crops of the source {source!r}")
    crops = [np.load(name, mmap_mode="r") for name in names]
    texts = [name.with_suffix(".txt").read_text(encoding="utf-8").split("\n") for name in names]
    return Pool(crops, texts)


def swapped(root: Path) -> Source:
    """Real crops with another province drawn over their own."""
    real = RealCrops(root, HELD_OUT_EVERY, held_out=False)

    def make(rng: Generator) -> tuple[Image, str]:
        crop = swap_province(real.draw(rng, 0.9), rng)
        return level(crop.image, jitter(crop.corners, rng)), crop.text

    return make


def recombined(root: Path) -> Source:
    """Real characters of many plates put together to new texts."""
    bank = CellBank.load(root, HELD_OUT_EVERY)
    return lambda rng: recombined_crop(bank, rng, wobble=jitter)


SOURCES: dict[str, Callable[[Path], Source]] = {
    "drawn": lambda _: drawn_crop,
    "swapped": swapped,
    "recombined": recombined,
    "foreign": lambda _: foreign_crop,
}


def fill(folder: Path, source: str, make: Source, count: int, seed: int) -> None:
    """Write `count` crops, rounded up to whole shards; shards that are there already stay."""
    folder.mkdir(parents=True, exist_ok=True)
    for shard in track(range(-(-count // SHARD)), description=source):
        path = folder / f"{source}-{seed}-{shard:04d}.npy"
        if path.exists():
            continue
        rng = np.random.default_rng([seed, shard, len(source)])
        pairs = [make(rng) for _ in range(SHARD)]
        size = (INPUT_WIDTH, INPUT_HEIGHT)
        crops = np.stack([cv2.resize(crop, size, interpolation=cv2.INTER_AREA) for crop, _ in pairs])
        path.with_suffix(".txt").write_text("\n".join(text for _, text in pairs), encoding="utf-8")
        waiting = path.with_suffix(".part")
        with waiting.open("wb") as file:
            np.save(file, crops)
        waiting.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=data_root())
    parser.add_argument("--out", type=Path, default=Path("runs/crops"))
    parser.add_argument("--count", type=int, default=40_000, help="crops of each source")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--source", action="append", choices=sorted(SOURCES), required=True)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    for source in arguments.source:
        fill(arguments.out, source, SOURCES[source](arguments.data), arguments.count, arguments.seed)


if __name__ == "__main__":
    main()
