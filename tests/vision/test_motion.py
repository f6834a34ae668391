"""Looking only where something moves: what it saves, and that nothing is lost by it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest

from cameras.forecourt import FRAMES_PER_SECOND, Place, Script, ScriptedCar, place_of, scale_at, zones
from cameras.simulator import Scene
from vision.motion import SETTLE_S, MotionGate, watched_cells
from vision.pipeline import PipelineOptions, build_pipeline
from vision.rectify import level
from vision.types import Departure, Detection, Event, Frame, PlateText, Sighting, Zone

START = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)
ZONES = tuple(Zone(zone.name, zone.polygon) for zone in zones())
STEP = 2  # every other frame of the film


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def ground(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return cv2.resize(rng.integers(40, 200, (45, 80, 3)).astype(np.uint8), (1280, 720))


def with_noise(image: np.ndarray, strength: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, strength, image.shape[:2])[:, :, None]
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def opened(gate: MotionGate, image: np.ndarray, settle_s: float = SETTLE_S) -> float:
    """A first look, and the time after which the gate is shut again."""
    gate.must_look(image, at(0))
    gate.must_look(image, at(settle_s))
    return settle_s + 0.1


@pytest.mark.parametrize("strength", [0.0, 12.0])
def test_a_still_picture_is_looked_at_now_and_then_whatever_its_noise(strength: float) -> None:
    gate, image = MotionGate((), 2.0), ground()
    noisy = [with_noise(image, strength, seed) for seed in range(5)]
    looks = [gate.must_look(noisy[n % 5], at(n / 10)) for n in range(100)]
    assert all(looks[:10])
    assert 3 <= sum(looks[15:]) <= 5


def test_a_picture_that_grows_dark_evenly_has_not_moved() -> None:
    gate, image = MotionGate((), 60.0), ground()
    now_s = opened(gate, image)
    assert not any(
        gate.must_look(np.clip(image - 2.0 * n, 0, 255).astype(np.uint8), at(now_s + n / 10))
        for n in range(20)
    )


def test_a_thing_as_small_as_a_plate_is_seen_to_come_and_to_go() -> None:
    gate, image = MotionGate((), 60.0), ground()
    now_s = opened(gate, image)
    other = image.copy()
    other[400:418, 600:660] = (180, 60, 20)
    assert not gate.must_look(image, at(now_s))
    assert gate.must_look(other, at(now_s + 0.1))
    later_s = now_s + 0.1 + SETTLE_S + 0.2
    assert gate.must_look(other, at(later_s - 0.3))
    assert not gate.must_look(other, at(later_s))
    assert gate.must_look(image, at(later_s + 0.1))


def test_a_dot_that_blinks_is_no_movement() -> None:
    gate, dark, lit = MotionGate((), 60.0), ground(), ground()
    cv2.circle(dark, (33, 695), 9, (70, 70, 70), -1, cv2.LINE_AA)
    cv2.circle(lit, (33, 695), 9, (40, 40, 235), -1, cv2.LINE_AA)
    now_s = opened(gate, dark)
    assert not gate.must_look(lit, at(now_s))


def test_what_creeps_is_seen_once_it_has_crept_far_enough() -> None:
    def bar(right_by: int) -> np.ndarray:
        image = ground()
        image[300:460, 300 + right_by : 420 + right_by] = 250
        return image

    gate = MotionGate((), 60.0)
    now_s = opened(gate, bar(0))
    looks = [gate.must_look(bar(n // 4), at(now_s + n / 10)) for n in range(40)]
    assert not looks[0]
    assert any(looks)


def test_movement_outside_the_zones_and_their_margin_does_not_count() -> None:
    zone = Zone("1", ((0.1, 0.5), (0.4, 0.5), (0.4, 0.9), (0.1, 0.9)))
    gate, image = MotionGate((zone,), 60.0), ground()
    now_s = opened(gate, image)
    outside, inside = image.copy(), image.copy()
    outside[100:300, 900:1200] = 255
    inside[400:500, 200:300] = 255
    assert not gate.must_look(outside, at(now_s))
    assert gate.must_look(inside, at(now_s + 0.1))
    assert watched_cells((zone,), (160, 90)).mean() < 0.35
    assert watched_cells((), (160, 90)).all()


def test_a_picture_of_another_size_or_from_an_earlier_time_is_looked_at() -> None:
    gate, image = MotionGate((), 60.0), ground()
    now_s = opened(gate, image)
    assert gate.must_look(cv2.resize(image, (640, 480)), at(now_s))
    gate, image = MotionGate((), 60.0), ground()
    opened(gate, image)
    assert gate.must_look(image, at(-5))


class Watcher:
    """Detector and reader that know the script: a plate is where its car is. Keeps what its pipeline says."""

    def __init__(self, script: Script, look_every_s: float) -> None:
        self.script = script
        self.now_s = 0.0
        self.detected = 0
        self.events: list[Event] = []
        self._queue: list[tuple[str, Detection]] = []
        self._shown: list[tuple[str, Detection]] = []
        self._image = np.zeros((1, 1, 3), np.uint8)
        options = PipelineOptions(ZONES, min_looks=1, reentry_s=3.0, look_every_s=look_every_s)
        self._pipeline = build_pipeline(options, self, self)

    def detect(self, _image: np.ndarray) -> list[Detection]:
        self.detected += 1
        self._queue = [
            (car.plate, plate_at(place))
            for car in self.script.cars
            if (place := place_of(car, self.now_s)) is not None and is_in_picture(place)
        ]
        self._shown = list(self._queue)
        return [detection for _, detection in self._queue]

    def read(self, crop: np.ndarray, rows: Sequence[int] = (1,)) -> PlateText:
        """Crops are read in the order of the detections, though not all of them; means of many in between."""
        for i, (plate, detection) in enumerate(self._queue):
            if np.array_equal(level(self._image, detection.corners), crop):
                del self._queue[: i + 1]
                return surely(plate)
        return surely(min(self._shown, key=lambda shown: self._unlike(shown[1], crop))[0])

    def _unlike(self, detection: Detection, crop: np.ndarray) -> float:
        now = level(self._image, detection.corners)
        return float(np.abs(cv2.resize(now, crop.shape[1::-1]).astype(float) - crop).mean())

    def see(self, image: np.ndarray, number: int) -> None:
        self.now_s, self._image = number / FRAMES_PER_SECOND, image
        self.events += self._pipeline.process(Frame(image, at(self.now_s), "c", number))

    def finish(self) -> None:
        self.events += self._pipeline.flush()

    @property
    def sightings(self) -> list[tuple[str | None, str | None]]:
        return sorted((e.text, e.zone) for e in self.events if isinstance(e, Sighting))

    @property
    def left_at(self) -> dict[str | None, datetime]:
        texts = {e.track: e.text for e in self.events if isinstance(e, Sighting)}
        return {texts[e.track]: e.left_at for e in self.events if isinstance(e, Departure)}


def surely(plate: str) -> PlateText:
    positions = tuple(((character, 0.9999),) for character in plate)
    return PlateText(plate, "blue", 0.99, positions, 0.999)


def plate_at(place: Place) -> Detection:
    half = 75 * scale_at(place.y)
    y, tall = place.y - 110 * scale_at(place.y), half / 3
    left, right = place.x - half, place.x + half
    corners = [[left, y - tall], [right, y - tall], [right, y + tall], [left, y + tall]]
    return Detection(np.array(corners, np.float32), 0.9)


def is_in_picture(place: Place) -> bool:
    corners = plate_at(place).corners
    return bool((corners > 0).all() and (corners < (1280, 720)).all())


def watch_both_ways(script: Script) -> tuple[Watcher, Watcher]:
    """The same film seen by one who looks at every frame and by one who looks where something moves."""
    every, moving, scene = Watcher(script, 0.0), Watcher(script, 2.0), Scene(script)
    for number in range(0, script.frame_count, STEP):
        image = cv2.cvtColor(scene.planes(number), cv2.COLOR_YUV2BGR_I420)
        every.see(image, number)
        moving.see(image, number)
    every.finish()
    moving.finish()
    return every, moving


def apart_s(every: Watcher, moving: Watcher) -> float:
    """By how much the two differ on when a plate left, at most."""
    return max(abs((moving.left_at[text] - left).total_seconds()) for text, left in every.left_at.items())


def test_no_arrival_departure_or_swap_is_lost_by_looking_only_where_something_moves() -> None:
    cars = (
        ScriptedCar("粤B8K562", "blue", "1", 2.2, 6.0),
        ScriptedCar("鲁Q7C635", "blue", "1", 9.2, 14.0),  # takes the place of the one before
        ScriptedCar("京A6F888", "blue", "2", 4.0, 16.0),
        ScriptedCar("苏E93T46", "blue", "4", 3.0, 5.5),
        ScriptedCar("沪C3D482", "blue", "4", 12.0, 15.0),
        ScriptedCar("浙F90214", "blue", "3", 5.0, 13.5),
    )
    every, moving = watch_both_ways(Script(cars, length_s=19.0))
    assert every.sightings == sorted((car.plate, car.pump) for car in cars)
    assert moving.sightings == every.sightings
    assert moving.left_at.keys() == every.left_at.keys() == {car.plate for car in cars}
    assert apart_s(every, moving) <= 2.0
    assert moving.detected < every.detected


def test_a_forecourt_where_cars_stand_is_hardly_looked_at_and_their_leaving_is_seen() -> None:
    cars = (ScriptedCar("粤B8K562", "blue", "1", 2.2, 15.0), ScriptedCar("京A6F888", "blue", "4", 2.2, 15.0))
    every, moving = watch_both_ways(Script(cars, length_s=18.5))
    assert moving.sightings == every.sightings == sorted((car.plate, car.pump) for car in cars)
    assert apart_s(every, moving) <= 0.5
    assert moving.detected < 0.6 * every.detected


def test_a_swap_between_two_frames_is_noticed(camera, car) -> None:
    first = car("粤B12345", lambda t: (320.0, 200.0) if t < 12.05 else None)
    second = car("京A6F888", lambda t: (320.0, 200.0) if t >= 12.05 else None)
    lane = camera(PipelineOptions(reentry_s=5.0), [first, second], moving_crops=False)
    lane.run(25)
    assert [s.text for s in lane.sightings] == ["粤B12345", "京A6F888"]
    assert lane.departures[0].left_at <= at(14.1)
