"""The pictures of the simulated forecourt: the ground, the pumps, and cars seen from behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from cameras.forecourt import FAR_Y, HEIGHT_PX, NEAR_Y, VANISHING_X, WIDTH_PX, ScriptedCar, scale_at
from vision.plate_art import draw_plate
from vision.types import Image

# A car at the near pumps, in pixels of the picture; the sprite is drawn larger, for the way in.
CAR_WIDTH_PX = 480
CAR_HEIGHT_PX = 330
SPRITE_SCALE = 1.3
SPRITE_WIDTH = round(CAR_WIDTH_PX * SPRITE_SCALE)
SPRITE_HEIGHT = round((CAR_HEIGHT_PX + 24) * SPRITE_SCALE)
FOOT_Y = round(CAR_HEIGHT_PX * SPRITE_SCALE)
PLATE_WIDTH_PX = 150

PAINTS = (
    (58, 56, 54),
    (205, 206, 208),
    (128, 70, 30),
    (42, 40, 140),
    (150, 146, 140),
    (96, 110, 92),
    (40, 60, 92),
    (225, 226, 222),
)

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Sprite:
    """A car with its transparency: colour (h, w, 3) uint8 BGR, alpha (h, w) float32 0 to 1."""

    colour: Image
    alpha: Floats


def as_image(values: npt.NDArray[Any]) -> Image:
    """Values limited to those of a picture."""
    return np.asarray(np.clip(values, 0, 255), np.uint8)


def draw_background(rng: np.random.Generator) -> Image:
    """The empty forecourt: (720, 1280, 3) uint8, BGR."""
    picture = np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.float32)
    rows = np.linspace(0.0, 1.0, HEIGHT_PX, dtype=np.float32)[:, None, None]
    picture[:] = (88 + 46 * rows) * np.array([1.0, 1.01, 1.0], np.float32)
    for cell, strength in ((2, 4.0), (12, 2.5), (60, 4.0), (200, 6.0)):
        size = (WIDTH_PX // cell + 1, HEIGHT_PX // cell + 1)
        patch = rng.normal(0.0, strength, (size[1], size[0])).astype(np.float32)
        picture += cv2.resize(patch, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_CUBIC)[:, :, None]
    ground = as_image(picture)
    draw_lane_marks(ground)
    draw_shop(ground)
    draw_oil(ground, rng)
    for y in (FAR_Y - 30.0, NEAR_Y - 55.0):
        draw_pump(ground, y)
    return shade_corners(ground)


def ground_x(offset_px: float, y: float) -> int:
    return round(VANISHING_X + offset_px * scale_at(y))


def draw_lane_marks(picture: Image) -> None:
    for offset in (-590.0, -66.0, 66.0, 590.0):
        top, bottom = 235.0, float(HEIGHT_PX)
        half_top, half_bottom = 4 * scale_at(top), 5 * scale_at(bottom)
        line = np.array(
            [
                [ground_x(offset, top) - half_top, top],
                [ground_x(offset, top) + half_top, top],
                [ground_x(offset, bottom) + half_bottom, bottom],
                [ground_x(offset, bottom) - half_bottom, bottom],
            ],
            np.int32,
        )
        cv2.fillPoly(picture, [line], (60, 170, 200), cv2.LINE_AA)
    for y in (FAR_Y + 22.0, NEAR_Y + 22.0):
        for side in (-1, 1):
            start, end = ground_x(side * 110.0, y), ground_x(side * 520.0, y)
            cv2.line(picture, (start, round(y)), (end, round(y)), (190, 190, 186), 3, cv2.LINE_AA)


def draw_shop(picture: Image) -> None:
    """The shop and the edge of the canopy along the top of the picture."""
    cv2.rectangle(picture, (0, 0), (WIDTH_PX, 122), (168, 172, 174), -1)
    for x in range(0, WIDTH_PX, 64):
        shade = 150 + 9 * (x // 64 % 3)
        cv2.rectangle(picture, (x, 36), (x + 60, 122), (shade, shade - 6, shade - 14), -1)
        cv2.line(picture, (x + 14, 116), (x + 40, 48), (shade + 20, shade + 16, shade + 10), 2, cv2.LINE_AA)
    cv2.rectangle(picture, (0, 0), (WIDTH_PX, 30), (52, 60, 190), -1)
    cv2.rectangle(picture, (0, 30), (WIDTH_PX, 36), (230, 230, 230), -1)
    cv2.rectangle(picture, (0, 122), (WIDTH_PX, 140), (120, 122, 122), -1)


def draw_oil(picture: Image, rng: np.random.Generator) -> None:
    stains = np.zeros(picture.shape[:2], np.uint8)
    for _ in range(14):
        centre = (int(rng.integers(60, WIDTH_PX - 60)), int(rng.integers(200, HEIGHT_PX)))
        axes = (int(rng.integers(14, 60)), int(rng.integers(6, 20)))
        cv2.ellipse(stains, centre, axes, float(rng.uniform(-20, 20)), 0, 360, 90, -1)
    dark = cv2.GaussianBlur(stains, (0, 0), 7).astype(np.float32)[:, :, None] / 255.0
    picture[:] = (picture * (1.0 - 0.6 * dark)).astype(np.uint8)


def draw_pump(picture: Image, y: float) -> None:
    """A pump on its island between the lanes, its foot at y."""
    scale = scale_at(y)
    x = round(VANISHING_X)
    half, height = round(34 * scale), round(205 * scale)
    foot = round(y)
    cv2.ellipse(
        picture, (x, foot + 4), (round(60 * scale), round(20 * scale)), 0, 0, 360, (150, 152, 150), -1
    )
    cv2.rectangle(picture, (x - half, foot - height), (x + half, foot), (206, 208, 210), -1)
    cv2.rectangle(
        picture, (x - half, foot - height), (x + half, foot - height + round(40 * scale)), (52, 60, 190), -1
    )
    screen_top = foot - height + round(52 * scale)
    cv2.rectangle(
        picture, (x - half + 8, screen_top), (x + half - 8, screen_top + round(34 * scale)), (70, 60, 48), -1
    )
    cv2.rectangle(picture, (x - half, foot - height), (x + half, foot), (120, 122, 124), 2)
    for side in (-1, 1):
        top = (x + side * half, screen_top + round(50 * scale))
        cv2.ellipse(
            picture, top, (round(10 * scale), round(60 * scale)), 0, 0, 180, (30, 30, 30), 4, cv2.LINE_AA
        )


def shade_corners(picture: Image) -> Image:
    y, x = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX].astype(np.float32)
    far = ((x / WIDTH_PX - 0.5) ** 2 + (y / HEIGHT_PX - 0.5) ** 2)[:, :, None]
    return as_image(picture * (1.06 - 0.42 * far))


def draw_car(car: ScriptedCar, rng: np.random.Generator) -> Sprite:
    """The car from behind with its plate, SPRITE_SCALE times the size it has at the near pumps."""
    paint = car.paint or PAINTS[sum(map(ord, car.plate)) % len(PAINTS)]
    colour = np.zeros((SPRITE_HEIGHT, SPRITE_WIDTH, 3), np.uint8)
    alpha = np.zeros((SPRITE_HEIGHT, SPRITE_WIDTH), np.uint8)
    draw_shadow_and_wheels(colour, alpha)
    draw_body(colour, alpha, paint)
    draw_fittings(colour, paint)
    put_plate(colour, plate_picture(car, rng), rng)
    soft = cv2.GaussianBlur(alpha, (3, 3), 0).astype(np.float32) / 255.0
    return Sprite(as_image(cv2.GaussianBlur(colour, (3, 3), 0.5)), soft)


def at(x: float, y: float) -> tuple[int, int]:
    """A point of the sprite from fractions of the car's width and height."""
    return round(x * SPRITE_WIDTH), round(y * FOOT_Y)


