"""A scripted camera: cars move by rule, the detector and the reader say what the script says."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest

from vision.pipeline import PipelineOptions, PlateReaderPipeline, build_pipeline
from vision.plate_art import draw_plate
from vision.types import Departure, Detection, Event, Frame, PlateText, Sighting

START = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)
WIDTH, HEIGHT = 640, 360
PLATE_W, PLATE_H = 60.0, 18.0
LOOKALIKES = {"0": "D8", "8": "B3", "B": "8", "1": "7T", "2": "Z", "5": "S6", "D": "0", "粤": "琼"}


def plate_text(text: str | None, confidence: float = 0.97, colour: str = "blue") -> PlateText:
    """A reading of `text` that is so sure of it; what is missing goes to look-alikes."""
    if text is None:
        return PlateText(None, colour, 0.9, (), 0.0)
    each = confidence ** (1 / len(text))
    positions = []
    for character in text:
        others = [c for c in LOOKALIKES.get(character, "XY") if c != character][:2]
        rest = (1 - each) / len(others)
        positions.append(tuple([(character, each)] + [(c, rest) for c in others]))
    return PlateText(text, colour, 0.99, tuple(positions), confidence)


def read_as(first: str, second: str, share: float) -> PlateText:
    """A reading torn between two texts of one length."""
    positions = tuple(
        ((a, 0.999),) if a == b else ((a, share), (b, 1 - share)) for a, b in zip(first, second, strict=True)
    )
    return PlateText(first, "blue", 0.99, positions, share)


@dataclass
class Car:
    """A plate that is where `place` says (centre x, y in pixels, or None where it cannot be seen).

    said: what the reader says of it in the n-th frame that shows it.
    """

    text: str
    place: Callable[[float], tuple[float, float] | None]
    said: Callable[[int], PlateText] | None = None
    frames: int = 0

    def last(self) -> PlateText:
        """What is read of the mean of its frames: what was read of the last one."""
        return self.said(max(self.frames - 1, 0)) if self.said is not None else plate_text(self.text)

    def reading(self) -> PlateText:
        self.frames += 1
        return self.said(self.frames - 1) if self.said is not None else plate_text(self.text)


@dataclass
class Camera:
    """Runs cars past a pipeline and keeps what comes out. Fits the Protocols of detector and reader."""

    options: PipelineOptions
    cars: Sequence[Car]
    frames_per_second: float = 10.0
    moving_crops: bool = True
    unsteady_px: float = 0.4
    seed: int = 0
    events: list[tuple[float, Event]] = field(default_factory=list)
    tracks: dict[str, set[int]] = field(default_factory=dict)
    reads: int = 0

    def __post_init__(self) -> None:
        self.pipeline: PlateReaderPipeline = build_pipeline(self.options, self, self)
        self._now = 0.0
        self._shown: list[Car] = []
        self._queue: list[Car] = []
        self._rng = np.random.default_rng(self.seed)
        self._textures: dict[str, np.ndarray] = {}
        self._ground = self._rng.integers(60, 200, (HEIGHT, WIDTH, 3)).astype(np.uint8)

    def detect(self, image: np.ndarray) -> list[Detection]:
        self._shown = [car for car in self.cars if car.place(self._now) is not None]
        detections = []
        for car in self._shown:
            x, y = car.place(self._now)
            half_w, half_h = PLATE_W / 2, PLATE_H / 2
            across, down = np.array([-1, 1, 1, -1]) * half_w, np.array([-1, -1, 1, 1]) * half_h
            corners = np.stack([x + across, y + down], axis=1)
            jitter = self._rng.normal(0, self.unsteady_px, (4, 2))
            detections.append(Detection((corners + jitter).astype(np.float32), 0.9))
        return detections

    def read(self, crop: np.ndarray, rows: Sequence[int] = (1,)) -> PlateText:
        self.reads += 1
        if not self._pending:
            return min(self._shown, key=lambda c: self._order(c, crop)).last()
        car = min(self._pending, key=lambda c: self._order(c, crop))
        self._pending.remove(car)
        return car.reading()

    def _order(self, car: Car, crop: np.ndarray) -> float:
        colour = self._paint(car)
        return float(np.abs(crop.reshape(-1, 3).astype(float).mean(axis=0) - colour).sum())

    def _paint(self, car: Car) -> np.ndarray:
        index = list(self.cars).index(car)
        return np.array([(40 + 60 * index) % 250, 120, (200 - 60 * index) % 250], float)

    def _texture(self, car: Car) -> np.ndarray:
        if car.text not in self._textures:
            self._textures[car.text] = self._draw(car)
        return self._textures[car.text]

    def _draw(self, car: Car) -> np.ndarray:
        plate = cv2.cvtColor(
            draw_plate(car.text if len(car.text) == 7 else "粤B00000", "blue"), cv2.COLOR_BGR2GRAY
        )
        small = cv2.resize(plate, (68, 24), interpolation=cv2.INTER_AREA).astype(float)
        return (small - small.mean()) * 0.6

    def run(self, seconds: float, until: float | None = None) -> list[Event]:
        """Frames for so long; the events, flush included unless `until` stops before it."""
        count = round(seconds * self.frames_per_second)
        for number in range(count):
            self._now = number / self.frames_per_second
            image = self._ground.copy()
            for car in self.cars:
                if (place := car.place(self._now)) is not None:
                    x, y = round(place[0]), round(place[1])
                    patch = image[max(y - 12, 0) : y + 12, max(x - 34, 0) : x + 34]
                    texture = self._texture(car)[: patch.shape[0], : patch.shape[1], None]
                    noise = self._rng.normal(0, 30 if self.moving_crops else 3, patch.shape)
                    patch[:] = np.clip(self._paint(car) + texture + noise, 0, 255)
            self._pending = [car for car in self.cars if car.place(self._now) is not None]
            frame = Frame(image, START + timedelta(seconds=self._now), "lane-1", number)
            for event in self.pipeline.process(frame):
                self.events.append((self._now, event))
            shown = [car for car in self.cars if car.place(self._now) is not None]
            for live in self.pipeline.live_tracks() if shown else ():
                centre = live.corners.mean(axis=0)
                car = min(shown, key=lambda c: np.linalg.norm(c.place(self._now) - centre))
                self.tracks.setdefault(car.text, set()).add(live.track)
        if until is None:
            for event in self.pipeline.flush():
                self.events.append((self._now, event))
        return [event for _, event in self.events]

    @property
    def sightings(self) -> list[Sighting]:
        return [event for _, event in self.events if isinstance(event, Sighting)]

    @property
    def departures(self) -> list[Departure]:
        return [event for _, event in self.events if isinstance(event, Departure)]


@pytest.fixture
def camera() -> type[Camera]:
    return Camera


@pytest.fixture
def car() -> type[Car]:
    return Car


@pytest.fixture
def say() -> Callable[..., PlateText]:
    return plate_text


@pytest.fixture
def torn() -> Callable[..., PlateText]:
    return read_as
