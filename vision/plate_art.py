"""Draws number plates in the style of GA 36, for the camera simulator, the tests and the training data.

Measures are those of the standard at one pixel a millimetre. The shapes come from `assets/glyphs.png`, made
by `models/plate_art/make_glyphs.py` from open fonts: close to the plate typeface, not equal to it.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Bgr = tuple[int, int, int]

ASSETS = Path(__file__).parent / "assets"
WHITE: Bgr = (250, 250, 250)
BLACK: Bgr = (18, 18, 18)
RED: Bgr = (40, 30, 205)
CORNER_RADIUS = 10
# Faces of the atlas whose Chinese strokes are heavier than those of the standard.
HEAVY_FACES = (0, 1)


@dataclass(frozen=True)
class Paint:
    """The colours of one kind of plate; the ground runs from `top` to `bottom`."""

    top: Bgr
    bottom: Bgr
    ink: Bgr


PAINTS = {
    "blue": Paint((168, 62, 12), (168, 62, 12), WHITE),
    "green": Paint((236, 246, 232), (112, 200, 72), BLACK),
    "yellow": Paint((18, 180, 245), (18, 180, 245), BLACK),
    "white": Paint((240, 240, 240), (240, 240, 240), BLACK),
    "black": Paint((24, 22, 22), (24, 22, 22), WHITE),
}
AVIATION_GREEN = Paint((40, 92, 20), (40, 92, 20), WHITE)
FARM_GREEN = Paint((62, 118, 24), (62, 118, 24), WHITE)
# Large new-energy plates: yellow under province and letter, green under the rest.
LARGE_GREEN = Paint((92, 188, 70), (92, 188, 70), BLACK)
LARGE_YELLOW_ENDS = 125


@dataclass(frozen=True)
class Box:
    """Where one character goes, in pixels of the drawn plate."""

    x: float
    y: float
    width: int
    height: int


@dataclass(frozen=True)
class Layout:
    """Size of a plate, the boxes of its characters and the centre of its dot."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    dot: tuple[float, float] | None


@dataclass(frozen=True)
class Atlas:
    """Every glyph as alpha, and where each face keeps which character."""

    alpha: Image
    cell_width: int
    cell_height: int
    columns: int
    faces: tuple[dict[str, int], ...]

    def glyph(self, character: str, face: int) -> Image:
        """One character as (cell_height, cell_width) uint8 alpha. Raises ValueError where there is none."""
        number = self.faces[face % len(self.faces)].get(character)
        if number is None:
            raise ValueError(f"no glyph for {character!r}")
        row, column = divmod(number, self.columns)
        y, x = row * self.cell_height, column * self.cell_width
        return self.alpha[y : y + self.cell_height, x : x + self.cell_width]


