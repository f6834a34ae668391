"""Puts drawn plates into pictures: cropping, pasting by homography, light, and the damage a camera does.

Pure functions on BGR uint8 pictures; randomness comes from the generator handed in. Corners are always
top-left, top-right, bottom-right, bottom-left of the plate, in pixels of the picture they belong to.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Corners = NDArray[np.float32]
Matrix = NDArray[np.float64]

# What the camera and ultralytics fill a letterbox with.
GREY = (114, 114, 114)
# Mean grey of a clean blue plate: what the light on a real one is judged against.
BLUE_PLATE_GREY = 115.0


@dataclass
class Target:
    """One plate to be found: a box (x1, y1, x2, y2) and, where they are known, its corners (4, 2)."""

    box: tuple[float, float, float, float]
    corners: Corners | None


@dataclass
class Sample:
    """A picture and the plates on it."""

    image: Image
    targets: list[Target] = field(default_factory=list)


def target_of(corners: Corners) -> Target:
    """The target whose box just holds these corners."""
    x1, y1 = corners.min(axis=0)
    x2, y2 = corners.max(axis=0)
    return Target((float(x1), float(y1), float(x2), float(y2)), corners.astype(np.float32))


def widen(corners: Corners, across: float, down: float) -> Corners:
    """The quadrilateral stretched about its middle: `across` along the rows, `down` along the columns."""
    unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    matrix = cv2.getPerspectiveTransform(unit, corners.astype(np.float32))
    stretched = (unit - 0.5) * np.array([across, down], np.float32) + 0.5
    return cv2.perspectiveTransform(stretched[None].astype(np.float32), matrix)[0].astype(np.float32)


def transform(corners: Corners, matrix: Matrix) -> Corners:
    """Corners (4, 2) after a 3 x 3 homography."""
    return cv2.perspectiveTransform(corners[None].astype(np.float32), matrix)[0].astype(np.float32)


def transform_target(target: Target, matrix: Matrix) -> Target:
    """The target after a 3 x 3 homography."""
    if target.corners is not None:
        return target_of(transform(target.corners, matrix))
    x1, y1, x2, y2 = target.box
    outline = transform(np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.float32), matrix)
    return Target(target_of(outline).box, None)


def window(
    box: tuple[float, float, float, float], size: tuple[int, int], share: float, rng: Generator
) -> Matrix:
    """The homography that cuts a (width, height) picture in which `box` takes `share` of the width.

    The plate stands anywhere, now and then cut by the border by up to an eighth of its width.
    """
    x1, y1, x2, y2 = box
    width, height = size
    scale = share * width / max(x2 - x1, 1)
    scale = min(scale, 0.95 * height / max(y2 - y1, 1))
    w, h = (x2 - x1) * scale, (y2 - y1) * scale
    slack = 0.12 * w if rng.random() < 0.15 else 0.0
    left = rng.uniform(-slack, max(width - w, 0) + slack)
    top = rng.uniform(0, max(height - h, 1))
    return np.array([[scale, 0, left - x1 * scale], [0, scale, top - y1 * scale], [0, 0, 1]], np.float64)


def cut(sample: Sample, matrix: Matrix, size: tuple[int, int]) -> Sample:
    """The picture seen through `matrix`, (width, height) large; what lies outside the source is grey."""
    shrink = matrix[0, 0] < 0.8
    source = cv2.GaussianBlur(sample.image, (0, 0), 0.4 / matrix[0, 0]) if shrink else sample.image
    image = cv2.warpPerspective(source, matrix, size, flags=cv2.INTER_LINEAR, borderValue=GREY)
    targets = [transform_target(target, matrix) for target in sample.targets]
    return Sample(np.asarray(image, np.uint8), [t for t in targets if visible_share(t, size) > 0.55])


def visible_share(target: Target, size: tuple[int, int]) -> float:
    """How much of the target's box lies inside a (width, height) picture, 0 to 1."""
    x1, y1, x2, y2 = target.box
    inside = max(min(x2, size[0]) - max(x1, 0), 0) * max(min(y2, size[1]) - max(y1, 0), 0)
    return inside / max((x2 - x1) * (y2 - y1), 1e-6)


def overlaps(target: Target, others: Iterable[Target], margin: float = 0.05) -> bool:
    """Whether the target's box meets any other. margin: around it, as a share of its width."""
    x1, y1, x2, y2 = target.box
    margin_px = margin * (x2 - x1)
    return any(
        x1 - margin_px < o.box[2]
        and o.box[0] < x2 + margin_px
        and y1 - margin_px < o.box[3]
        and o.box[1] < y2 + margin_px
        for o in others
    )


