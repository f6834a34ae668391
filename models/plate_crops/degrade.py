"""What weather, light, lens, sensor and encoder do to a plate: small functions on BGR uint8 pictures.

Each takes a picture (H, W, 3) and a generator, returns another of the same size and changes nothing it was
given; the same generator gives the same picture. Lengths follow the picture's height, so that one function
serves a crop of 48 rows and a drawn plate of 140. `degrade` puts them together for a levelled crop.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.pictures import Image
from models.plate_detector.compose import motion_blur
from vision.plates import DIGITS, LETTERS
from vision.rectify import READER_HEIGHT, READER_WIDTH

Floats = NDArray[np.float32]
Effect = Callable[[Image, Generator], Image]
# Effects with how often each happens, in groups of which one happens at most.
Chain = Sequence[Sequence[tuple[Effect, float]]]


def to_picture(values: NDArray[np.floating]) -> Image:
    """Values cut to 0..255 and stored as bytes."""
    return np.clip(values, 0, 255).astype(np.uint8)


def patches(shape: tuple[int, int], grid: tuple[int, int], rng: Generator) -> Floats:
    """A smooth random field, (H, W), about 0 to 1, with (rows, columns) bumps."""
    coarse = rng.random(grid).astype(np.float32)
    return np.asarray(cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def seen_askew(picture: Image, rng: Generator) -> Image:
    """From another side: each corner moved by up to a seventh of the height."""
    h, w = picture.shape[:2]
    flat = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    moved = flat + rng.uniform(-h / 7, h / 7, (4, 2)).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(flat, moved)
    return np.asarray(cv2.warpPerspective(picture, matrix, (w, h), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def out_of_focus(picture: Image, rng: Generator) -> Image:
    """A lens that is not sharp here."""
    return np.asarray(
        cv2.GaussianBlur(picture, (0, 0), picture.shape[0] * rng.uniform(0.012, 0.045)), np.uint8
    )


def moved(picture: Image, rng: Generator) -> Image:
    """A car or a camera that moves while the shutter is open, mostly along the row."""
    length = max(2, round(picture.shape[0] * rng.uniform(0.05, 0.16)))
    angle = rng.normal(0, 20) if rng.random() < 0.7 else rng.uniform(0, 180)
    return to_picture(motion_blur(picture.astype(np.float32), length, float(angle)))


def rain(picture: Image, rng: Generator) -> Image:
    """Bright streaks of falling drops, and a little less contrast."""
    h, w = picture.shape[:2]
    streaks = np.zeros((h, w), np.uint8)
    lean = rng.normal(0, 0.25)
    for _ in range(int(rng.integers(6, 28))):
        x, y, length = rng.uniform(0, w), rng.uniform(-0.3, 1) * h, rng.uniform(0.15, 0.6) * h
        end = (round(x + lean * length), round(y + length))
        cv2.line(streaks, (round(x), round(y)), end, int(rng.integers(60, 200)), max(1, h // 60), cv2.LINE_AA)
    light = cv2.GaussianBlur(streaks, (0, 0), max(0.4, h / 90)).astype(np.float32)[..., None]
    hazy = picture.astype(np.float32) * 0.88 + 18
    return to_picture(hazy + light * rng.uniform(0.3, 0.8))


def glare(picture: Image, rng: Generator) -> Image:
    """Sun or sky mirrored in a bright band across the plate."""
    h, w = picture.shape[:2]
    x, y = np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32)[:, None]
    slant, middle, breadth = rng.uniform(-1.5, 1.5), rng.uniform(0, w), rng.uniform(0.15, 0.9) * h
    band = np.exp(-(((x - middle + slant * (y - h / 2)) / breadth) ** 2))[..., None]
    return to_picture(picture + band * rng.uniform(50, 170))


def night(picture: Image, rng: Generator) -> Image:
    """Little light and a sensor turned up: dark, noisy, grey."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[..., None].astype(np.float32)
    faded = picture + rng.uniform(0, 0.6) * (grey - picture)
    level = rng.uniform(0.25, 0.6)
    # The noise of few photons grows with the light, that of the sensor does not.
    photons = rng.normal(0, 1, picture.shape) * np.sqrt(np.maximum(faded, 0)) * rng.uniform(0.3, 0.9)
    return to_picture(faded * level + photons + rng.normal(0, rng.uniform(2, 7), picture.shape) + 6)


