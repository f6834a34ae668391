"""New plates from real ones: characters of some plates set into the ground of another.

    bank = CellBank.load(data_root(), held_out_every=20)
    crop, text = recombined_crop(bank, rng)

The crop is as `vision.rectify.level` gives it: 168 x 48 uint8 BGR with its margin, which shows the real car.
Every pixel is taken from a camera picture once, straight into the crop, so nothing is blurred twice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.random import Generator

from models.pictures import Corners, Image
from models.plate_art.random_plates import pick, random_digits, with_runs
from models.plate_crops.bank import BOXES, HEIGHT_MM, WIDTH_MM, CellBank, Floats, Matrix, RealPlate
from models.plate_crops.repaint import firm, light_on, repaint, tinted
from vision.plate_art import BLACK, HEAVY_FACES, Box, Layout, empty_plate, load_atlas, plate_layout
from vision.plates import DIGITS, LETTERS, PROVINCES
from vision.rectify import MARGIN_ACROSS, MARGIN_DOWN, READER_HEIGHT, READER_WIDTH, merge_rows

Wobble = Callable[[Corners, Generator], Corners]

# How often each kind is made.
KINDS = {
    "blue": 0.55,
    "yellow": 0.09,
    "yellow school": 0.03,
    "yellow double": 0.05,
    "white police": 0.05,
    "black": 0.04,
    "green small": 0.13,
    "green large": 0.06,
}
# A plate of each kind that is laid out anew: a text it might carry, its colour and its rows.
LAID_OUT = {
    "green small": ("皖AD12345", "green", 1),
    "green large": ("皖A12345D", "green", 1),
    "yellow double": ("皖A12345", "yellow", 2),
}
CLEAR_CONTRAST = 90  # other paint needs a ground on which the ink stands out
TRIES = 5
HAZE_SHARE = 0.06
REST = 0.5  # how much of a cell's own colour noise comes along
KEEP = 0.15  # chance that a character of the ground stays
O_SHARE = 0.04
LETTER_SHARE = 0.4
KIND_NAMES = tuple(KINDS)
KIND_STEPS = np.cumsum(list(KINDS.values()))[:-1]
# So many real cells of a province weigh as much as the drawn one.
ENOUGH_CELLS = 10
# A cell is whole this far beyond its box, and gone after so much more; the gap between boxes is 12 mm.
WHOLE_MM, GONE_MM = 1.0, 5.5
GONE_FIRST_MM = 9.0
WHOLE_DOWN_MM, GONE_DOWN_MM = 2.0, 7.0
DRAWN_BLUR_MM = 1.2
BOX_MIDDLES = np.array([(box.x + box.width / 2) / WIDTH_MM for box in BOXES], np.float32)


def ends(box: Box) -> tuple[float, float]:
    """Where the cell of a box is gone, left and right; the first character has room up to the border."""
    return box.x - (GONE_MM if box.x > BOXES[0].x else GONE_FIRST_MM), box.x + box.width + GONE_MM


@dataclass(frozen=True)
class View:
    """How the crop sees the new plate.

    to_plate: 3 x 3, from pixels of the crop to millimetres. x, y: (H, W) those millimetres, pixel by pixel.
    """

    layout: Layout
    to_plate: Matrix
    to_crop: Matrix
    x: Floats
    y: Floats

    def region(self, box: Box) -> tuple[slice, slice]:
        """The pixels of a box and its seam, as rows and columns."""
        left, right = ends(box)
        top, bottom = box.y - GONE_DOWN_MM, box.y + box.height + GONE_DOWN_MM
        outline = np.array([[[left, top], [right, top], [right, bottom], [left, bottom]]], np.float64)
        found = cv2.perspectiveTransform(outline, self.to_crop)[0]
        low = np.maximum(np.floor(found.min(axis=0)), 0).astype(int)
        high = np.ceil(found.max(axis=0)).astype(int) + 1
        return slice(low[1], min(high[1], self.x.shape[0])), slice(low[0], min(high[0], self.x.shape[1]))

    def seam(self, box: Box, region: tuple[slice, slice]) -> Floats:
        """1 inside the box, falling to 0 around it."""
        x, y = self.x[region], self.y[region]
        left, right = ends(box)
        across = np.minimum(x - left, right - x) / (GONE_MM - WHOLE_MM)
        down = np.minimum(y - (box.y - GONE_DOWN_MM), box.y + box.height + GONE_DOWN_MM - y)
        return np.clip(np.minimum(across, down / (GONE_DOWN_MM - WHOLE_DOWN_MM)), 0, 1)[..., None]

    def plate(self) -> Floats:
        """1 on the plate, 0 around it, (H, W)."""
        inside = np.minimum(
            np.minimum(self.x, self.layout.width - self.x), np.minimum(self.y, self.layout.height - self.y)
        )
        return np.clip(inside / 4 + 0.5, 0, 1)


def view_of(layout: Layout, rng: Generator, wobble: Wobble | None) -> View:
    """The view `level` has of such a plate from its corners, as wrong as `wobble` makes them."""
    w, h = READER_WIDTH, READER_HEIGHT
    left, top = MARGIN_ACROSS / (1 + 2 * MARGIN_ACROSS) * w, MARGIN_DOWN / (1 + 2 * MARGIN_DOWN) * h
    target = np.array([[left, top], [w - left, top], [w - left, h - top], [left, h - top]], np.float32) - 0.5
    right, bottom = layout.width, layout.height
    corners = np.array([[0, 0], [right, 0], [right, bottom], [0, bottom]], np.float32)
    if wobble is not None:
        corners = wobble(corners, rng)
    to_plate = cv2.getPerspectiveTransform(target.astype(np.float32), corners)
    columns, rows = np.arange(w), np.arange(h)[:, None]
    x, y, z = (to_plate[i, 0] * columns + to_plate[i, 1] * rows + to_plate[i, 2] for i in range(3))
    return View(
        layout, to_plate, np.linalg.inv(to_plate), (x / z).astype(np.float32), (y / z).astype(np.float32)
    )


@cache
def drawn_cell(character: str, face: int, is_thin: bool) -> RealPlate:
    """A drawn character where the first of a plate stands, ready to be taken for a real one."""
    box = BOXES[0]
    image = np.zeros((HEIGHT_MM, 70), np.uint8)
    glyph = cv2.resize(
        load_atlas().glyph(character, face), (box.width, box.height), interpolation=cv2.INTER_AREA
    )
    if is_thin:
        # The typeface of plates is lighter than the fonts the glyphs were drawn with.
        glyph = np.asarray(cv2.erode(glyph, np.ones((3, 3), np.uint8)), np.uint8)
    image[box.y : box.y + box.height, round(box.x) : round(box.x) + box.width] = glyph
    soft = cv2.GaussianBlur(image, (0, 0), DRAWN_BLUR_MM)
    nothing, full = np.zeros((7, 3), np.float32), np.full((7, 3), 255, np.float32)
    return RealPlate(
        image=np.repeat(np.asarray(soft, np.uint8)[..., None], 3, axis=2),
        text=character,
        to_picture=np.eye(3),
        low=nothing[0],
        high=full[0],
        beside=np.stack([nothing, nothing], axis=1),
        contrast=full,
        blur_mm=(DRAWN_BLUR_MM, DRAWN_BLUR_MM),
    )


def source_of(
    bank: CellBank, character: str, blur_mm: float, is_last: bool, rng: Generator
) -> tuple[RealPlate, int]:
    """A plate, real if there is one, that shows the character, and at which position."""
    count = bank.count(character)
    if rng.random() < count / (count + ENOUGH_CELLS):
        cell = bank.draw(character, blur_mm, rng, is_last)
        return bank.plates[cell.plate], cell.position
    face = int(rng.integers(len(load_atlas().faces)))
    return drawn_cell(character, face, face in HEAVY_FACES and bool(rng.random() < 0.6)), 0


def box_map(target: Box, source: Box) -> Matrix:
    """From millimetres of a plate with the character in `target` to those of one with it in `source`."""
    across, down = source.width / target.width, source.height / target.height
    return np.array(
        [[across, 0, source.x - across * target.x], [0, down, source.y - down * target.y], [0, 0, 1]],
        np.float64,
    )


def cell_pixels(
    source: RealPlate,
    position: int,
    view: View,
    box: Box,
    region: tuple[slice, slice],
    blur_mm: tuple[float, float],
) -> Floats:
    """A character of another plate as it would lie in this region, no sharper than `blur_mm`; (h, w, 3)."""
    shift = np.array([[1, 0, region[1].start], [0, 1, region[0].start], [0, 0, 1]], np.float64)
    matrix = source.to_picture @ box_map(box, BOXES[position]) @ view.to_plate @ shift
    size = (region[1].stop - region[1].start, region[0].stop - region[0].start)
    part = cv2.warpPerspective(
        source.image,
        matrix,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    ).astype(np.float32)
    step = view.to_plate[0, 0], view.to_plate[1, 1]
    missing = [
        max(wanted**2 - had**2, 0) ** 0.5 / mm
        for wanted, had, mm in zip(blur_mm, source.blur_mm, step, strict=True)
    ]
    if max(missing) > 0.35:
        across, down = (max(value, 0.05) for value in missing)
        part = cv2.GaussianBlur(part, (0, 0), sigmaX=across, sigmaY=down)
    return np.asarray(part, np.float32)


def ink_and_rest(above: Floats, contrast: Floats) -> tuple[Floats, Floats]:
    """The share of ink, (h, w, 1), and the colour it does not explain, (h, w, 3).

    above: a character less the ground around it. contrast: (3,) what its ink adds to the ground.
    """
    share = (above @ (contrast / max(float(contrast @ contrast), 400.0)))[..., None]
    return np.asarray(share, np.float32), np.asarray(above - share * contrast, np.float32)


def clear(share: Floats) -> Floats:
    """The share of ink without the haze that blur leaves between strokes."""
    return np.asarray((share - HAZE_SHARE) / (1 - HAZE_SHARE), np.float32)


def share_across(view: View, box: Box, region: tuple[slice, slice]) -> Floats:
    """0 at the left edge of the box to 1 at the right one, (h, w, 1)."""
    return np.clip((view.x[region] - box.x) / box.width, 0, 1)[..., None]


def between(ends: Floats, share: Floats) -> Floats:
    """From the first of two colours to the second."""
    return np.asarray(ends[0] + share * (ends[1] - ends[0]), np.float32)


def in_place(bank: CellBank, ground: RealPlate, text: str, view: View, rng: Generator) -> Floats:
    """The ground with the text on it, in its own blue; characters that it has already stay."""
    picture = seen_from(ground, view)
    contrast = ground.contrast[1:].mean(axis=0)
    for position, box in enumerate(BOXES):
        if text[position] == ground.text[position]:
            continue
        region = view.region(box)
        source, place = source_of(bank, text[position], sum(ground.blur_mm) / 2, position == 6, rng)
        part = cell_pixels(source, place, view, box, region, ground.blur_mm)
        across = share_across(view, box, region)
        share, rest = ink_and_rest(part - between(source.beside[place], across), source.contrast[place])
        matched = between(ground.beside[position], across) + clear(share) * contrast + rest * REST
        picture[region] += view.seam(box, region) * (matched - picture[region])
    return picture


def seen_from(ground: RealPlate, view: View) -> Floats:
    """The real plate and the car around it in this view, stretched where the new plate is larger."""
    stretch = np.diag([WIDTH_MM / view.layout.width, HEIGHT_MM / view.layout.height, 1.0])
    return np.asarray(
        cv2.warpPerspective(
            ground.image,
            ground.to_picture @ stretch @ view.to_plate,
            (view.x.shape[1], view.x.shape[0]),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.float32,
    )


@cache
def soft_ground(sample: str, colour: str, rows: int) -> Image:
    """A drawn plate without characters, softened so that it can be sampled."""
    return np.asarray(cv2.GaussianBlur(empty_plate(sample, colour, rows), (0, 0), DRAWN_BLUR_MM), np.uint8)


def laid_out(bank: CellBank, ground: RealPlate, text: str, kind: str, view: View, rng: Generator) -> Floats:
    """Real characters in another layout on a drawn ground, in the light and among the car of a real one."""
    light = light_on(ground, BOX_MIDDLES, rng)
    bare = cv2.warpPerspective(
        soft_ground(*LAID_OUT[kind]),
        view.to_plate,
        (READER_WIDTH, READER_HEIGHT),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    ).astype(np.float32)
    sigmas = [
        max(b / s, 0.3)
        for b, s in zip(ground.blur_mm, (view.to_plate[0, 0], view.to_plate[1, 1]), strict=True)
    ]
    bare = cv2.GaussianBlur(bare, (0, 0), sigmaX=sigmas[0], sigmaY=sigmas[1])
    shade = light.shade(view.x / view.layout.width)
    tint = tinted((245, 245, 245), rng)
    picture = light.seen(bare * tint / np.float32(255)) * (1 + 0.5 * (shade - shade.mean()))[..., None]
    ink = light.seen(tinted(BLACK, rng))
    for position, box in enumerate(view.layout.boxes):
        region = view.region(box)
        source, place = source_of(bank, text[position], sum(ground.blur_mm) / 2, False, rng)
        part = cell_pixels(source, place, view, box, region, ground.blur_mm)
        own = between(source.beside[place], share_across(view, box, region))
        share = firm(ink_and_rest(part - own, source.contrast[place])[0])
        picture[region] += view.seam(box, region) * share * (ink - picture[region])
    grain = rng.normal(0, rng.uniform(1, 6), (READER_HEIGHT // 2, READER_WIDTH // 2)).astype(np.float32)
    grain = cv2.resize(grain, (READER_WIDTH, READER_HEIGHT))[..., None]
    around = seen_from(ground, view)
    return np.asarray(around + view.plate()[..., None] * (picture + grain - around), np.float32)


def even_serial(rng: Generator, length: int) -> str:
    """Letters and digits, each letter as likely as any other and each digit too."""
    serial = "".join(pick(rng, LETTERS if rng.random() < LETTER_SHARE else DIGITS) for _ in range(length))
    return with_runs(rng, serial)


def text_of(rng: Generator, kind: str, ground: RealPlate) -> str:
    """A text for this kind, all provinces alike; on a blue plate some characters of the ground stay."""
    province, letter = pick(rng, PROVINCES), pick(rng, LETTERS)
    if kind in ("blue", "white police") and rng.random() < O_SHARE:
        letter = "O"
    match kind:
        case "green small":
            return (
                province + letter + pick(rng, "DDDFFFABCEGHJK") + even_serial(rng, 1) + random_digits(rng, 4)
            )
        case "green large":
            return province + letter + random_digits(rng, 5) + pick(rng, "DF")
        case "yellow school":
            return province + letter + even_serial(rng, 4) + "学"
        case "yellow double":
            return (
                province + letter + even_serial(rng, 4) + (pick(rng, DIGITS) if rng.random() < 0.5 else "挂")
            )
        case "white police":
            return province + letter + even_serial(rng, 4) + "警"
        case "black":
            if rng.random() < 0.5:
                return "粤Z" + even_serial(rng, 4) + pick(rng, "港澳")
            return province + letter + random_digits(rng, 4) + "领"
    tail = even_serial(rng, 5)
    kept = rng.random(5) < KEEP
    mixed = (old if keep else new for old, new, keep in zip(ground.text[2:], tail, kept, strict=True))
    return province + letter + "".join(mixed)


def recombined_crop(
    bank: CellBank, rng: Generator, kind: str | None = None, wobble: Wobble | None = None
) -> tuple[Image, str]:
    """A levelled crop, (48, 168, 3) uint8 BGR, and the text on it.

    kind: a key of KINDS, else by their shares. wobble: moves the (4, 2) corners, in pixels of a plate seen
    flat, as a detector errs (`models.plate_crops.crops.jitter`); without it they are exact.
    """
    kind = kind or KIND_NAMES[int(np.searchsorted(KIND_STEPS, rng.random()))]
    ground = bank.plates[rng.integers(len(bank.plates))]
    for _ in range(0 if kind == "blue" else TRIES):
        if (ground.high - ground.low).max() >= CLEAR_CONTRAST:
            break
        ground = bank.plates[rng.integers(len(bank.plates))]
    text = text_of(rng, kind, ground)
    if kind in LAID_OUT:
        sample, colour, rows = LAID_OUT[kind]
        view = view_of(plate_layout(sample, colour, rows), rng, wobble)
        picture = laid_out(bank, ground, text, kind, view, rng)
    else:
        rows = 1
        view = view_of(plate_layout(text, "blue", 1), rng, wobble)
        picture = in_place(bank, ground, text, view, rng)
        if kind != "blue":
            along = view.x / WIDTH_MM
            last = BOXES[-1].x - GONE_MM
            is_red = text[-1] in "警领"
            red = np.clip((view.x - last) / 4, 0, 1) * is_red
            painted = repaint(
                picture, ground, light_on(ground, BOX_MIDDLES, rng), along, kind.split()[0], red, rng
            )
            picture += view.plate()[..., None] * (painted - picture)
    crop = np.clip(picture, 0, 255).astype(np.uint8)
    return (merge_rows(crop) if rows == 2 else crop), text
