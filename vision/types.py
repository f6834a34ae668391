"""The frozen values everything in vision speaks: Frame, Detection, Reading, Sighting."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Corners = npt.NDArray[np.float32]
Colour = Literal["blue", "green", "yellow", "white", "black"]

# The likely characters of one position with their probabilities, most likely first.
Position = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of one camera.

    image: (H, W, 3) uint8, BGR; not changed by anyone.
    captured_at: aware UTC, from the stream's own timestamps where it has any.
    number: counts the frames of this camera's source from 0, dropped ones included.
    """

    image: Image
    captured_at: datetime
    camera: str
    number: int


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """A plate found in a picture.

    corners: (4, 2) float32, pixels of the picture: top-left, top-right, bottom-right, bottom-left.
    score: 0 to 1, the detector's own.
    """

    corners: Corners
    score: float


@dataclass(frozen=True, slots=True)
class PlateText:
    """What the reader says of one levelled crop.

    text: the most likely plate, or None where no plate can be read.
    positions: one entry a character of the text; empty where text is None.
    confidence: probability that every character of the text is right.
    """

    text: str | None
    colour: Colour
    colour_probability: float
    positions: tuple[Position, ...]
    confidence: float


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What one frame says of one plate.

    quality: 0 to 1, from size and sharpness; weighs the reading in the consensus.
    crop: (h, w, 3) uint8 BGR, the levelled plate.
    """

    frame_number: int
    captured_at: datetime
    detection: Detection
    plate: PlateText
    quality: float
    crop: Image


@dataclass(frozen=True, slots=True)
class LookTaken:
    """One look a sighting was made of, for whoever asks later why it says what it says.

    quality, weight: 0 to 1, of the crop, and what it counted for once likeness to earlier looks is taken off.
    second: what the other reader says of the same crop, where it was asked.
    """

    captured_at: datetime
    plate: PlateText
    quality: float
    weight: float
    second: PlateText | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """What a whole track says, final once emitted.

    wrong_ppm: chance in parts per million that the text is not the plate.
    looks: number of independent readings behind it.
    zone: name of the zone of the picture where the plate stood (a pump), or None.
    best: the reading that shows the plate best; frame: the whole picture it was cut from.
    taken: the looks it was made of, in the order they were taken.
    """

    track: int
    camera: str
    text: str | None
    colour: Colour
    positions: tuple[Position, ...]
    wrong_ppm: int
    looks: int
    zone: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    best: Reading
    frame: Image
    taken: tuple[LookTaken, ...] = ()


@dataclass(frozen=True, slots=True)
class Departure:
    """The plate of an emitted sighting has been out of the picture for as long as a re-entry may take.

    track: that of the sighting. left_at: when the plate was last seen.
    """

    track: int
    left_at: datetime


Event = Sighting | Departure


@dataclass(frozen=True, slots=True)
class Zone:
    """A part of the picture where a plate counts, such as the place before a pump.

    polygon: corners in order, as fractions of the picture's width and height.
    """

    name: str
    polygon: tuple[tuple[float, float], ...]
