"""Draw the picture sheet of docs/plates.md: every kind, every province, every degradation, and all together.

    python -m models.plate_art.sheet --out docs/plates.png

All of it is drawn by us: no camera picture and no real plate is on it. The same seed gives the same sheet.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from models.pictures import Image
from models.plate_art.random_plates import KINDS, OTHER_KINDS, random_text
from models.plate_crops.degrade import EFFECTS, degrade
from models.plate_crops.stream import h264
from vision.plate_art import draw_plate, load_atlas
from vision.plates import PROVINCES
from vision.rectify import READER_HEIGHT, READER_WIDTH, level

WIDTH = 960
INK, PAPER = (60, 60, 60), (255, 255, 255)
# The sheet keeps the upper bits only: noise would make it many times as large.
KEPT_BITS = 0xF0


def titled(tile: Image, title: str, size: tuple[int, int]) -> Image:
    """The tile on paper, (height, width) large, with its title below."""
    h, w = size
    paper = np.full((h, w, 3), PAPER, np.uint8)
    y, x = (h - 14 - tile.shape[0]) // 2, (w - tile.shape[1]) // 2
    paper[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    cv2.putText(paper, title, (x, h - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.36, INK, 1, cv2.LINE_AA)
    return paper


def rows_of(tiles: list[Image]) -> list[Image]:
    """The tiles side by side, as many as fit a row."""
    across = WIDTH // tiles[0].shape[1]
    tiles = tiles + [np.full_like(tiles[0], 255)] * (-len(tiles) % across)
    rows = [np.hstack(tiles[i : i + across]) for i in range(0, len(tiles), across)]
    return [np.pad(row, ((0, 0), (0, WIDTH - row.shape[1]), (0, 0)), constant_values=255) for row in rows]


def shrunk(picture: Image, scale: float) -> Image:
    """The picture at this scale."""
    return np.asarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def drawn(kind: str, seed: int) -> Image:
    """A clean plate of this kind."""
    rng = np.random.default_rng(seed)
    rows = 2 if kind.endswith("double") else 1
    return draw_plate(
        random_text(rng, kind), kind.split()[0], rows, face=int(rng.integers(len(load_atlas().faces)))
    )


def levelled(kind: str, seed: int) -> Image:
    """A clean plate of this kind as the reader sees it."""
    picture = drawn(kind, seed)
    h, w = picture.shape[:2]
    crop = level(picture, np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32))
    size = (READER_WIDTH, READER_HEIGHT)
    return np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.uint8)


def make_sheet(seed: int) -> Image:
    """The whole sheet, (H, 960, 3) uint8 BGR."""
    kinds = [
        titled(shrunk(drawn(kind, seed + n), 0.42), kind, (112, 240))
        for n, kind in enumerate((*KINDS, *OTHER_KINDS))
    ]
    provinces = [
        titled(
            shrunk(draw_plate(f"{province}A{n:05d}", "blue", face=n % len(load_atlas().faces)), 0.25),
            "",
            (50, 120),
        )
        for n, province in enumerate(PROVINCES)
    ]
    harmed = []
    for number, (name, effect) in enumerate({**EFFECTS, "H.264": h264}.items()):
        rng = np.random.default_rng([seed, number])
        kind = ("blue", "green", "yellow", "white police")[number % 4]
        harmed.append(titled(effect(levelled(kind, seed + number), rng), name, (68, 192)))
    together = []
    for number in range(20):
        rng = np.random.default_rng([seed, 100 + number])
        kind = ("blue", "green", "yellow", "green large", "white police")[number % 5]
        together.append(titled(degrade(levelled(kind, seed + 50 + number), rng), "", (64, 192)))
    sheet = np.vstack(rows_of(kinds) + rows_of(provinces) + rows_of(harmed) + rows_of(together))
    return np.asarray(sheet & KEPT_BITS | (sheet >> 4), np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("docs/plates.png"))
    parser.add_argument("--seed", type=int, default=36)
    arguments = parser.parse_args()
    sheet = make_sheet(arguments.seed)
    if not cv2.imwrite(str(arguments.out), sheet, [cv2.IMWRITE_PNG_COMPRESSION, 9]):
        parser.error(f"cannot write {arguments.out}")
    print(f"{arguments.out}: {sheet.shape[1]}x{sheet.shape[0]}, {arguments.out.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
