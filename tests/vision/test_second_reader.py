"""The second reader in the pipeline: whom it reads, how often, and what its word does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np
import pytest

from vision.consensus import Look
from vision.pipeline import PipelineOptions, build_pipeline
from vision.sightings import MOST_SECOND_LOOKS, SECOND_LOOKS
from vision.stay import Stay, ask_second
from vision.types import PlateText
from vision.zones import Rest

START = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)
OPTIONS = PipelineOptions(dwell_s=1.0, reentry_s=20)


def standing(t: float) -> tuple[float, float]:
    return min(320.0, 40.0 + 120.0 * t), 200.0


class Second:
    """A second reader that says what it is told and keeps what it was shown."""

    def __init__(self, said: Callable[[int], PlateText]) -> None:
        self.said = said
        self.crops: list[np.ndarray] = []

    def read(self, crop: np.ndarray, rows: Sequence[int] = (1,)) -> PlateText:
        self.crops.append(crop)
        return self.said(len(self.crops) - 1)


@pytest.fixture
def lane(camera, car) -> Callable:
    """A lane with one car, watched by two readers: first, second say what they read in their n-th look."""

    def watched(first, second, place=standing, options=OPTIONS):
        made = camera(options, [car("粤B12345", place, first)])
        made.second = Second(second)
        made.pipeline = build_pipeline(options, made, made, second_reader=made.second)
        return made

    return watched


def test_the_first_reads_every_look_and_the_second_a_few_of_each_car(lane, say) -> None:
    watched = lane(lambda n: say("粤B12345"), lambda n: say("粤B12345"))
    watched.run(30)
    [sighting] = watched.sightings
    assert sighting.text == "粤B12345"
    # and the mean of those in which it stands
    assert len(watched.second.crops) == SECOND_LOOKS + 1
    assert watched.reads > 5 * SECOND_LOOKS


def test_the_second_is_asked_about_the_best_looks_first_and_about_none_twice(say) -> None:
    stay = Stay(1, "lane-1", START, START, np.zeros((4, 2), np.float32), Rest(np.zeros(2), START))
    for worth in (0.2, 0.9, 0.5):
        crop = np.full((4, 14, 3), round(worth * 100), np.uint8)
        stay.looks.append(Look(say("粤B12345"), worth, 1.0, np.zeros(4, np.float32), crop))
    second = Second(lambda n: say("粤B12345"))
    assert [ask_second(stay, second.read) for _ in range(4)] == [True, True, True, False]
    assert [crop[0, 0, 0] for crop in second.crops] == [90, 50, 20]
    assert stay.second_readings == 3


def test_two_who_agree_are_surer_than_one(lane, camera, car, say) -> None:
    alone = camera(OPTIONS, [car("粤B12345", standing, lambda n: say("粤B12345", 0.9))])
    alone.run(30)
    both = lane(lambda n: say("粤B12345", 0.9), lambda n: say("粤B12345", 0.95))
    both.run(30)
    assert both.sightings[0].wrong_ppm < alone.sightings[0].wrong_ppm


def test_a_plate_the_second_denies_is_not_taken_for_sure(lane, say) -> None:
    watched = lane(lambda n: say("粤B12345", 0.98), lambda n: say("粤B12845", 0.98))
    watched.run(30)
    [sighting] = watched.sightings
    assert sighting.wrong_ppm > OPTIONS.sure_ppm
    assert {"3", "8"} <= {character for character, _ in sighting.positions[4]}
    assert sum(look.second is not None for look in sighting.taken) <= MOST_SECOND_LOOKS + 1
    assert len(watched.second.crops) < 2 * MOST_SECOND_LOOKS


def test_a_plate_the_first_is_unsure_of_is_read_by_the_second_in_time(lane, camera, car, say, torn) -> None:
    unsure = lambda n: torn("粤B12345", "粤B12845", 0.6)  # noqa: E731
    alone = camera(OPTIONS, [car("粤B12345", standing, unsure)])
    alone.run(30)
    both = lane(unsure, lambda n: say("粤B12345", 0.99))
    both.run(30)
    assert alone.sightings[0].wrong_ppm > 100_000
    assert both.sightings[0].text == "粤B12345"
    assert both.sightings[0].wrong_ppm < alone.sightings[0].wrong_ppm / 4


def test_what_the_first_takes_for_no_plate_of_ours_the_second_is_not_asked_about(lane, say) -> None:
    watched = lane(lambda n: say(None), lambda n: say("粤B12345"))
    watched.run(30)
    assert watched.second.crops == []
    assert [s.text for s in watched.sightings] == [None]


def test_the_positions_of_a_sighting_by_two_still_multiply_to_its_chance(lane, say) -> None:
    watched = lane(lambda n: say("粤B12345", 0.9), lambda n: say("粤B12345", 0.9))
    watched.run(20)
    [sighting] = watched.sightings
    right = np.prod([position[0][1] for position in sighting.positions])
    assert 1 - right == pytest.approx(sighting.wrong_ppm / 1e6, abs=2e-6)