def polygon(*points: tuple[float, float]) -> npt.NDArray[np.int32]:
    return np.array([at(x, y) for x, y in points], np.int32)


def draw_shadow_and_wheels(colour: Image, alpha: Image) -> None:
    shadow = np.zeros_like(alpha)
    cv2.ellipse(
        shadow, at(0.5, 0.985), (round(SPRITE_WIDTH * 0.47), round(SPRITE_HEIGHT * 0.055)), 0, 0, 360, 190, -1
    )
    alpha[:] = cv2.GaussianBlur(shadow, (0, 0), 6)
    colour[:] = (26, 26, 26)
    for left in (0.075, 0.775):
        for layer, value in ((colour, (24, 24, 24)), (alpha, (255,))):
            cv2.rectangle(layer, at(left, 0.74), at(left + 0.15, 0.995), value, -1)


def draw_body(colour: Image, alpha: Image, paint: tuple[int, int, int]) -> None:
    cabin = polygon((0.2, 0.06), (0.27, 0.01), (0.73, 0.01), (0.8, 0.06), (0.9, 0.4), (0.1, 0.4))
    hull = polygon(
        (0.1, 0.36), (0.9, 0.36), (0.965, 0.45), (0.98, 0.62), (0.965, 0.84), (0.93, 0.9), (0.07, 0.9),
        (0.035, 0.84), (0.02, 0.62), (0.035, 0.45),
    )  # fmt: skip
    for shape in (cabin, hull):
        cv2.fillPoly(alpha, [shape], (255,), cv2.LINE_AA)
        cv2.fillPoly(colour, [shape], paint, cv2.LINE_AA)
    window = polygon((0.235, 0.085), (0.285, 0.05), (0.715, 0.05), (0.765, 0.085), (0.84, 0.35), (0.16, 0.35))
    cv2.fillPoly(colour, [window], (46, 42, 36), cv2.LINE_AA)
    glare = polygon((0.3, 0.06), (0.46, 0.06), (0.36, 0.34), (0.2, 0.34))
    light = colour.copy()
    cv2.fillPoly(light, [glare], (120, 114, 104), cv2.LINE_AA)
    cv2.addWeighted(light, 0.45, colour, 0.55, 0.0, colour)
    rows = np.linspace(0.0, 1.0, colour.shape[0], dtype=np.float32)[:, None, None]
    lit = 1.1 - 0.38 * np.abs(rows - 0.42)
    sides = 1.0 - 0.16 * np.abs(np.linspace(-1, 1, colour.shape[1], dtype=np.float32))[None, :, None] ** 3
    colour[:] = np.clip(colour * lit * sides, 0, 255).astype(np.uint8)


