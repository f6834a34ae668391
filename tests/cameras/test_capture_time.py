"""The capture time of pictures: tied to the wall clock by the stream's own times."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from cameras.backoff import Backoff
from cameras.capture_time import Pace, StreamClock
from tests.cameras.fakes import START


def run(clock, samples):
    """samples: (pts_s, arrival in seconds after START)."""
    return [
        (clock.captured_at(pts, START + timedelta(seconds=arrival)) - START).total_seconds()
        for pts, arrival in samples
    ]


def test_jitter_of_arrival_does_not_show():
    rng = random.Random(7)
    true = [index * 0.1 for index in range(300)]
    found = run(StreamClock(), [(50 + at, 0.02 + at + rng.expovariate(20)) for at in true])
    errors = [got - (0.02 + at) for got, at in zip(found, true, strict=True)][100:]
    assert max(errors) < 0.01
    assert min(errors) >= 0.0


def test_times_are_strictly_monotone_even_where_the_tie_is_tightened():
    found = run(StreamClock(), [(0.0, 1.0), (0.1, 0.3), (0.2, 0.31), (0.3, 0.4)])
    assert found == sorted(set(found))


def test_a_burst_after_a_stall_keeps_its_true_times():
    steady = [(index * 0.1, index * 0.1) for index in range(20)]
    stalled = [(2.0 + index * 0.1, 5.0) for index in range(30)]
    found = run(StreamClock(), steady + stalled)
    assert found[20] == pytest.approx(2.0, abs=0.05)
    assert found[49] == pytest.approx(4.9, abs=0.05)


@pytest.mark.parametrize("new_pts", [0.0, 90_000.0])
def test_stream_times_that_jump_are_tied_anew(new_pts):
    clock = StreamClock()
    steady = [(100 + index * 0.1, index * 0.1) for index in range(20)]
    jumped = [(new_pts + index * 0.1, 2.0 + index * 0.1) for index in range(20)]
    found = run(clock, steady + jumped)
    assert clock.reanchored == 1
    assert found[20:] == pytest.approx([2.0 + index * 0.1 for index in range(20)], abs=0.05)


def test_a_stream_clock_that_stood_still_is_tied_anew_after_a_while():
    clock = StreamClock()
    steady = [(index * 0.1, index * 0.1) for index in range(20)]
    paused = [(2.0 + index * 0.1, 32.0 + index * 0.1) for index in range(200)]
    found = run(clock, steady + paused)
    assert clock.reanchored == 1
    assert found[-1] == pytest.approx(paused[-1][1], abs=0.05)


def test_a_slow_clock_of_the_camera_is_followed():
    samples = [(at * 0.9999, at) for at in range(0, 3600, 5)]
    found = run(StreamClock(), samples)
    assert found[-1] == pytest.approx(samples[-1][1], abs=0.05)


def test_without_stream_times_the_arrival_counts():
    assert run(StreamClock(), [(None, 1.0), (None, 1.5)]) == [1.0, 1.5]


def test_a_picture_held_back_by_one_step_gets_the_time_it_was_taken():
    arrivals = [(index * 0.1, index * 0.1 + 0.1) for index in range(50)]
    found = run(StreamClock(holds_one_back=True), arrivals)
    assert found[10:] == pytest.approx([index * 0.1 for index in range(10, 50)], abs=0.02)


@pytest.mark.parametrize(("rate", "limit", "kept"), [(10, 10, 100), (25, 10, 40), (30, 1, 4), (5, 10, 100)])
def test_the_pace_is_kept_by_capture_time(rate, limit, kept):
    pace = Pace(limit)
    taken = sum(pace.takes(START + timedelta(seconds=index / rate)) for index in range(100))
    assert abs(taken - kept) <= 1


def test_the_pace_survives_a_clock_that_is_set_back():
    pace = Pace(10)
    assert pace.takes(START)
    back = START - timedelta(hours=1)
    assert sum(pace.takes(back + timedelta(seconds=index / 10)) for index in range(20)) >= 18


def test_waits_double_up_to_the_limit_and_are_shortened_by_chance():
    backoff = Backoff(random.Random(1), first_s=1.0, limit_s=8.0)
    waits = [backoff.next_s() for _ in range(100)]
    for wait, full in zip(waits, [1, 2, 4, 8, 8, 8], strict=False):
        assert full / 2 <= wait <= full
    assert len(set(waits)) == 100
    backoff.reset()
    assert backoff.next_s() <= 1.0
