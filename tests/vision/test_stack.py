"""The mean picture of a standing plate: what is added up, what never is, and what it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest

from vision.backends import load_reader
from vision.consensus import Look, agree, thumb_of
from vision.pipeline import PipelineOptions, build_pipeline
from vision.plate_art import draw_plate
from vision.rectify import LARGEST_CROP_PX, level
from vision.stack import begin_stack
from vision.stay import LEAST_STACKED, Stay, add_frame, is_stack_due, read_stack
from vision.types import Detection, Frame, PlateText, Sighting
from vision.zones import Rest

START = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)
TEXT, OTHER = "粤B12345", "京A6F888"
SIZE = (640, 360)


def corners_at(x: float = 250.0, y: float = 160.0, width: float = 110.0) -> np.ndarray:
    tall = width * 140 / 440
    return np.array([[x, y], [x + width, y], [x + width, y + tall], [x, y + tall]], np.float32)


def scene(text: str, corners: np.ndarray, noise: float = 0.0, seed: int = 0) -> np.ndarray:
    """A grey picture with one plate at the corners, as a sensor with so much noise sees it."""
    high, wide = 70, 220
    plate = cv2.resize(draw_plate(text, "blue"), (wide, high), interpolation=cv2.INTER_AREA)
    plate = cv2.GaussianBlur(plate, (0, 0), 1.0)
    source = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float32) - 0.5
    matrix = cv2.getPerspectiveTransform(source, (corners - 0.5).astype(np.float32))
    picture = cv2.warpPerspective(plate, matrix, SIZE, borderValue=(90, 90, 90))
    grain = np.random.default_rng(seed).normal(0, noise, picture.shape) if noise else 0.0
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def away(crop: np.ndarray, clean: np.ndarray) -> float:
    return float(np.abs(crop.astype(float) - clean).mean())


def stay() -> Stay:
    return Stay(1, "lane-1", START, START, corners_at(), Rest(np.zeros(2), START))


class Standing:
    """A detector that wavers by so many pixels around where the car stands, and a reader in between."""

    def __init__(self, text: str, reader, places: Sequence[np.ndarray]) -> None:
        self.text, self.reader, self.places = text, reader, places
        self.number = 0
        self.crops: list[np.ndarray] = []

    def detect(self, _image: np.ndarray) -> list[Detection]:
        waver = np.random.default_rng(self.number).normal(0, 0.5, (4, 2))
        return [Detection((self.places[self.number] + waver).astype(np.float32), 0.9)]

    def read(self, crop: np.ndarray, rows: Sequence[int] = (1,)) -> PlateText:
        self.crops.append(crop)
        return self.reader(crop, rows)

    def run(self, options: PipelineOptions, noise: float) -> list[Sighting]:
        pipeline = build_pipeline(options, self, self)
        events = []
        for number, place in enumerate(self.places):
            self.number = number
            image = scene(self.text, place, noise, self.number)
            at = START + timedelta(seconds=self.number / 10)
            events += pipeline.process(Frame(image, at, "lane-1", self.number))
        events += pipeline.flush()
        return [event for event in events if isinstance(event, Sighting)]


def test_the_mean_of_standing_frames_has_a_fraction_of_their_noise() -> None:
    corners = corners_at()
    clean = level(scene(TEXT, corners), corners)
    stack = begin_stack(scene(TEXT, corners, 25, 0), corners)
    for seed in range(1, 25):
        assert stack.add(scene(TEXT, corners, 25, seed), corners)
    single = away(level(scene(TEXT, corners, 25, 1), corners), clean)
    assert stack.frames == 25
    assert away(stack.crop(), clean) < 0.35 * single


def test_a_camera_that_shakes_by_a_pixel_smears_nothing() -> None:
    corners = corners_at()
    clean = level(scene(TEXT, corners), corners)
    shaken = [corners_at(250 + 0.7 * np.sin(n), 160 + 0.5 * np.cos(3 * n)) for n in range(20)]
    stack = begin_stack(scene(TEXT, corners, 5), corners)
    smeared = np.zeros(scene(TEXT, corners).shape)
    for seed, place in enumerate(shaken):
        picture = scene(TEXT, place, 5, seed)
        assert stack.add(picture, None)
        smeared += picture / len(shaken)
    assert away(stack.crop(), clean) < 0.6 * away(level(smeared.astype(np.uint8), corners), clean)


@pytest.mark.parametrize("steps_px", [(2.0, 0.0), (6.0, 0.0), (1.5, 1.5)])
def test_frames_of_a_moving_car_are_never_added_up(steps_px: tuple[float, float]) -> None:
    moving = stay()
    for n in range(30):
        place = corners_at(100 + steps_px[0] * n, 100 + steps_px[1] * n)
        add_frame(moving, scene(TEXT, place, 8, n), place, is_found=True)
        assert not is_stack_due(moving, is_last=True)


def test_another_car_in_the_same_place_begins_another_stack(say) -> None:
    corners, taken = corners_at(), stay()
    for n in range(20):
        add_frame(taken, scene(TEXT, corners, 8, n), corners, is_found=True)
    read_stack(taken, lambda crop, rows: say(TEXT))
    for n in range(20, 32):
        add_frame(taken, scene(OTHER, corners, 8, n), corners, is_found=True)
    assert taken.stack is not None
    assert taken.stack.frames == 10  # the first two did not fit, and might have been somebody walking by
    clean = level(scene(OTHER, corners), corners)
    assert away(taken.stack.crop(), clean) < 0.2 * away(level(scene(TEXT, corners), corners), clean)
    assert is_stack_due(taken, is_last=False)
    read_stack(taken, lambda crop, rows: say(OTHER))
    assert [look.plate.text for look in taken.all_looks] == [OTHER]


def test_who_walks_by_leaves_the_stack_as_it_was() -> None:
    corners, parked = corners_at(), stay()
    hidden = np.full((SIZE[1], SIZE[0], 3), 30, np.uint8)
    for n in range(10):
        add_frame(parked, scene(TEXT, corners, 8, n), corners, is_found=True)
    for _ in range(2):
        add_frame(parked, hidden, corners, is_found=False)
    add_frame(parked, scene(TEXT, corners, 8, 20), corners, is_found=True)
    assert parked.stack is not None
    assert parked.stack.frames == 11


def test_a_stack_takes_no_more_room_for_a_larger_plate_or_more_frames() -> None:
    picture = np.zeros((2160, 3840, 3), np.uint8)
    stack = begin_stack(picture, corners_at(300, 300, 3000.0))
    before = stack.total.nbytes
    stack.add(picture, None)
    assert stack.total.nbytes == before
    assert stack.total.shape[1] < 1.6 * LARGEST_CROP_PX
    assert before < 2_000_000


def test_a_stack_is_read_when_it_has_doubled_and_once_more_before_a_decision(say) -> None:
    corners, parked = corners_at(), stay()
    read_at = []
    for n in range(1, 41):
        add_frame(parked, scene(TEXT, corners, 8, n), corners, is_found=True)
        if is_stack_due(parked, is_last=False):
            read_stack(parked, lambda crop, rows: say(TEXT))
            read_at.append(n)
    assert read_at == [LEAST_STACKED * 2**k for k in range(len(read_at))]
    assert is_stack_due(parked, is_last=True)
    assert len(parked.all_looks) == 1


def test_a_mean_outvotes_early_looks_but_is_no_further_look(say) -> None:
    thumb = np.zeros(4, np.float32)
    early = [Look(say("粤B12845", 0.5), 1.0, 1.0, thumb)] * 5
    mean = Look(say(TEXT, 0.97), 1.0, 1.0, thumb, frames=30)
    said = agree([*early, mean])
    assert said.text == TEXT
    assert said.looks == agree(early).looks == 5
    # It is one opinion, whatever it is the mean of: what the others deny stays unsure.
    denied = [replace(look, plate=say("粤B12845", 0.97)) for look in early]
    assert agree([*denied, mean]).wrong_ppm > 20_000
    # And a poor mean does not outvote good looks.
    assert agree([*denied, replace(mean, weight=0.2)]).text == "粤B12845"


def test_a_mean_has_half_the_say_of_the_colour_but_makes_it_no_surer(say) -> None:
    thumb = np.zeros(4, np.float32)

    def looks(count: int, colour: str, right: float) -> list[Look]:
        return [Look(replace(say(TEXT), colour=colour, colour_probability=right), 1.0, 1.0, thumb)] * count

    def mean(colour: str, right: float, weight: float = 1.0) -> Look:
        return replace(looks(1, colour, right)[0], weight=weight, frames=30)

    # Each look alone says blue, only because blue is met oftener than yellow: it takes several to say yellow.
    few = next(n for n in range(1, 12) if agree(looks(n + 1, "blue", 0.52)).colour == "yellow")
    assert agree(looks(few, "blue", 0.52)).colour == "blue"
    assert agree([*looks(few, "blue", 0.52), mean("blue", 0.52)]).colour == "blue"
    # It outvotes many looks that hardly tell, if it is as good as they are.
    dim = looks(12, "yellow", 0.6)
    assert agree(dim).colour == "yellow"
    assert agree([*dim, mean("blue", 0.996)]).colour == "blue"
    assert agree([*dim, mean("blue", 0.996, weight=0.05)]).colour == "yellow"


def test_a_plate_that_no_single_frame_shows_for_the_noise_is_read_while_it_stands() -> None:
    reader = load_reader("auto", precision="f32")
    places = [corners_at(30 + 5 * min(n, 20), width=60.0) for n in range(90)]
    standing = Standing(TEXT, reader.read, places)
    [sighting] = standing.run(PipelineOptions(min_looks=1, look_every_s=0.0), noise=95.0)
    alone = [reader.read(level(scene(TEXT, places[n], 95.0, n), places[n])).text for n in range(25, 85, 6)]
    assert TEXT not in alone
    assert sighting.text == TEXT
    assert sighting.wrong_ppm < 4000


def test_a_car_that_drives_by_is_read_no_oftener_than_it_is_seen(say) -> None:
    places = [corners_at(20 + 5 * n, 160) for n in range(80)]
    passing = Standing(TEXT, lambda crop, rows: say(TEXT, 0.6), places)
    passing.run(PipelineOptions(look_every_s=0.0), noise=4.0)
    assert len(passing.crops) <= len(places)


def test_once_a_sighting_is_final_nothing_more_is_added_up_or_read(say) -> None:
    places = [corners_at(30 + 5 * min(n, 40)) for n in range(160)]
    parked = Standing(TEXT, lambda crop, rows: say(TEXT), places)
    pipeline = build_pipeline(PipelineOptions(look_every_s=0.0, reread_s=60.0), parked, parked)
    sightings, read = [], []
    for parked.number, place in enumerate(places):
        at = START + timedelta(seconds=parked.number / 10)
        events = pipeline.process(Frame(scene(TEXT, place, 4.0, parked.number), at, "lane-1", parked.number))
        sightings += [(parked.number, event) for event in events if isinstance(event, Sighting)]
        read.append(len(parked.crops))
    [(decided, sighting)] = sightings
    assert sighting.text == TEXT
    # The mean was read before the decision, and nothing after it.
    assert read[decided] > decided + 1
    assert read[-1] == read[decided]


def test_the_mean_looks_like_its_frames() -> None:
    corners = corners_at()
    stack = begin_stack(scene(TEXT, corners, 10, 0), corners)
    for seed in range(1, 10):
        stack.add(scene(TEXT, corners, 10, seed), corners)
    alike = float(thumb_of(stack.crop()) @ thumb_of(level(scene(TEXT, corners), corners)))
    assert alike > 0.98