def draw_fittings(colour: Image, paint: tuple[int, int, int]) -> None:
    """Lights, the edge of the lid, bumper and the badge."""
    dark = tuple(round(value * 0.55) for value in paint)
    cv2.line(colour, at(0.1, 0.415), at(0.9, 0.415), dark, 3, cv2.LINE_AA)
    for side in (0.0, 1.0):
        outer, inner = abs(side - 0.035), abs(side - 0.25)
        lamp = polygon((outer, 0.46), (inner, 0.475), (abs(side - 0.225), 0.575), (outer, 0.59))
        cv2.fillPoly(colour, [lamp], (36, 30, 168), cv2.LINE_AA)
        inset = polygon(
            (abs(side - 0.05), 0.5),
            (abs(side - 0.15), 0.51),
            (abs(side - 0.14), 0.545),
            (abs(side - 0.05), 0.55),
        )
        cv2.fillPoly(colour, [inset], (150, 160, 230), cv2.LINE_AA)
    cv2.ellipse(colour, at(0.5, 0.485), (16, 11), 0, 0, 360, (190, 192, 194), 2, cv2.LINE_AA)
    cv2.fillPoly(
        colour, [polygon((0.045, 0.8), (0.955, 0.8), (0.93, 0.9), (0.07, 0.9))], (40, 40, 40), cv2.LINE_AA
    )
    cv2.line(colour, at(0.04, 0.795), at(0.96, 0.795), dark, 2, cv2.LINE_AA)
    recess = polygon((0.29, 0.555), (0.71, 0.555), (0.735, 0.775), (0.265, 0.775))
    cv2.fillPoly(colour, [recess], tuple(round(value * 0.72) for value in paint), cv2.LINE_AA)


def plate_picture(car: ScriptedCar, rng: np.random.Generator) -> Image | None:
    """The plate as the script wants it; None for a car without one."""
    if car.plate_state == "missing":
        return None
    plate = draw_plate(car.plate, car.colour, car.rows)
    if car.plate_state == "blur":
        plate = as_image(cv2.blur(plate, (75, 25)))
    if car.plate_state == "dirt":
        plate = muddy(plate, (0, plate.shape[1]), 1.0, rng)
    step = plate.shape[1] / len(car.plate)
    for position in car.covered:
        centre = (position + 0.5) * step
        plate = muddy(plate, (round(centre - step * 0.62), round(centre + step * 0.62)), 1.0, rng)
    for position in car.smeared:
        centre = (position + 0.5) * step
        plate = muddy(plate, (round(centre - step * 0.42), round(centre + step * 0.42)), 0.5, rng)
    return plate


