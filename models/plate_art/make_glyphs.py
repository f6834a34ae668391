"""Render the glyph atlas of `vision/plate_art.py` from open fonts.

    python -m models.plate_art.make_glyphs --chinese NotoSansCJKtc-Bold.otf --lines NotoSansCJK-Regular.ttc \\
        --latin OSP-DIN.ttf --latin BarlowCondensed-Medium.ttf

Each typeface of `--latin` gives one face of the atlas, its letters and digits beside the Chinese characters
of `--chinese`, and each of `PENS` a further one, with the Chinese characters of `--lines` redrawn in strokes
of one width. All fonts are under the SIL Open Font Licence; only the drawn shapes are shipped.
"""

import argparse
import json
import string
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from models.plate_art.strokes import even_strokes
from vision.plates import DIGITS, MARKS, PROVINCES

CELL_WIDTH, CELL_HEIGHT = 90, 180  # twice the 45 mm x 90 mm box of GA 36 at one pixel a millimetre
COLUMNS = 16
# These are as narrow on a plate as in the font; every other character fills its box.
NARROW = "1I"
RENDER_SIZE = 400
# Which typeface of the collection has the simplified shapes.
SIMPLIFIED = 2
# Width of the strokes in pixels of the cell, what share of it they may cover, whether their ends are round.
PENS = ((13, 0.40, False), (16, 0.46, True))
ASSETS = Path(__file__).resolve().parents[2] / "vision" / "assets"


def ink_of(character: str, font: ImageFont.FreeTypeFont) -> np.ndarray:
    """One character as alpha, cut to its bounds. Raises ValueError where the font has no shape for it."""
    canvas = Image.new("L", (RENDER_SIZE * 2, RENDER_SIZE * 2), 0)
    ImageDraw.Draw(canvas).text((RENDER_SIZE // 2, RENDER_SIZE // 4), character, font=font, fill=255)
    bounds = canvas.getbbox()
    if bounds is None:
        raise ValueError(f"the font has no shape for {character!r}")
    return np.asarray(canvas.crop(bounds))


def render_glyph(character: str, font: ImageFont.FreeTypeFont, reference_height: float) -> np.ndarray:
    """One character as alpha, (CELL_HEIGHT, CELL_WIDTH) uint8, stretched to the box a plate gives it.

    reference_height: height of a capital in this font at RENDER_SIZE, which scales the narrow characters.
    """
    ink = ink_of(character, font)
    width = CELL_WIDTH
    if character in NARROW:
        width = min(CELL_WIDTH, round(ink.shape[1] * CELL_HEIGHT / reference_height))
    cell = np.zeros((CELL_HEIGHT, CELL_WIDTH), np.uint8)
    start = (CELL_WIDTH - width) // 2
    cell[:, start : start + width] = cv2.resize(ink, (width, CELL_HEIGHT), interpolation=cv2.INTER_AREA)
    return cell


def capital_height(font: ImageFont.FreeTypeFont) -> float:
    """Height in pixels of a capital H at RENDER_SIZE."""
    _, top, _, bottom = font.getbbox("H")
    return float(bottom - top)


def make_atlas(chinese: Path, lines: Path, latin: list[Path]) -> tuple[np.ndarray, dict[str, object]]:
    """The atlas picture (H, W) uint8 and its index: cell size, columns and the cell numbers of each face."""
    cells: list[np.ndarray] = []
    shared: dict[str, int] = {}
    font = ImageFont.truetype(str(chinese), RENDER_SIZE)
    for character in PROVINCES + MARKS:
        shared[character] = len(cells)
        cells.append(render_glyph(character, font, capital_height(font)))
    faces: list[dict[str, int]] = []
    for path in latin:
        font = ImageFont.truetype(str(path), RENDER_SIZE)
        face = dict(shared)
        for character in string.ascii_uppercase + DIGITS:
            face[character] = len(cells)
            cells.append(render_glyph(character, font, capital_height(font)))
        faces.append(face)
    font = ImageFont.truetype(str(lines), RENDER_SIZE, index=SIMPLIFIED)
    for number, pen in enumerate(PENS):
        face = dict(faces[number % len(latin)])
        for character in PROVINCES + MARKS:
            face[character] = len(cells)
            cells.append(even_strokes(ink_of(character, font), CELL_WIDTH, CELL_HEIGHT, *pen))
        faces.append(face)
    rows = -(-len(cells) // COLUMNS)
    blank = np.zeros((CELL_HEIGHT, CELL_WIDTH), np.uint8)
    cells += [blank] * (rows * COLUMNS - len(cells))
    atlas = np.vstack([np.hstack(cells[r * COLUMNS : (r + 1) * COLUMNS]) for r in range(rows)])
    index = {"cell_width": CELL_WIDTH, "cell_height": CELL_HEIGHT, "columns": COLUMNS, "faces": faces}
    return atlas, index


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--chinese", type=Path, required=True, help="font file of the Chinese characters")
    parser.add_argument(
        "--lines",
        type=Path,
        required=True,
        help="collection of fonts whose Chinese strokes are redrawn evenly",
    )
    parser.add_argument(
        "--latin", type=Path, action="append", required=True, help="letters and digits; repeat"
    )
    parser.add_argument("--out", type=Path, default=ASSETS)
    arguments = parser.parse_args()
    atlas, index = make_atlas(arguments.chinese, arguments.lines, arguments.latin)
    arguments.out.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(arguments.out / "glyphs.png"), atlas, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    text = json.dumps(index, ensure_ascii=False, separators=(",", ":"))
    (arguments.out / "glyphs.json").write_text(text + "\n", encoding="utf-8")
    print(f"{atlas.shape[1]}x{atlas.shape[0]} atlas, {len(index['faces'])} faces")


if __name__ == "__main__":
    main()
