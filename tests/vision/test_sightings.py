"""Stays before a scripted camera: how many sightings, when, and what they say."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from vision.pipeline import PipelineOptions, Zone

START = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)
PUMP = Zone("1", ((0.3, 0.3), (0.7, 0.3), (0.7, 0.9), (0.3, 0.9)))
FREE = PipelineOptions(dwell_s=1.0, reentry_s=20)
ZONED = PipelineOptions(zones=(PUMP,), dwell_s=1.0, reentry_s=20)


def arrive_and_stand(stop: float = 320.0, from_x: float = 40.0, speed: float = 120.0) -> Callable:
    return lambda t: (min(stop, from_x + speed * t), 200.0)


def hidden(place: Callable, *spans: tuple[float, float]) -> Callable:
    return lambda t: None if any(a <= t < b for a, b in spans) else place(t)


def test_a_parked_car_gives_one_sighting_however_long_it_stands(camera, car) -> None:
    lane = camera(ZONED, [car("粤B12345", arrive_and_stand())])
    lane.run(60)
    [sighting] = lane.sightings
    assert sighting.text == "粤B12345"
    assert sighting.zone == "1"
    assert sighting.looks >= 3
    assert sighting.wrong_ppm <= ZONED.sure_ppm
    [departure] = lane.departures
    assert departure.track == sighting.track
    assert departure.left_at == START + timedelta(seconds=59.9)


def test_a_standing_car_is_decided_within_two_seconds_of_stopping(camera, car) -> None:
    lane = camera(ZONED, [car("粤B12345", arrive_and_stand())])
    lane.run(20)
    stopped_s = (320 - 40) / 120
    assert lane.events[0][0] <= stopped_s + 2.0


def test_a_car_already_standing_still_is_decided_from_nearly_identical_frames(camera, car) -> None:
    lane = camera(ZONED, [car("粤B12345", lambda t: (320.0, 200.0))], moving_crops=False, unsteady_px=0.1)
    lane.run(20)
    [sighting] = lane.sightings
    assert sighting.text == "粤B12345"
    assert 2.0 < lane.events[0][0] <= ZONED.decide_within_s + 0.2


def test_a_decided_plate_is_hardly_read_any_more(camera, car) -> None:
    lane = camera(ZONED, [car("粤B12345", arrive_and_stand())])
    lane.run(60)
    assert lane.reads < 90


def test_a_plate_that_never_enters_a_zone_gives_nothing(camera, car) -> None:
    lane = camera(
        ZONED, [car("粤B12345", lambda t: (20 + 60 * t if t < 10 else None, 40.0) if t < 10 else None)]
    )
    assert lane.run(12) == []


@pytest.mark.parametrize("gone_s", [1.0, 4.0, 12.0])
def test_a_car_that_is_gone_for_seconds_is_the_same_stay(camera, car, gone_s: float) -> None:
    place = hidden(arrive_and_stand(), (8.0, 8.0 + gone_s))
    lane = camera(ZONED, [car("粤B12345", place)])
    lane.run(8 + gone_s + 10)
    assert len(lane.sightings) == 1
    assert len(lane.departures) == 1


def test_a_car_back_after_the_reentry_time_is_seen_anew(camera, car) -> None:
    lane = camera(ZONED, [car("粤B12345", hidden(arrive_and_stand(), (8.0, 32.0)))])
    lane.run(45)
    first, second = lane.sightings
    assert (first.text, second.text) == ("粤B12345", "粤B12345")
    assert first.track != second.track
    left = lane.departures[0]
    assert left.track == first.track
    assert left.left_at == START + timedelta(seconds=7.9)
    assert second.first_seen_at == START + timedelta(seconds=32)


def test_a_misread_after_coming_back_makes_no_second_sighting(camera, car, say) -> None:
    def said(n: int):
        return say("粤B12845" if 80 <= n < 83 else "粤B12345")

    lane = camera(ZONED, [car("粤B12345", hidden(arrive_and_stand(), (8.0, 12.0)), said)])
    lane.run(25)
    assert len(lane.sightings) == 1


@pytest.mark.parametrize("every", [3, 5, 9])
def test_a_flickering_character_neither_splits_nor_turns_the_sighting(camera, car, say, every: int) -> None:
    lane = camera(
        FREE,
        [car("粤B12345", arrive_and_stand(), lambda n: say("粤B12845" if n % every == 1 else "粤B12345"))],
    )
    lane.run(20)
    [sighting] = lane.sightings
    assert sighting.text == "粤B12345"


def test_a_car_hidden_for_two_seconds_keeps_its_track(camera, car) -> None:
    lane = camera(FREE, [car("粤B12345", hidden(arrive_and_stand(), (4.0, 6.0)))])
    lane.run(10)
    assert len(lane.tracks["粤B12345"]) == 1


def test_two_cars_that_cross_behind_each_other_keep_their_tracks_and_texts(camera, car) -> None:
    right = car("粤B12345", lambda t: (60 + 90 * t, 200.0) if t < 6 else None)
    left = car("京A6F888", hidden(lambda t: (600 - 90 * t, 206.0) if t < 6 else None, (2.6, 3.5)))
    lane = camera(FREE, [right, left])
    lane.run(8)
    assert sorted(s.text for s in lane.sightings) == ["京A6F888", "粤B12345"]
    assert all(len(tracks) == 1 for tracks in lane.tracks.values())


def test_two_cars_nose_to_tail_give_two_sightings(camera, car) -> None:
    first = car(
        "粤B12345", lambda t: (min(330.0, 40 + 100 * t), 200.0) if t < 12 else (330 + 100 * (t - 12), 200.0)
    )
    second = car(
        "粤B12346",
        lambda t: (
            None
            if t < 1.2
            else (min(240.0, 40 + 100 * (t - 1.2)) + max(0.0, min(90.0, 100 * (t - 13))), 200.0)
        ),
    )
    lane = camera(ZONED, [first, second])
    lane.run(14.5)
    assert sorted(s.text for s in lane.sightings) == ["粤B12345", "粤B12346"]


def test_a_plate_that_cannot_be_read_surely_is_decided_in_time_and_says_so(camera, car, torn) -> None:
    lane = camera(ZONED, [car("粤B12345", arrive_and_stand(), lambda n: torn("粤B12345", "粤B12845", 0.55))])
    lane.run(30)
    [sighting] = lane.sightings
    assert sighting.text == "粤B12345"
    assert sighting.wrong_ppm > 100_000
    assert dict(sighting.positions[4])["8"] > 0.1
    assert (sighting.last_seen_at - sighting.first_seen_at).total_seconds() == pytest.approx(8.0, abs=0.2)


def test_a_passing_plate_read_twice_unsurely_comes_out_at_its_end(camera, car, torn) -> None:
    place = hidden(lambda t: (200 + 60 * t, 200.0), (0.2, 99))
    lane = camera(ZONED, [car("粤B12345", place, lambda n: torn("粤B12345", "粤B12845", 0.6))])
    lane.run(15)
    [sighting] = lane.sightings
    assert sighting.wrong_ppm > 100_000


def test_a_plate_seen_in_a_single_frame_gives_nothing(camera, car) -> None:
    lane = camera(ZONED, [car("粤B12345", hidden(lambda t: (320.0, 200.0), (0.1, 99)))])
    assert lane.run(15) == []


def test_a_passing_thing_that_is_no_plate_gives_nothing(camera, car, say) -> None:
    lane = camera(FREE, [car("?", lambda t: (40 + 120 * t, 200.0) if t < 5 else None, lambda n: say(None))])
    assert lane.run(15) == []


def test_a_standing_plate_that_cannot_be_read_at_all_comes_out_without_text(camera, car, say) -> None:
    lane = camera(ZONED, [car("?", arrive_and_stand(), lambda n: say(None))])
    lane.run(30)
    [sighting] = lane.sightings
    assert sighting.text is None
    assert sighting.positions == ()
    assert sighting.wrong_ppm == 1_000_000


def test_numbers_belong_to_one_pipeline(camera, car) -> None:
    first = camera(FREE, [car("粤B12345", arrive_and_stand())])
    second = camera(FREE, [car("京A6F888", arrive_and_stand())])
    first.run(8)
    second.run(8)
    assert first.sightings[0].track == second.sightings[0].track == 1


def test_the_best_picture_reads_as_the_sighting_says(camera, car, say) -> None:
    lane = camera(
        FREE, [car("粤B12345", arrive_and_stand(), lambda n: say("粤B12845" if n % 4 == 0 else "粤B12345"))]
    )
    lane.run(8)
    [sighting] = lane.sightings
    assert sighting.best.plate.text == sighting.text
    assert sighting.frame.shape == (360, 640, 3)


def test_another_car_at_the_same_place_a_moment_later_is_another_sighting(camera, car) -> None:
    first = car("粤B12345", hidden(lambda t: (320.0, 200.0), (10.0, 99.0)))
    second = car("粤B12846", hidden(lambda t: (320.0, 200.0), (0.0, 10.5)))
    lane = camera(ZONED, [first, second])
    lane.run(25)
    assert [s.text for s in lane.sightings] == ["粤B12345", "粤B12846"]


def test_a_thing_that_never_reads_as_a_plate_is_soon_read_only_now_and_then(camera, car, say) -> None:
    lane = camera(FREE, [car("?", lambda t: (320 + 40 * math.sin(t), 200.0), lambda n: say(None))])
    lane.run(30)
    assert lane.reads < 70


def test_a_plate_long_unreadable_and_then_clear_is_read_after_all(camera, car, say) -> None:
    said = lambda n: say(None if n < 60 else "粤B12345")  # noqa: E731
    lane = camera(
        PipelineOptions(zones=(PUMP,), decide_within_s=60.0, reread_s=0.5),
        [car("粤B12345", arrive_and_stand(), said)],
    )
    lane.run(40)
    [sighting] = lane.sightings
    assert sighting.text == "粤B12345"
    assert sighting.wrong_ppm <= 4000


def test_an_unsure_plate_gone_for_good_before_it_was_due_is_told_of(camera, car, torn) -> None:
    place = hidden(lambda t: (320.0, 200.0), (1.0, 99))
    options = PipelineOptions(zones=(PUMP,), reentry_s=3.0)
    lane = camera(options, [car("粤B12345", place, lambda n: torn("粤B12345", "粤B12845", 0.6))])
    lane.run(8, until=8)
    [sighting] = lane.sightings
    assert sighting.wrong_ppm > 100_000
    assert len(lane.departures) == 1


def test_a_sticker_on_the_car_is_no_second_car(camera, car, say) -> None:
    """Unread, always a plate's width from a plate: the car gives its sighting, the sticker nothing."""
    plate = arrive_and_stand()

    def sticker(t: float):
        x, y = plate(t)
        return x + 8, y - 52

    lane = camera(FREE, [car("粤B12345", plate), car("粤B77777", sticker, lambda n: say(None))])
    lane.run(25)
    assert [s.text for s in lane.sightings] == ["粤B12345"]
    assert set(lane.tracks) == {"粤B12345"}
    assert lane.pipeline.unread == 0


