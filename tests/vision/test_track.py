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


def thumb(seed: int) -> np.ndarray:
    """A small picture of its own: mean 0, length 1."""
    flat = np.random.default_rng(seed).normal(size=28 * 8).astype(np.float32)
    flat -= flat.mean()
    return flat / np.linalg.norm(flat)


def alike(first: np.ndarray, share: float) -> np.ndarray:
    """A small picture that correlates with the first by so much."""
    other = thumb(99)
    other = other - (other @ first) * first
    return share * first + np.sqrt(1 - share**2) * other / np.linalg.norm(other)


def test_a_fast_plate_keeps_its_number_from_its_second_frame_on() -> None:
    tracker = Tracker()
    numbers = [tracker.update(at(i / 10), [plate(100 + 150 * i, 200)], [None])[0] for i in range(6)]
    assert set(numbers) == {1}


def test_a_plate_hidden_while_it_moves_is_found_where_it_should_be_by_then() -> None:
    tracker = Tracker()
    for i in range(10):
        tracker.update(at(i / 10), [plate(100 + 40 * i, 200)], [None])
    assert tracker.update(at(1.4), [plate(100 + 40 * 14, 200)], [None]) == [1]


@pytest.mark.parametrize("hidden_s", [1.0, 2.5])
def test_a_standing_plate_nobody_can_read_is_the_same_after_somebody_walked_by(hidden_s: float) -> None:
    tracker = Tracker(forget_s=3)
    for i in range(10):
        tracker.update(at(i / 10), [plate(300, 200)], [None], [thumb(1)])
    back = tracker.update(at(0.9 + hidden_s), [plate(302, 201)], [None], [alike(thumb(1), 0.6)])
    assert back == [1]


def test_another_thing_further_on_a_moment_later_is_another_track() -> None:
    """What a bonnet shows is lost at the picture's edge; the next car's plate appears two seconds later."""
    tracker = Tracker(forget_s=3)
    for i in range(10):
        tracker.update(at(i / 10), [plate(400 - 10 * i, 600 + 10 * i)], [None], [thumb(1)])
    assert tracker.update(at(3.2), [plate(600, 520, 60)], [None], [thumb(2)]) == [2]


def test_a_plate_that_comes_back_further_on_is_the_same_only_if_it_reads_or_looks_so(say) -> None:
    for back, numbers in (
        ({"plates": [say("粤B12345")]}, [1]),
        ({"plates": [None], "thumbs": [alike(thumb(1), 0.9)]}, [1]),
        ({"plates": [None], "thumbs": [alike(thumb(1), 0.4)]}, [2]),
        ({"plates": [say("京A6F888")]}, [2]),
    ):
        tracker = Tracker(forget_s=3)
        for i in range(5):
            tracker.update(at(i / 10), [plate(300, 200)], [say("粤B12345")], [thumb(1)])
        assert tracker.update(at(1.9), [plate(460, 200)], **back) == numbers


def test_what_looks_like_the_opposite_is_not_the_plate_that_stood_there() -> None:
    tracker = Tracker(forget_s=3)
    tracker.update(at(0), [plate(300, 200)], [None], [thumb(1)])
    assert tracker.update(at(1.5), [plate(300, 200)], [None], [-thumb(1)]) == [2]


def test_two_unread_plates_that_pass_each_other_keep_their_numbers_by_motion_and_looks() -> None:
    tracker = Tracker()
    for i in range(21):
        seen = [plate(100 + 20 * i, 200), plate(500 - 20 * i, 214)]
        numbers = tracker.update(at(i / 10), seen, [None, None], [thumb(1), thumb(2)])
    assert numbers == [1, 2]


def test_a_text_made_up_at_first_does_not_break_the_track(say) -> None:
    tracker = Tracker()
    tracker.update(at(0), [plate(100, 100)], [say("鄂U8A888", 0.7)])
    assert tracker.update(at(0.1), [plate(102, 100)], [say("蒙D8A999", 0.97)]) == [1]
