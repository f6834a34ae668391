from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from vision.track import Tracker, edit_distance, similarity
from vision.types import Detection

START = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def plate(x: float, y: float, width: float = 80) -> Detection:
    half, tall = width / 2, width / 6
    corners = [[x - half, y - tall], [x + half, y - tall], [x + half, y + tall], [x - half, y + tall]]
    return Detection(np.array(corners, np.float32), 0.9)


def test_a_moving_plate_keeps_its_number_and_a_far_one_gets_another() -> None:
    tracker = Tracker()
    numbers = [tracker.update(at(i / 10), [plate(100 + 8 * i, 200)], [None])[0] for i in range(20)]
    assert set(numbers) == {1}
    assert tracker.update(at(2.0), [plate(600, 200)], [None]) == [2]


def test_a_plate_long_unseen_is_forgotten() -> None:
    tracker = Tracker(forget_s=3)
    tracker.update(at(0), [plate(100, 100)], [None])
    assert tracker.forget(at(2.9)) == []
    assert tracker.forget(at(3.1)) == [1]
    assert tracker.update(at(3.2), [plate(100, 100)], [None]) == [2]


def test_another_text_at_the_same_place_is_another_plate(say) -> None:
    tracker = Tracker()
    tracker.update(at(0), [plate(100, 100)], [say("粤B12345")])
    assert tracker.update(at(0.1), [plate(101, 100)], [say("京A6F888")]) == [2]
    assert tracker.update(at(0.2), [plate(102, 100)], [say("粤B12345")]) == [1]


@pytest.mark.parametrize("misread", ["粤B12845", "琼B12345", "粤B1234"])
def test_one_bad_reading_does_not_break_a_track(say, misread: str) -> None:
    tracker = Tracker()
    tracker.update(at(0), [plate(100, 100)], [say("粤B12345")])
    assert tracker.update(at(0.1), [plate(101, 100)], [say(misread)]) == [1]


def test_a_wholly_different_but_unsure_reading_does_not_break_a_track(say) -> None:
    tracker = Tracker()
    tracker.update(at(0), [plate(100, 100)], [say("粤B12345")])
    assert tracker.update(at(0.1), [plate(101, 100)], [say("京A6F888", 0.2)]) == [1]


def test_two_near_plates_keep_their_numbers_by_text(say) -> None:
    tracker = Tracker()
    one, other = say("粤B12345"), say("京A6F888")
    assert tracker.update(at(0), [plate(100, 100), plate(150, 110)], [one, other]) == [1, 2]
    assert tracker.update(at(0.1), [plate(120, 105), plate(128, 104)], [other, one]) == [2, 1]


def test_a_plate_of_another_size_is_another_plate() -> None:
    tracker = Tracker()
    tracker.update(at(0), [plate(100, 100, 80)], [None])
    assert tracker.update(at(0.1), [plate(100, 100, 30)], [None]) == [2]


def test_only_a_lonely_plate_where_it_should_be_is_certain() -> None:
    tracker = Tracker()
    tracker.update(at(0), [plate(100, 100), plate(400, 100), plate(450, 100)], [None] * 3)
    assert tracker.certain(at(0.1), [plate(102, 100), plate(402, 100), plate(700, 100)]) == [1, None, None]


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [
        ("", "", 0),
        ("abc", "abc", 0),
        ("abc", "abd", 1),
        ("abc", "bc", 1),
        ("abc", "", 3),
        ("kitten", "sitting", 3),
    ],
)
def test_edit_distance(a: str, b: str, distance: int) -> None:
    assert edit_distance(a, b) == edit_distance(b, a) == distance
    assert similarity(a, a) == 1.0