def test_a_plate_that_passes_and_cannot_be_read_is_counted_once_and_gives_nothing(camera, car, say) -> None:
    place = lambda t: (40 + 80 * t, 200.0) if t < 6 and not 2 <= t < 2.4 else None  # noqa: E731
    lane = camera(PipelineOptions(reentry_s=5), [car("?", place, lambda n: say(None))])
    lane.run(14)
    assert lane.events == []
    assert lane.pipeline.unread == 1
    assert len(lane.tracks["?"]) == 1


@pytest.mark.parametrize("frames_per_second", [1.0, 2.0, 10.0])
def test_a_car_that_drives_through_a_zone_is_not_sighted_there(camera, car, frames_per_second) -> None:
    """On its way to the second pump it crosses the place of the first in a second or two."""
    near = Zone("near", ((0.2, 0.3), (0.5, 0.3), (0.5, 0.9), (0.2, 0.9)))
    far = Zone("far", ((0.7, 0.3), (0.98, 0.3), (0.98, 0.9), (0.7, 0.9)))
    place = lambda t: (min(540.0, 20.0 + 70.0 * t), 200.0)  # noqa: E731
    lane = camera(
        PipelineOptions(zones=(near, far), reentry_s=20),
        [car("粤B12345", place)],
        frames_per_second=frames_per_second,
    )
    lane.run(25)
    assert [(s.text, s.zone) for s in lane.sightings] == [("粤B12345", "far")]