def headlights(picture: Image, rng: Generator) -> Image:
    """A lamp beside the plate: bloom that washes out one end."""
    h, w = picture.shape[:2]
    centre = (-0.1 * w if rng.random() < 0.5 else 1.1 * w), rng.uniform(-0.3, 1.3) * h
    x, y = np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32)[:, None]
    distance = np.hypot(x - centre[0], y - centre[1]) / h
    bloom = rng.uniform(90, 260) * np.exp(-distance / rng.uniform(0.4, 1.1))
    tint = np.array([rng.uniform(0.8, 1.05), 0.97, 1.0])
    return to_picture(picture + bloom[..., None] * tint)


def dirt(picture: Image, rng: Generator) -> Image:
    """Mud and dust in patches, thicker below, and some splashes."""
    h, w = picture.shape[:2]
    field = patches((h, w), (4, 11), rng) + 0.35 * np.linspace(-0.5, 1, h, dtype=np.float32)[:, None]
    cover = np.clip(field - rng.uniform(0.45, 0.75), 0, 0.5) * rng.uniform(0.5, 1.5)
    splashes = np.zeros((h, w), np.uint8)
    for _ in range(int(rng.integers(0, 14))):
        at = int(rng.integers(w)), int(rng.integers(h))
        cv2.circle(splashes, at, max(1, round(h * rng.uniform(0.01, 0.04))), 255, -1, cv2.LINE_AA)
    cover = np.clip(cover + splashes * np.float32(rng.uniform(0.2, 0.7) / 255), 0, 0.85)[..., None]
    mud = np.array([60, 85, 105], np.float32) * rng.uniform(0.5, 1.5)
    return to_picture(picture * (1 - cover) + mud * cover)


def shadow(picture: Image, rng: Generator) -> Image:
    """The hard edge of a shadow or a reflection across the plate."""
    h, w = picture.shape[:2]
    x, y = np.linspace(0, 1, w, dtype=np.float32), np.linspace(0, 1, h, dtype=np.float32)[:, None]
    slant = rng.uniform(-1, 1)
    edge = 1 / (1 + np.exp((y + slant * (x - 0.5) - rng.uniform(0.1, 0.9)) * 40))
    return to_picture(picture * (1 + edge * (rng.uniform(0.4, 1.35) - 1))[..., None])


def bolts(picture: Image, rng: Generator) -> Image:
    """Screws with their caps where the slots are, on a flat plate that fills the picture."""
    h, w = picture.shape[:2]
    canvas = picture.copy()
    rows = ((0.09,), (0.91,), (0.09, 0.91))[rng.integers(3)]
    radius = h * rng.uniform(0.035, 0.07)
    for row in rows:
        for column in (0.25, 0.75):
            centre = round(w * column + rng.normal(0, 0.01) * w), round(h * row)
            grey = int(rng.integers(40, 235))
            cv2.circle(canvas, centre, round(radius), (grey, grey, grey), -1, cv2.LINE_AA)
            dark = max(grey - 60, 0)
            cv2.circle(canvas, centre, round(radius / 2), (dark, dark, dark), 1, cv2.LINE_AA)
    return canvas