@cache
def load_atlas() -> Atlas:
    """The shipped glyphs, read once; nobody changes them."""
    index: dict[str, Any] = json.loads((ASSETS / "glyphs.json").read_text(encoding="utf-8"))
    picture = cv2.imdecode(np.fromfile(ASSETS / "glyphs.png", np.uint8), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        raise RuntimeError("the glyph atlas cannot be read")
    alpha = np.asarray(picture, np.uint8)
    alpha.setflags(write=False)
    cell = index["cell_width"], index["cell_height"]
    return Atlas(alpha, cell[0], cell[1], index["columns"], tuple(index["faces"]))


def layout_single(count: int, dot_after: int = 2) -> Layout:
    """One row of 7 characters (440 x 140) or of 8 (480 x 140), with a dot after so many of them."""
    width, rest_width, gap, dot_gap = (440, 45, 12, 34) if count == 7 else (480, 43, 9, 49)
    boxes = [Box(15.5, 25, 45, 90)]
    for position in range(1, count):
        last = boxes[-1]
        step = dot_gap if position == dot_after else gap
        boxes.append(Box(last.x + last.width + step, 25, rest_width, 90))
    before = boxes[dot_after - 1]
    middle = (before.x + before.width + boxes[dot_after].x) / 2
    return Layout(width, 140, tuple(boxes), (middle, 70))


def layout_double() -> Layout:
    """Two characters above five, 440 x 220."""
    upper = [Box(110, 15, 80, 60), Box(250, 15, 80, 60)]
    lower = [Box(27.5 + 80 * position, 90, 65, 110) for position in range(5)]
    return Layout(440, 220, tuple(upper + lower), (220, 45))


def layout_farm() -> Layout:
    """Three characters above five, 300 x 165 (NY 345.1, tractors)."""
    upper = [Box(58 + 68 * position, 15, 48, 48) for position in range(3)]
    lower = [Box(25 + 52 * position, 75, 42, 75) for position in range(5)]
    return Layout(300, 165, tuple(upper + lower), None)


def plate_layout(text: str, colour: str, rows: int) -> Layout:
    """The layout for this text. Raises ValueError where no plate of that kind exists."""
    if rows == 2 and len(text) == 7:
        return layout_double()
    if is_farm(text, colour, rows):
        return layout_farm()
    if rows != 1 or len(text) not in (7, 8):
        raise ValueError(f"no layout for {len(text)} characters in {rows} rows")
    layout = layout_single(len(text), dot_after=4 if text[0] == "使" else 2)
    # New-energy plates carry a badge, not a dot, in the wide gap.
    has_badge = colour == "green" and len(text) == 8
    return Layout(layout.width, layout.height, layout.boxes, None) if has_badge else layout


def ink_of(text: str, position: int, paint: Paint, colour: str) -> Bgr:
    """The colour of one character: 警, 使, 领 and the first two of a military plate are red."""
    if text[position] in "警使领应急" and colour in ("white", "black"):
        return RED
    is_military = colour == "white" and text[0].isascii() and text[0].isalpha()
    return RED if is_military and position < 2 else paint.ink


def coverage(mask: NDArray[Any]) -> NDArray[np.float32]:
    """A uint8 mask as alpha from 0 to 1."""
    alpha: NDArray[np.float32] = np.divide(mask, 255, dtype=np.float32)
    return alpha


def blend(picture: NDArray[np.float32], alpha: NDArray[np.float32], x: int, y: int, ink: Bgr) -> None:
    """Paint `ink` into `picture` through `alpha` (0..1) with its upper left at x, y; changes `picture`."""
    h, w = alpha.shape
    part = picture[y : y + h, x : x + w]
    part += alpha[..., None] * (np.array(ink, np.float32) - part)


def is_large_energy(text: str) -> bool:
    """Whether a green plate with this text is that of a large vehicle: its energy letter comes last."""
    return len(text) == 8 and text[-1] in "DF" and text[2:7].isdigit()


def is_farm(text: str, colour: str, rows: int) -> bool:
    """Whether this is a tractor: a province, two digits of the city and five characters below."""
    return colour == "green" and rows == 2 and len(text) == 8


def paint_of(text: str, colour: str, rows: int = 1) -> Paint:
    """Ground and ink of a plate. Raises ValueError where no plate has this colour."""
    if colour not in PAINTS:
        raise ValueError(f"no plate is {colour!r}")
    if is_farm(text, colour, rows):
        return FARM_GREEN
    if colour == "green" and text.startswith("民航"):
        return AVIATION_GREEN
    return LARGE_GREEN if colour == "green" and is_large_energy(text) else PAINTS[colour]


def ground(layout: Layout, paint: Paint) -> NDArray[np.float32]:
    """The empty plate with its border line, (H, W, 3) float32 BGR 0..255."""
    ramp = np.linspace(0, 1, layout.height, dtype=np.float32)[:, None, None]
    top, bottom = np.array(paint.top, np.float32), np.array(paint.bottom, np.float32)
    picture: NDArray[np.float32] = np.repeat(top + ramp * (bottom - top), layout.width, axis=1)
    if paint is LARGE_GREEN:
        picture[:, :LARGE_YELLOW_ENDS] = PAINTS["yellow"].top
    outline = np.zeros((layout.height, layout.width), np.uint8)
    draw_rounded(outline, inset=3, thickness=3)
    blend(picture, coverage(outline), 0, 0, paint.ink)
    for x in bolt_columns(layout):
        for y in (12, layout.height - 12):
            slot = np.zeros_like(outline)
            cv2.line(slot, (x - 6, y), (x + 6, y), 255, 7, cv2.LINE_AA)
            blend(picture, coverage(slot) * np.float32(0.6), 0, 0, (70, 70, 70))
    if paint in (LARGE_GREEN, PAINTS["green"]):
        draw_badge(picture, layout)
    return picture


def bolt_columns(layout: Layout) -> tuple[int, int]:
    """The two columns where the mounting slots are."""
    return round(layout.width * 0.25), round(layout.width * 0.75)


def draw_rounded(mask: Image, inset: int, thickness: int) -> None:
    """Draw a rectangle with round corners into `mask` (H, W), white; changes `mask`."""
    h, w = mask.shape
    left, top, right, bottom = inset, inset, w - 1 - inset, h - 1 - inset
    r = CORNER_RADIUS
    for start, end in (
        ((left + r, top), (right - r, top)),
        ((left + r, bottom), (right - r, bottom)),
        ((left, top + r), (left, bottom - r)),
        ((right, top + r), (right, bottom - r)),
    ):
        cv2.line(mask, start, end, 255, thickness, cv2.LINE_AA)
    for centre, angle in (
        ((left + r, top + r), 180),
        ((right - r, top + r), 270),
        ((right - r, bottom - r), 0),
        ((left + r, bottom - r), 90),
    ):
        cv2.ellipse(mask, centre, (r, r), angle, 0, 90, 255, thickness, cv2.LINE_AA)


def draw_badge(picture: NDArray[np.float32], layout: Layout) -> None:
    """The round new-energy sign in the gap after the second character; changes `picture`."""
    mask = np.zeros(picture.shape[:2], np.uint8)
    centre = (round((layout.boxes[1].x + layout.boxes[1].width + layout.boxes[2].x) / 2), 70)
    cv2.circle(mask, centre, 15, 255, -1, cv2.LINE_AA)
    blend(picture, coverage(mask), 0, 0, (60, 130, 20))
    lines = np.zeros_like(mask)
    for offset in (-5, 0, 5):
        cv2.line(lines, (centre[0] - 7, centre[1] + offset), (centre[0] + 7, centre[1] + offset), 255, 2)
    blend(picture, coverage(lines), 0, 0, WHITE)


def empty_plate(text: str, colour: str, rows: int = 1) -> Image:
    """The plate that `text` would stand on, without its characters: (H, W, 3) uint8, BGR.

    Raises ValueError for a colour or length that no plate has.
    """
    layout = plate_layout(text, colour, rows)
    picture = ground(layout, paint_of(text, colour, rows))
    return np.clip(picture, 0, 255).astype(np.uint8)


def draw_plate(text: str, colour: str, rows: int = 1, face: int = 0) -> Image:
    """A flat, clean, frontal picture of a plate: (H, W, 3) uint8, BGR.

    7 characters give 440 x 140, 8 give 480 x 140, two rows of 7 characters 440 x 220, those of a tractor (8,
    green) 300 x 165. colour: a key of `PAINTS`; the text says which of the greens it is. face: which typeface
    of the atlas draws it. The same arguments always give the
    same picture. Raises ValueError for a character, colour or length that no plate has.
    """
    paint = paint_of(text, colour, rows)
    layout = plate_layout(text, colour, rows)
    atlas = load_atlas()
    picture = ground(layout, paint)
    for position, (character, box) in enumerate(zip(text, layout.boxes, strict=True)):
        glyph = cv2.resize(
            atlas.glyph(character, face), (box.width, box.height), interpolation=cv2.INTER_AREA
        )
        alpha = coverage(glyph)
        blend(picture, alpha, round(box.x), round(box.y), ink_of(text, position, paint, colour))
    if layout.dot is not None:
        mask = np.zeros(picture.shape[:2], np.uint8)
        cv2.circle(mask, (round(layout.dot[0]), round(layout.dot[1])), 5, 255, -1, cv2.LINE_AA)
        blend(picture, coverage(mask), 0, 0, paint.ink)
    return np.clip(picture, 0, 255).astype(np.uint8)
