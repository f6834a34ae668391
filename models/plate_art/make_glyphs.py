"""Render the glyph atlas of `vision/plate_art.py` from open fonts.

    python -m models.plate_art.make_glyphs --chinese NotoSansCJKtc-Bold.otf \\
        --latin OSP-DIN.ttf --latin BarlowCondensed-SemiBold.ttf

Each typeface of `--latin` gives one face of the atlas: its letters and digits beside the Chinese characters
of `--chinese`. All fonts are under the SIL Open Font Licence; only the drawn shapes are shipped.
"""

import argparse
import json
import string
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vision.plates import DIGITS, MARKS, PROVINCES

CELL_WIDTH, CELL_HEIGHT = 90, 180  # twice the 45 mm x 90 mm box of GA 36 at one pixel a millimetre
COLUMNS = 16
# These are as narrow on a plate as in the font; every other character fills its box.
NARROW = "1I"
RENDER_SIZE = 400
ASSETS = Path(__file__).resolve().parents[2] / "vision" / "assets"


def render_glyph(character: str, font: ImageFont.FreeTypeFont, reference_height: float) -> np.ndarray:
    """One character as alpha, (CELL_HEIGHT, CELL_WIDTH) uint8, stretched to the box a plate gives it.

    reference_height: height of a capital in this font at RENDER_SIZE, which scales the narrow characters.
    """
    canvas = Image.new("L", (RENDER_SIZE * 2, RENDER_SIZE * 2), 0)
    ImageDraw.Draw(canvas).text((RENDER_SIZE // 2, RENDER_SIZE // 4), character, font=font, fill=255)
    left, top, right, bottom = canvas.getbbox() or (0, 0, 0, 0)
    if right <= left:
        raise ValueError(f"the font has no shape for {character!r}")
    ink = np.asarray(canvas.crop((left, top, right, bottom)))
    width = CELL_WIDTH
    if character in NARROW:
        width = min(CELL_WIDTH, round((right - left) * CELL_HEIGHT / reference_height))
    cell = np.zeros((CELL_HEIGHT, CELL_WIDTH), np.uint8)
    start = (CELL_WIDTH - width) // 2
    cell[:, start : start + width] = cv2.resize(ink, (width, CELL_HEIGHT), interpolation=cv2.INTER_AREA)
    return cell


def capital_height(font: ImageFont.FreeTypeFont) -> float:
    """Height in pixels of a capital H at RENDER_SIZE."""
    _, top, _, bottom = font.getbbox("H")
    return float(bottom - top)


def make_atlas(chinese: Path, latin: list[Path]) -> tuple[np.ndarray, dict[str, object]]:
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
        "--latin", type=Path, action="append", required=True, help="letters and digits; repeat"
    )
    parser.add_argument("--out", type=Path, default=ASSETS)
    arguments = parser.parse_args()
    atlas, index = make_atlas(arguments.chinese, arguments.latin)
    arguments.out.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(arguments.out / "glyphs.png"), atlas, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    text = json.dumps(index, ensure_ascii=False, separators=(",", ":"))
    (arguments.out / "glyphs.json").write_text(text + "\n", encoding="utf-8")
    print(f"{atlas.shape[1]}x{atlas.shape[0]} atlas, {len(index['faces'])} faces")


if __name__ == "__main__":
    main()
