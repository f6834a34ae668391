"""Simulated passes of a camera over a still: pan, zoom, turning, blur, light, noise and H.264.

There is no video of Chinese forecourts with labels; a labelled still that goes by as if before a camera
stands in for one. Every pass is drawn from its seed.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from fractions import Fraction

import av
import cv2
import numpy as np
import numpy.typing as npt
from numpy.random import Generator

from vision.types import Image

Point = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float64]
Box = tuple[float, float, float, float]

WIDTH_PX, HEIGHT_PX = 960, 540
FRAMES_PER_SECOND = 10
BITRATES = (600_000, 1_200_000, 2_500_000)
# How wide the plate is at the far and the near end of a pass, in pixels, and how far a still is enlarged.
FAR_WIDTH, NEAR_WIDTH = (72.0, 120.0), (90.0, 160.0)
MOST_ENLARGED = 1.6
# The same where a car drives up to its pump, before a camera that was hung to read it.
AT_PUMP_FAR, AT_PUMP_NEAR = (100.0, 150.0), (130.0, 200.0)
# How far the plate turns away, as the share by which its far edge shrinks, and how far it leans.
TURN, LEAN_DEGREES = 0.16, 6.0
NOISE_FIELDS = 3
# A hard pass: a plate so wide at both ends, out of focus, in the dark, through a poor encoder.
HARD_WIDTH, HARD_FOCUS, HARD_GAIN, HARD_NOISE = (34.0, 72.0), (0.6, 2.4), (0.2, 0.7), (4.0, 16.0)
HARD_BITRATE = 350_000


@dataclass(frozen=True, slots=True, eq=False)
class CameraPass:
    """The frames of one pass, (HEIGHT_PX, WIDTH_PX, 3) uint8 BGR, and where the plate is in each.

    matrices: (3, 3) each, from the still to the frame. centres: of the plate in pixels, a row a frame.
    widths: of the plate in pixels.
    """

    frames: list[Image]
    matrices: list[Matrix]
    centres: npt.NDArray[np.float64]
    widths: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Conditions:
    """What one pass is like. turn, lean, gain, focus: at its start and its end."""

    start: Point
    end: Point
    start_width: float
    end_width: float
    turn: tuple[float, float]
    lean: tuple[float, float]
    gain: tuple[float, float]
    gamma: float
    focus: tuple[float, float]
    noise: float
    exposure_share: float
    bitrate: int


def simulate_pass(
    still: Image,
    plate: Box,
    seed: int,
    count: int,
    *,
    is_hard: bool = False,
    is_near: bool = False,
    standing: int = 0,
) -> CameraPass:
    """A pass of `count` frames. still: (H, W, 3) uint8 BGR; not changed. plate: its box in the still.

    is_hard: far away, blurred or dark, so that the plate can hardly be read. is_near: as a camera of a
    forecourt shows a car at its pump. standing: for so many of the last frames, fewer than all, it stands; a
    car that stands has come, and is as near as its pump is, however hard it is to see.
    """
    rng = np.random.default_rng(seed)
    ends = (AT_PUMP_FAR, AT_PUMP_NEAR) if is_near else (FAR_WIDTH, NEAR_WIDTH)
    conditions = draw_conditions(rng, plate[2] - plate[0], *ends)
    if is_hard:
        conditions = harder(conditions, rng, is_at_pump=standing > 0)
    if standing:
        conditions = arriving(conditions)
    size = (NOISE_FIELDS, HEIGHT_PX, WIDTH_PX)
    fields = (rng.standard_normal(size, np.float32) * conditions.noise).astype(np.int16)
    moving = count - standing
    matrices = [placed(conditions, plate, t, rng) for t in np.linspace(0.0, 1.0, moving)]
    matrices += matrices[-1:] * standing
    middle = np.array([[(plate[0] + plate[2]) / 2, (plate[1] + plate[3]) / 2]])
    side = np.array([[plate[0], middle[0, 1]], [plate[2], middle[0, 1]]])
    centres = np.array([moved(matrix, middle)[0] for matrix in matrices])
    widths = np.array([float(np.linalg.norm(np.diff(moved(m, side), axis=0))) for m in matrices])
    steps = np.gradient(centres, axis=0) if count > 1 else np.zeros_like(centres)
    clean = [
        exposed(still, matrix, steps[i] * conditions.exposure_share, conditions, i / max(moving - 1, 1))
        for i, matrix in enumerate(matrices[:moving])
    ]
    if standing:
        clean += [exposed(still, matrices[-1], np.zeros(2), conditions, 1.0)] * standing
    planes = [with_noise(picture, fields[i % NOISE_FIELDS]) for i, picture in enumerate(clean)]
    return CameraPass(through_h264(planes, conditions.bitrate), matrices, centres, widths)


def draw_conditions(
    rng: Generator,
    width_px: float,
    far_px: tuple[float, float] = FAR_WIDTH,
    near_px: tuple[float, float] = NEAR_WIDTH,
) -> Conditions:
    """Conditions of a pass whose plate is so wide in the still, and within these bounds at both ends."""
    largest = MOST_ENLARGED * width_px
    far_width = min(rng.uniform(*far_px), largest)
    near_width = min(max(far_width, rng.uniform(*near_px)), largest)
    far = np.array([rng.uniform(0.25, 0.75) * WIDTH_PX, rng.uniform(0.25, 0.5) * HEIGHT_PX])
    near = np.array([rng.uniform(0.3, 0.7) * WIDTH_PX, rng.uniform(0.5, 0.75) * HEIGHT_PX])
    # As many drive off as come, so that the first look is as good as the last.
    comes = rng.random() < 0.5
    is_night = rng.random() < 0.3
    gain = rng.uniform(0.45, 0.8) if is_night else rng.uniform(0.75, 1.3)
    return Conditions(
        start=far if comes else near,
        end=near if comes else far,
        start_width=far_width if comes else near_width,
        end_width=near_width if comes else far_width,
        turn=(rng.uniform(-TURN, TURN), rng.uniform(-TURN, TURN)),
        lean=(rng.uniform(-LEAN_DEGREES, LEAN_DEGREES), rng.uniform(-LEAN_DEGREES, LEAN_DEGREES)),
        gain=(gain, gain * rng.uniform(0.85, 1.15)),
        gamma=rng.uniform(0.8, 1.3),
        focus=(rng.uniform(0.0, 1.1), rng.uniform(0.0, 1.1)),
        noise=rng.uniform(4.0, 10.0) if is_night else rng.uniform(1.0, 4.0),
        exposure_share=rng.uniform(0.05, 0.3),
        bitrate=int(rng.choice(BITRATES)),
    )


def arriving(conditions: Conditions) -> Conditions:
    """The same pass, from far to near."""
    c = conditions
    if c.start_width <= c.end_width:
        return c
    return replace(
        c, start=c.end, end=c.start, start_width=c.end_width, end_width=c.start_width, focus=c.focus[::-1]
    )


def harder(conditions: Conditions, rng: Generator, *, is_at_pump: bool = False) -> Conditions:
    """The same pass, made hard to read in one way or several; which ones is drawn.

    is_at_pump: blurred or dark, but not far: a camera that watches a pump was hung to see it.
    """
    is_far, is_blurred, is_dark = rng.random(3) < 0.5
    if is_at_pump:
        is_far, is_dark = False, is_dark or not is_blurred
    if is_far or not (is_blurred or is_dark):
        far, near = sorted(rng.uniform(*HARD_WIDTH, 2))
        conditions = replace(conditions, start_width=far, end_width=near)
    if is_blurred:
        conditions = replace(
            conditions, focus=(rng.uniform(*HARD_FOCUS), rng.uniform(*HARD_FOCUS)), bitrate=HARD_BITRATE
        )
    if is_dark:
        gain = rng.uniform(*HARD_GAIN)
        conditions = replace(conditions, gain=(gain, gain), noise=rng.uniform(*HARD_NOISE))
    return conditions


def placed(conditions: Conditions, plate: Box, t: float, rng: Generator) -> Matrix:
    """From pixels of the still to those of the frame at the share `t` of the pass; (3, 3)."""
    c = conditions
    # A car slows down on its way in, and no road is quite even.
    eased = 1 - (1 - t) ** 2
    width = c.start_width + (c.end_width - c.start_width) * eased
    centre = c.start + (c.end - c.start) * eased + rng.normal(0, 0.8, 2)
    turn, lean = between(c.turn, eased), np.radians(between(c.lean, eased))
    half_w, half_h = (plate[2] - plate[0]) / 2, (plate[3] - plate[1]) / 2
    scale = width / (2 * half_w)
    corners = np.array([[-half_w, -half_h], [half_w, -half_h], [half_w, half_h], [-half_w, half_h]])
    seen = corners * scale
    seen[:, 0] *= 1 - abs(turn) / 2
    seen[:, 1] *= 1 + turn * np.sign(corners[:, 0]) / 2
    rotation = np.array([[np.cos(lean), -np.sin(lean)], [np.sin(lean), np.cos(lean)]])
    target = seen @ rotation.T + centre
    source = corners + np.array([(plate[0] + plate[2]) / 2, (plate[1] + plate[3]) / 2])
    matrix = cv2.getPerspectiveTransform(source.astype(np.float32), target.astype(np.float32))
    return np.asarray(matrix, np.float64)


def moved(matrix: Matrix, points: Point) -> Point:
    """Points (N, 2) of the still in the frame."""
    whole = np.hstack([points, np.ones((len(points), 1))]) @ matrix.T
    return np.asarray(whole[:, :2] / whole[:, 2:], np.float64)


def between(ends: tuple[float, float], t: float) -> float:
    """The value at the share `t` of the way."""
    return ends[0] + (ends[1] - ends[0]) * t


def exposed(still: Image, matrix: Matrix, smear: Point, conditions: Conditions, t: float) -> Image:
    """One frame without noise. smear: how far the picture moves while the shutter is open, pixels."""
    picture = cv2.warpPerspective(
        still, matrix, (WIDTH_PX, HEIGHT_PX), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )
    length = round(float(np.linalg.norm(smear)))
    if length > 1:
        picture = cv2.filter2D(picture, -1, line_kernel(length, smear))
    focus = between(conditions.focus, t)
    if focus > 0.3:
        picture = cv2.GaussianBlur(picture, (0, 0), focus)
    levels = (np.arange(256) / 255.0) ** conditions.gamma * 255.0 * between(conditions.gain, t)
    return np.asarray(cv2.LUT(picture, np.clip(levels, 0, 255).astype(np.uint8)), np.uint8)


def line_kernel(length: int, along: Point) -> npt.NDArray[np.float32]:
    """A kernel that smears by `length` pixels in a direction."""
    size = length | 1
    kernel = np.zeros((size, size), np.float32)
    half = along / np.linalg.norm(along) * (size // 2)
    middle = size // 2
    start, end = np.round(middle - half).astype(int), np.round(middle + half).astype(int)
    cv2.line(kernel, (int(start[0]), int(start[1])), (int(end[0]), int(end[1])), 1.0)
    return kernel / kernel.sum()


def with_noise(picture: Image, field: npt.NDArray[np.int16]) -> npt.NDArray[np.uint8]:
    """The frame with a field of sensor noise, as an encoder takes it: I420 planes."""
    planes = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420), np.uint8)
    luma = planes[:HEIGHT_PX]
    cv2.add(luma, field, dst=luma, dtype=cv2.CV_8U)
    return planes


def through_h264(frames: list[npt.NDArray[np.uint8]], bitrate: int) -> list[Image]:
    """The frames (I420 planes) as they come out of a camera's encoder at this bitrate, in bits a second."""
    buffer, tick = io.BytesIO(), Fraction(1, FRAMES_PER_SECOND)
    with av.open(buffer, "w", format="mp4") as container:
        options = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "threads=1"}
        stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        stream.bit_rate = bitrate
        stream.codec_context.time_base = tick
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts, frame.time_base = number, tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer) as container:
        return [np.asarray(f.to_ndarray(format="bgr24"), np.uint8) for f in container.decode(video=0)]
