"""Levelled crops for training the reader: real ones, real ones with another province, drawn ones.

All crops are 168 x 48 uint8 BGR, levelled by `vision.rectify.level` as the service does, from corners that
are as wrong as a detector's.
"""

import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from rich.progress import track

from models.alphabet import INPUT_HEIGHT, INPUT_WIDTH
from models.pictures import Corners, Image, LabelledPlate, load_image, read_pictures
from models.plate_art.random_plates import RandomPlate, pick, random_plate
from models.plate_detector.compose import motion_blur, paste, random_corners
from vision.plate_art import HEAVY_FACES, draw_plate, load_atlas
from vision.plates import PROVINCES
from vision.rectify import level, merge_rows

HOME = "皖"
# The province and the gap after it, as a share of the plate's width, and where the seam has faded out.
PROVINCE_END, SEAM_END = 0.138, 0.155


@dataclass(frozen=True)
class RealCrop:
    """A picture of a plate with some margin, and its label."""

    image: Image
    text: str
    corners: Corners


class RealCrops:
    """The labelled crops in memory, apart by whether they show the home province."""

    def __init__(self, root: Path, held_out_every: int, held_out: bool) -> None:
        self.home: list[RealCrop] = []
        self.others: list[RealCrop] = []
        for picture in track(read_pictures(root / "train" / "crops"), description="crops"):
            plate = picture.plates[0]
            if is_held_out(plate, held_out_every) == held_out and plate.corners is not None:
                group = self.home if plate.text.startswith(HOME) else self.others
                group.append(RealCrop(load_image(picture.path), plate.text, plate.corners))

    def draw(self, rng: Generator, home_share: float) -> RealCrop:
        """A random crop, of the home province with this probability."""
        group = self.home if rng.random() < home_share else self.others
        return group[rng.integers(len(group))]


def is_held_out(plate: LabelledPlate, every: int) -> bool:
    """Whether this plate serves for validation; all pictures of one plate go the same way."""
    return zlib.crc32(plate.text.encode()) % every == 0


def jitter(corners: Corners, rng: Generator) -> Corners:
    """The corners as a detector might have found them."""
    height = float(np.linalg.norm(corners[3] - corners[0]))
    strength = height * (0.04 if rng.random() < 0.8 else 0.09)
    common = rng.normal(0, strength, 2)
    size = 1 + rng.normal(0, 0.03)
    middle = corners.mean(axis=0)
    moved = (corners - middle) * size + middle + common + rng.normal(0, strength, (4, 2))
    return moved.astype(np.float32)


def swap_province(crop: RealCrop, rng: Generator) -> RealCrop:
    """The same picture with another province drawn over its own, in its colours and its sharpness."""
    province = pick(rng, PROVINCES)
    face = int(rng.integers(len(load_atlas().faces)))
    drawn = draw_plate(province + crop.text[1:], "blue", face=face)
    if face in HEAVY_FACES and rng.random() < 0.6:
        drawn = np.asarray(cv2.erode(drawn, np.ones((3, 3), np.uint8)), np.uint8)
    width, height = 220, 70
    flat = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(crop.corners, flat)
    real = cv2.warpPerspective(crop.image, matrix, (width, height)).astype(np.float32)
    small = cv2.resize(drawn, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    native = float(np.linalg.norm(crop.corners[1] - crop.corners[0]))
    # A plate half as wide as the working size has lost details of two pixels, and JPEG took some more.
    small = cv2.GaussianBlur(small, (0, 0), max(0.3, 0.55 * width / native))
    # The ground is the dark end of each channel and the ink the bright end, on both pictures.
    inner = (slice(10, -10), slice(40, -10))
    ends = (8, 92)
    low, high = (np.percentile(real[inner].reshape(-1, 3), q, axis=0) for q in ends)
    from_low, from_high = (np.percentile(small[inner].reshape(-1, 3), q, axis=0) for q in ends)
    matched = (small - from_low) / np.maximum(from_high - from_low, 20) * (high - low) + low
    fade = np.clip((SEAM_END - np.arange(width) / width) / (SEAM_END - PROVINCE_END), 0, 1)[None, :, None]
    mixed = np.clip(matched * fade + real * (1 - fade), 0, 255).astype(np.uint8)
    image = paste(crop.image, mixed, crop.corners, 0.3)
    return RealCrop(image, province + crop.text[1:], crop.corners)


def drawn_crop(rng: Generator) -> tuple[Image, str]:
    """A drawn plate of any kind as a crop of one row, and its text."""
    crop, plate = levelled_plate(rng)
    return (crop if plate.rows == 1 else merge_rows(crop)), plate.text


def levelled_plate(rng: Generator, kind: str | None = None) -> tuple[Image, RandomPlate]:
    """A drawn plate (of this kind) on a plain ground, seen askew, then levelled; two rows stay two."""
    plate = random_plate(rng, kind)
    h, w = plate.picture.shape[:2]
    width = float(np.exp(rng.uniform(np.log(60), np.log(300))))
    canvas_w, canvas_h = round(width * 1.5), round(width * (0.75 if plate.rows == 1 else 1.1))
    canvas = np.full((canvas_h, canvas_w, 3), rng.uniform(10, 240, 3), np.uint8)
    corners = random_corners((canvas_w / 2, canvas_h / 2), width, w / h, rng)
    picture = paste(canvas, plate.picture, corners, rng.uniform(0.3, 0.8))
    return level(picture, jitter(corners, rng)), plate


def degrade(crop: Image, rng: Generator) -> Image:
    """The crop with fewer pixels, blur, other light, noise and JPEG; 168 x 48."""
    small_width = float(np.exp(rng.uniform(np.log(52), np.log(200))))
    size = (min(INPUT_WIDTH, round(small_width)), max(12, round(min(INPUT_WIDTH, small_width) * 0.2857)))
    picture: NDArray[np.float32] = cv2.resize(crop, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    kind = rng.random()
    if kind < 0.3:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.1)).astype(np.float32)
    elif kind < 0.42:
        picture = motion_blur(picture, int(rng.integers(2, 5)), rng.uniform(0, 180))
    picture = picture * rng.uniform(0.9, 1.1, 3) * rng.uniform(0.5, 1.25) + rng.uniform(-20, 30)
    if rng.random() < 0.3:
        picture = 255 * np.power(np.clip(picture / 255, 0, 1), rng.uniform(0.6, 1.7))
    if rng.random() < 0.5:
        picture = picture + rng.normal(0, rng.uniform(1, 10), (*picture.shape[:2], 1))
    if rng.random() < 0.12:
        # A shadow or a reflection with a hard edge across part of the plate.
        edge = int(rng.integers(0, picture.shape[0]))
        picture[:edge] = picture[:edge] * rng.uniform(0.5, 1.3)
    result = np.clip(picture, 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        coded = cv2.imencode(".jpg", result, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 90))])[1]
        result = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(
        cv2.resize(result, (INPUT_WIDTH, INPUT_HEIGHT), interpolation=cv2.INTER_LINEAR), np.uint8
    )