def muddy(plate: Image, span: tuple[int, int], share: float, rng: np.random.Generator) -> Image:
    """The plate with mud between two columns, over this share of its height from below."""
    mask = np.zeros(plate.shape[:2], np.uint8)
    height = plate.shape[0]
    left, right = max(0, span[0]), min(plate.shape[1], span[1])
    top = max(8, round(height * (1.0 - share)))
    cv2.rectangle(mask, (left, top), (right, height - 8), 255, -1)
    for _ in range(10 + (right - left) // 12):
        centre = (int(rng.integers(left, max(left + 1, right))), int(rng.integers(top, height)))
        cv2.circle(mask, centre, int(rng.integers(6, 9 + round(13 * share))), 255, -1)
    cover = cv2.GaussianBlur(mask, (0, 0), 4).astype(np.float32)[:, :, None] / 255.0
    grain = cv2.GaussianBlur(rng.normal(0, 30, plate.shape[:2]).astype(np.float32), (0, 0), 3)[:, :, None]
    mud = np.array([58.0, 82.0, 104.0], np.float32) + grain
    return as_image(plate * (1.0 - cover) + mud * cover)


def put_plate(colour: Image, plate: Image | None, rng: np.random.Generator) -> None:
    """Sets the plate into its recess, turned a little as plates are."""
    if plate is None:
        return
    width = PLATE_WIDTH_PX * SPRITE_SCALE
    height = width * plate.shape[0] / plate.shape[1]
    centre_x, centre_y = at(0.5, 0.665)
    yaw, roll = rng.uniform(-0.035, 0.035), rng.uniform(-0.02, 0.02)
    half_w, half_h = width / 2, height / 2
    left_h, right_h = half_h * (1 + yaw), half_h * (1 - yaw)
    shift = half_w * roll
    corners = np.array(
        [
            [centre_x - half_w, centre_y - left_h - shift],
            [centre_x + half_w, centre_y - right_h + shift],
            [centre_x + half_w, centre_y + right_h + shift],
            [centre_x - half_w, centre_y + left_h - shift],
        ],
        np.float32,
    )
    source_h, source_w = plate.shape[:2]
    flat = np.array([[0, 0], [source_w, 0], [source_w, source_h], [0, source_h]], np.float32)
    small = cv2.resize(plate, (round(width), round(height)), interpolation=cv2.INTER_AREA)
    flat *= np.array([small.shape[1] / source_w, small.shape[0] / source_h], np.float32)
    turn = cv2.getPerspectiveTransform(flat, corners)
    size = (colour.shape[1], colour.shape[0])
    mask = cv2.warpPerspective(np.full(small.shape[:2], 255, np.uint8), turn, size, flags=cv2.INTER_LINEAR)
    warped = cv2.warpPerspective(small, turn, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cover = mask.astype(np.float32)[:, :, None] / 255.0
    light = 0.9 + 0.1 * rng.random()
    colour[:] = (colour * (1.0 - cover) + np.clip(warped * light, 0, 255) * cover).astype(np.uint8)


def paste(picture: Image, sprite: Sprite, x: float, y: float) -> None:
    """Draws the car into the picture, the middle of its foot line at (x, y), as large as it looks there."""
    scale = scale_at(y) / SPRITE_SCALE
    left = x - SPRITE_WIDTH * scale / 2
    top = y - FOOT_Y * scale
    x0, y0 = max(0, int(np.floor(left))), max(0, int(np.floor(top)))
    x1 = min(picture.shape[1], int(np.ceil(left + SPRITE_WIDTH * scale)))
    y1 = min(picture.shape[0], int(np.ceil(top + SPRITE_HEIGHT * scale)))
    if x0 >= x1 or y0 >= y1:
        return
    move = np.array([[scale, 0, left - x0], [0, scale, top - y0]], np.float32)
    size = (x1 - x0, y1 - y0)
    flags = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR
    colour = cv2.warpAffine(sprite.colour, move, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.warpAffine(sprite.alpha, move, size, flags=flags)
    part = picture[y0:y1, x0:x1]
    part[:] = cv2.blendLinear(colour, np.ascontiguousarray(part), alpha, 1.0 - alpha)


def draw_overlay(picture: Image, *, lit: bool) -> None:
    """The camera's own writing: its name, and a dot that blinks so that a stream that stands still shows."""
    cv2.putText(
        picture, "FORECOURT", (50, 702), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (235, 235, 235), 1, cv2.LINE_AA
    )
    cv2.circle(picture, (33, 695), 9, (40, 40, 235) if lit else (70, 70, 70), -1, cv2.LINE_AA)