def paste(image: Image, plate: Image, corners: Corners, softness_px: float = 0.5) -> Image:
    """`image` with the flat `plate` laid into `corners`; the input is not changed."""
    h, w = plate.shape[:2]
    width = max(np.linalg.norm(corners[1] - corners[0]), np.linalg.norm(corners[2] - corners[3]), 4.0)
    shrunk_width = min(w, max(8, round(float(width) * 1.25)))
    shrunk = cv2.resize(
        plate, (shrunk_width, max(4, round(h * shrunk_width / w))), interpolation=cv2.INTER_AREA
    )
    sh, sw = shrunk.shape[:2]
    # Pixel centres lie at +0.5, so the outer edge of the plate meets the corners and not half a pixel inside.
    flat = np.array([[0, 0], [sw, 0], [sw, sh], [0, sh]], np.float32) - 0.5
    matrix = cv2.getPerspectiveTransform(flat, corners.astype(np.float32) - 0.5)
    size = (image.shape[1], image.shape[0])
    warped = cv2.warpPerspective(
        shrunk, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    ).astype(np.float32)
    alpha = cv2.warpPerspective(np.full((sh, sw), 255, np.uint8), matrix, size).astype(np.float32) / 255
    alpha = cv2.GaussianBlur(alpha, (0, 0), softness_px)[..., None]
    return np.clip(image * (1 - alpha) + warped * alpha, 0, 255).astype(np.uint8)


def light_gain(image: Image, corners: Corners) -> float:
    """How bright the light on a real blue plate is, as a factor on a clean drawn one."""
    flat = np.array([[0, 0], [64, 0], [64, 20], [0, 20]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), flat)
    grey = cv2.cvtColor(cv2.warpPerspective(image, matrix, (64, 20)), cv2.COLOR_BGR2GRAY)
    return float(np.clip(grey.mean() / BLUE_PLATE_GREY, 0.3, 1.5))


def lit(plate: Image, gain: float) -> Image:
    """The plate under `gain` times the light."""
    return np.clip(plate.astype(np.float32) * gain, 0, 255).astype(np.uint8)


def random_corners(centre: tuple[float, float], width: float, ratio: float, rng: Generator) -> Corners:
    """A plausible view of a plate `width` pixels wide with this ratio of width to height."""
    height = width / ratio * rng.uniform(0.8, 1.15)
    flat = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32) * (width / 2, height / 2)
    angle = np.deg2rad(rng.normal(0, 6))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shear = np.array([[1, rng.normal(0, 0.12)], [rng.normal(0, 0.08), 1]])
    corners = flat @ shear.T @ turn.T
    corners += rng.normal(0, 0.03, (4, 2)) * height
    return (corners + centre).astype(np.float32)


def damage(image: Image, rng: Generator) -> Image:
    """The picture after lens, sensor and encoder: cast, exposure, blur, noise, JPEG. Same shape."""
    picture = image.astype(np.float32)
    if rng.random() < 0.6:
        picture *= rng.uniform(0.85, 1.15, 3).astype(np.float32)
    if rng.random() < 0.5:
        picture = 255 * np.power(np.clip(picture / 255, 0, 1), rng.uniform(0.6, 1.9))
    if rng.random() < 0.3:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.6))
    elif rng.random() < 0.15:
        picture = motion_blur(picture, int(rng.integers(3, 10)), rng.uniform(0, 180))
    if rng.random() < 0.4:
        noise = rng.normal(0, rng.uniform(2, 14), picture.shape[:2])[..., None]
        picture = picture + noise.astype(np.float32)
    result = np.clip(picture, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        quality = int(rng.integers(25, 80))
        coded = cv2.imencode(".jpg", result, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        result = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    return result


def motion_blur(picture: NDArray[np.float32], length: int, angle_degrees: float) -> NDArray[np.float32]:
    """The picture smeared over `length` pixels in one direction."""
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    turn = cv2.getRotationMatrix2D(((length - 1) / 2, (length - 1) / 2), angle_degrees, 1)
    kernel = cv2.warpAffine(kernel, turn, (length, length))
    return np.asarray(cv2.filter2D(picture, -1, kernel / max(kernel.sum(), 1e-6)), np.float32)