def frame(picture: Image, rng: Generator) -> Image:
    """A dealer's frame over the edges of a flat plate, sometimes with writing on its lower bar."""
    h, w = picture.shape[:2]
    tone = int(rng.choice([15, 40, 130, 190, 225]))
    colour = (tone, tone, tone)
    canvas = picture.copy()
    side, top, bottom = (
        max(1, round(h * rng.uniform(*span))) for span in ((0.03, 0.06), (0.03, 0.08), (0.05, 0.13))
    )
    canvas[:top], canvas[h - bottom :] = colour, colour
    canvas[:, :side], canvas[:, w - side :] = colour, colour
    if rng.random() < 0.5:
        text = "".join((LETTERS + DIGITS)[i] for i in rng.integers(0, 34, int(rng.integers(6, 16))))
        ink = (225, 225, 225) if tone < 128 else (25, 25, 25)
        at = round(w * rng.uniform(0.2, 0.4)), h - round(bottom * 0.25)
        cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, bottom / 38, ink, 1, cv2.LINE_AA)
    return canvas


def few_pixels(picture: Image, rng: Generator, width_px: float | None = None) -> Image:
    """As a camera far away saw it, 70 px of plate and more, brought back to its size."""
    h, w = picture.shape[:2]
    width = width_px if width_px is not None else float(np.exp(rng.uniform(np.log(70), np.log(200))))
    if width >= w:
        return picture.copy()
    size = round(width), max(8, round(h * width / w))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR), np.uint8)


def exposure(picture: Image, rng: Generator) -> Image:
    """Another white balance, brightness, black level and gamma."""
    values = picture * rng.uniform(0.9, 1.1, 3) * rng.uniform(0.55, 1.25) + rng.uniform(-20, 30)
    return to_picture(255 * np.power(np.clip(values / 255, 0, 1), rng.uniform(0.7, 1.6)))


def noise(picture: Image, rng: Generator) -> Image:
    """The grain of a sensor in plain light."""
    return to_picture(picture + rng.normal(0, rng.uniform(1, 10), (*picture.shape[:2], 1)))


def jpeg(picture: Image, rng: Generator) -> Image:
    """Once through JPEG, from hardly visible to blocky."""
    coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 88))])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)


# What may happen to a levelled crop and how often; one of a group, in this order: the plate, the light on it,
# the lens and the shutter, the sensor, the file.
CHAIN: Chain = (
    ((dirt, 0.1),),
    ((glare, 0.06), (headlights, 0.05), (shadow, 0.1), (rain, 0.06)),
    ((exposure, 0.8),),
    ((out_of_focus, 0.28), (moved, 0.14)),
    ((few_pixels, 0.7),),
    ((noise, 0.4), (night, 0.1)),
    ((jpeg, 0.45),),
)
EFFECTS: dict[str, Effect] = {
    "seen askew": seen_askew,
    "out of focus": out_of_focus,
    "moved": moved,
    "rain": rain,
    "glare": glare,
    "night": night,
    "headlights": headlights,
    "dirt": dirt,
    "shadow": shadow,
    "bolts": bolts,
    "frame": frame,
    "few pixels": few_pixels,
    "exposure": exposure,
    "noise": noise,
    "JPEG": jpeg,
}


def choose(group: Sequence[tuple[Effect, float]], rng: Generator) -> Effect | None:
    """One effect of the group by its share, or none."""
    drawn = float(rng.random())
    for effect, share in group:
        drawn -= share
        if drawn < 0:
            return effect
    return None


def chained(picture: Image, chain: Chain, rng: Generator) -> Image:
    """The picture after what is chosen of each group, in their order; same size."""
    for group in chain:
        effect = choose(group, rng)
        if effect is not None:
            picture = effect(picture, rng)
    return picture


def degrade(crop: Image, rng: Generator) -> Image:
    """The levelled crop as a worse camera, other weather or a dirty car would have given it; 168 x 48."""
    picture = chained(crop, CHAIN, rng)
    if picture.shape[:2] != (READER_HEIGHT, READER_WIDTH):
        picture = np.asarray(
            cv2.resize(picture, (READER_WIDTH, READER_HEIGHT), interpolation=cv2.INTER_AREA), np.uint8
        )
    return picture
