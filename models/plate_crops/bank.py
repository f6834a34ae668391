"""Real characters, cut from levelled crops of blue plates: where each one is, how sharp and how bright.

The labelled corners are good to a few per cent; each plate is brought into line with a drawing of its own
text first, so that the boxes of GA 36 hold the characters they should. All measures are millimetres of the
plate.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from rich.progress import track

from models.pictures import Corners, Image, load_image, read_pictures
from models.plate_crops.crops import is_held_out
from vision.plate_art import Box, layout_single, load_atlas
from vision.plates import DIGITS, LETTERS, PROVINCES

Matrix = NDArray[np.float64]
Floats = NDArray[np.float32]

WIDTH_MM, HEIGHT_MM = 440, 140
BOXES = layout_single(7).boxes
FLAT = np.array([[0, 0], [WIDTH_MM, 0], [WIDTH_MM, HEIGHT_MM], [0, HEIGHT_MM]], np.float32)
# Plates are measured at this many millimetres a pixel, about what the camera gave.
STEP_MM = 2
ALIGN_STEP_MM = 2 * STEP_MM
# The part that is aligned: the characters without the border line.
INNER = (slice(20 // STEP_MM, 120 // STEP_MM), slice(10 // STEP_MM, 430 // STEP_MM))
LEAST_LIKENESS = 0.65
# The part of a gap next to a character that shows the ground.
GAP_MM = 5
SIGMAS_MM = (0.0, 2.0, 3.0, 4.0, 5.5, 7.0, 9.0, 12.0, 16.0, 22.0)
# So many cells of a like sharpness are one as good as the other.
NEIGHBOURS = 40


@dataclass(frozen=True)
class RealPlate:
    """One blue plate.

    to_picture: 3 x 3, from millimetres of the plate to pixels of `image`. low, high: (3,) BGR of ground
    and ink.
    beside: (7, 2, 3) ground left and right of each character. contrast: (7, 3) from that ground to its ink.
    blur_mm: how far edges are smeared, across and down.
    """

    image: Image
    text: str
    to_picture: Matrix
    low: Floats
    high: Floats
    beside: Floats
    contrast: Floats
    blur_mm: tuple[float, float]


@dataclass(frozen=True)
class Cell:
    """One character of a plate of the bank: number of the plate, position in its text."""

    plate: int
    position: int


@cache
def template(character: str) -> Floats:
    """A drawn character as alpha at STEP_MM, as large as its box."""
    size = (round(45 / STEP_MM), round(90 / STEP_MM))
    glyph = cv2.resize(load_atlas().glyph(character, 0), size, interpolation=cv2.INTER_AREA)
    return np.asarray(glyph, np.float32) / np.float32(255)


def drawn_ink(text: str) -> Floats:
    """What a plate with this text should look like: alpha of the ink at STEP_MM, without border."""
    picture = np.zeros((HEIGHT_MM // STEP_MM, WIDTH_MM // STEP_MM), np.float32)
    for character, box in zip(text, BOXES, strict=True):
        glyph = template(character)
        x, y = round(box.x / STEP_MM), round(box.y / STEP_MM)
        picture[y : y + glyph.shape[0], x : x + glyph.shape[1]] = glyph
    return picture


def steepness(grey: Floats) -> tuple[float, float]:
    """How steep the edges of the inner part are across and down, in shares of the contrast a pixel."""
    inner = cv2.GaussianBlur(grey, (0, 0), 1.0)[INNER]
    found = []
    for axis in (1, 0):
        steps = np.abs(np.diff(inner, axis=axis)).ravel()
        rank = len(steps) * 95 // 100
        found.append(float(np.partition(steps, rank)[rank]))
    return found[0], found[1]


def normalised(grey: Floats) -> Floats:
    """The inner part's dark end at 0 and its bright end at 1."""
    values = np.sort(grey[INNER], axis=None)
    low, high = values[len(values) * 8 // 100], values[len(values) * 92 // 100]
    return np.asarray((grey - low) / max(high - low, 1e-3), np.float32)


@cache
def steepness_curves() -> Floats:
    """(2, len(SIGMAS_MM)): how steep drawn plates are after each blur, across and down."""
    inks = [drawn_ink(text) for text in ("皖A12345", "苏B67890", "皖AFHK8W", "沪CZ3R7M", "浙DX5N2T")]
    curves = np.zeros((2, len(SIGMAS_MM)), np.float32)
    for ink in inks:
        for number, sigma in enumerate(SIGMAS_MM):
            soft = cv2.GaussianBlur(ink, (0, 0), sigma / STEP_MM) if sigma > 0 else ink
            curves[:, number] += np.array(steepness(normalised(np.asarray(soft, np.float32)))) / len(inks)
    return curves


def measure_blur(grey: Floats) -> tuple[float, float]:
    """How far the edges of a plate, (H, W) at STEP_MM, are smeared across and down, in mm."""
    seen = steepness(normalised(grey))
    across, down = (
        float(np.interp(-value, -curve, SIGMAS_MM))
        for value, curve in zip(seen, steepness_curves(), strict=True)
    )
    return across, down


def align(image: Image, text: str, corners: Corners) -> Matrix | None:
    """From millimetres of the plate to pixels of the picture, or None where the text does not lie there."""
    scale = np.diag([ALIGN_STEP_MM, ALIGN_STEP_MM, 1.0])
    outline = cv2.getPerspectiveTransform(FLAT, corners - np.float32(0.5))
    size = (WIDTH_MM // ALIGN_STEP_MM, HEIGHT_MM // ALIGN_STEP_MM)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    flat = cv2.warpPerspective(image, outline @ scale, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    grey = cv2.GaussianBlur(cv2.cvtColor(flat, cv2.COLOR_BGR2GRAY), (0, 0), 0.8).astype(np.float32)
    ink = cv2.resize(cv2.GaussianBlur(drawn_ink(text), (0, 0), 2.5)[INNER], None, fx=0.5, fy=0.5)
    offset = np.eye(3)
    offset[:2, 2] = INNER[1].start / 2, INNER[0].start / 2
    start = offset[:2].astype(np.float32)
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 12, 1e-3)
    try:
        likeness, found = cv2.findTransformECC(
            np.asarray(ink, np.float32), grey, start, cv2.MOTION_AFFINE, stop, None, 1
        )
    except cv2.error:  # it does not converge where nothing of the text can be seen
        return None
    if likeness < LEAST_LIKENESS:
        return None
    refined = np.vstack([found, [0, 0, 1]]) @ np.linalg.inv(offset)
    return np.asarray(outline @ scale @ refined @ np.linalg.inv(scale), np.float64)


def measure(image: Image, text: str, to_picture: Matrix) -> RealPlate:
    """The plate with its levels and its sharpness."""
    scale = np.diag([STEP_MM, STEP_MM, 1.0])
    size = (WIDTH_MM // STEP_MM, HEIGHT_MM // STEP_MM)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    flat = cv2.warpPerspective(image, to_picture @ scale, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    pixels = np.sort(flat[INNER].reshape(-1, 3), axis=0).astype(np.float32)
    low, high = pixels[len(pixels) * 8 // 100], pixels[len(pixels) * 92 // 100]
    beside = np.array([ground_beside(flat, box) for box in BOXES], np.float32)
    ink = np.array([ink_of(flat, box) for box in BOXES], np.float32)
    grey = cv2.cvtColor(flat, cv2.COLOR_BGR2GRAY).astype(np.float32)
    blur = measure_blur(grey)
    return RealPlate(image, text, to_picture, low, high, beside, ink - beside.mean(axis=1), blur)


def ground_beside(flat: Image, box: Box) -> Floats:
    """The ground in the gaps left and right of a character, (2, 3) BGR. flat: the plate at STEP_MM."""
    rows = slice(round((box.y + 5) / STEP_MM), round((box.y + box.height - 5) / STEP_MM))
    levels = []
    for start in (box.x - 1 - GAP_MM, box.x + box.width + 1):
        strip = flat[rows, round(start / STEP_MM) : round((start + GAP_MM) / STEP_MM)]
        levels.append(np.median(strip.reshape(-1, 3), axis=0))
    return np.array(levels, np.float32)


def ink_of(flat: Image, box: Box) -> Floats:
    """The ink of a character, (3,) BGR. flat: the plate at STEP_MM."""
    rows = slice(round(box.y / STEP_MM), round((box.y + box.height) / STEP_MM))
    pixels = flat[rows, round(box.x / STEP_MM) : round((box.x + box.width) / STEP_MM)].reshape(-1, 3)
    rank = len(pixels) * 90 // 100
    return np.partition(pixels, rank, axis=0)[rank].astype(np.float32)


class CellBank:
    """Plates in memory and, for each character, its cells in the order of their sharpness."""

    def __init__(self, plates: list[RealPlate]) -> None:
        self.plates = plates
        self.blurs = np.array([sum(plate.blur_mm) / 2 for plate in plates], np.float32)
        self.cells: dict[str, list[Cell]] = {}
        for number in np.argsort(self.blurs):
            for position, character in enumerate(plates[number].text):
                self.cells.setdefault(character, []).append(Cell(int(number), position))
        self.cell_blurs = {
            character: np.array([self.blurs[cell.plate] for cell in cells], np.float32)
            for character, cells in self.cells.items()
        }

    @classmethod
    def load(cls, root: Path, held_out_every: int, held_out: bool = False, one_in: int = 1) -> "CellBank":
        """The bank of `train/crops`, without (or of only) the plates kept for validation.

        one_in: takes every so many-th picture, where not every shape of a character matters.
        """
        plates = []
        for picture in track(read_pictures(root / "train" / "crops")[::one_in], description="cells"):
            plate = picture.plates[0]
            is_plain = len(plate.text) == 7 and set(plate.text) <= set(PROVINCES + LETTERS + DIGITS)
            if not is_plain or plate.corners is None or is_held_out(plate, held_out_every) != held_out:
                continue
            image = load_image(picture.path)
            to_picture = align(image, plate.text, plate.corners)
            if to_picture is not None:
                measured = measure(image, plate.text, to_picture)
                if (measured.high - measured.low).max() >= 40:
                    plates.append(measured)
        return cls(plates)

    def count(self, character: str) -> int:
        """How many cells show this character."""
        return len(self.cells.get(character, ()))

    def draw(self, character: str, blur_mm: float, rng: Generator, is_last: bool = False) -> Cell:
        """A random cell with this character, about as sharp as asked. Raises KeyError where there is none.

        is_last: whether it is for the end of a plate, next to the border, where alone the ends may serve.
        """
        cells = self.cells[character]
        middle = int(np.searchsorted(self.cell_blurs[character], blur_mm))
        first = max(0, min(middle - NEIGHBOURS // 2, len(cells) - NEIGHBOURS))
        cell = cells[0]
        for _ in range(4):
            cell = cells[rng.integers(first, min(first + NEIGHBOURS, len(cells)))]
            if is_last or cell.position < len(BOXES) - 1:
                break
        return cell