def test_a_car_that_only_drives_through_is_at_no_pump(camera, car) -> None:
    lane = camera(ZONED, [car("粤B12345", lambda t: (60 + 90 * t, 200.0) if t < 6 else None)])
    lane.run(20)
    assert [(s.text, s.zone) for s in lane.sightings] == [("粤B12345", None)]


def test_a_car_that_creeps_in_a_queue_is_decided_where_it_comes_to_stand(camera, car, say) -> None:
    """Slowly through one zone for longer than a standing car is given, then at rest in the next."""
    near = Zone("near", ((0.2, 0.3), (0.5, 0.3), (0.5, 0.9), (0.2, 0.9)))
    far = Zone("far", ((0.55, 0.3), (0.98, 0.3), (0.98, 0.9), (0.55, 0.9)))
    place = lambda t: (min(480.0, 140.0 + 45.0 * t), 200.0)  # noqa: E731
    lane = camera(
        PipelineOptions(zones=(near, far), dwell_s=2.0, decide_within_s=4.0), [car("粤B12345", place)]
    )
    lane.run(20)
    assert [s.zone for s in lane.sightings] == ["far"]


def test_a_car_behind_a_person_for_seconds_with_nothing_to_read_is_one_car(camera, car, say) -> None:
    place = hidden(arrive_and_stand(), (5.0, 9.0))
    lane = camera(ZONED, [car("?", place, lambda n: say(None))])
    lane.run(30)
    [sighting] = lane.sightings
    assert sighting.text is None
    assert len(lane.departures) == 1


def test_what_is_final_does_not_change_when_the_reader_changes_its_mind(camera, car, say) -> None:
    lane = camera(
        ZONED, [car("粤B12345", arrive_and_stand(), lambda n: say("粤B12345" if n < 40 else "粤B12845"))]
    )
    lane.run(40)
    assert [s.text for s in lane.sightings] == ["粤B12345"]
    assert len(lane.departures) == 1


def test_a_sighting_carries_the_looks_it_was_made_of_in_the_order_they_were_taken(camera, car) -> None:
    """As many as were pooled, each with its time, its text, and what it counted for."""
    lane = camera(ZONED, [car("粤B12345", arrive_and_stand())])
    lane.run(20)
    [sighting] = lane.sightings
    taken = sighting.taken
    assert len(taken) >= sighting.looks >= 3
    assert [look.captured_at for look in taken] == sorted(look.captured_at for look in taken)
    assert sighting.first_seen_at <= taken[0].captured_at <= taken[-1].captured_at <= sighting.last_seen_at
    assert all(0 < look.weight <= look.quality <= 1 for look in taken)
    assert sum(look.plate.text == sighting.text for look in taken) > len(taken) / 2
