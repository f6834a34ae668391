"""One sighting per car per stay, on H.264 streams with the networks that are shipped."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest

from cameras.forecourt import Script, ScriptedCar, zones
from cameras.rtsp_server import RtspServer
from cameras.simulator import rendered
from cameras.watch import pipeline_options, watch
from tests.cameras.fakes import START, camera
from vision.backends import load_detector, load_reader, load_second_reader
from vision.pipeline import build_pipeline

REENTRY_S = 4.0

PARKED = ScriptedCar("粤B8K562", "blue", "1", 2.5, 20.0)
SHORTLY_GONE = ScriptedCar("鲁Q7C635", "blue", "2", 2.5, 5.0)
SHORTLY_BACK = ScriptedCar("鲁Q7C635", "blue", "2", 9.0, 20.0)
LONG_GONE = ScriptedCar("京AD12379", "green", "4", 2.5, 4.0)
LONG_BACK = ScriptedCar("京AD12379", "green", "4", 12.5, 20.0)
UNREADABLE = ScriptedCar("苏E93T46", "blue", "3", 5.0, 9.0, plate_state="blur")

SCRIPT = Script((PARKED, SHORTLY_GONE, SHORTLY_BACK, LONG_GONE, LONG_BACK, UNREADABLE), length_s=15.5)
LIVE = Script(
    (ScriptedCar("粤B8K562", "blue", "1", 2.0, 60.0), ScriptedCar("沪AD51937", "green", "2", 2.0, 60.0)),
    length_s=4.0,
)


class Noting:
    """A sink that notes what it is given."""

    def __init__(self):
        self.sightings = []
        self.departures = []

    def sighting(self, seen):
        self.sightings.append(seen)
        return str(len(self.sightings))

    def departure(self, sighting_id, left_at):
        self.departures.append((sighting_id, left_at))

    def health(self, health):
        pass

    def flush(self, timeout_s):
        return True

    def close(self):
        pass


def see(lane, stop, **values):
    """Everything the shipped networks see before this camera."""
    sink = Noting()
    pipeline = build_pipeline(
        pipeline_options(lane), load_detector(), load_reader(), second_reader=load_second_reader()
    )
    watch(lane, pipeline, sink, stop, **values)
    return sink


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    """The whole script, as fast as it can be read: how busy the machine is changes nothing."""
    film = rendered(SCRIPT, tmp_path_factory.mktemp("films"))
    lane = camera(film, zones=zones(), reentry_s=REENTRY_S, frames_per_second=5.0, starts_at=START)
    return see(lane, threading.Event())


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """Two cars that stay, on a real RTSP stream."""
    folder = tmp_path_factory.mktemp("live")
    film = rendered(LIVE, folder)
    stop = threading.Event()
    frames = []

    def until_the_end(frame):
        frames.append(frame.captured_at)
        if (frame.captured_at - frames[0]).total_seconds() > 9.0:
            stop.set()

    with RtspServer(folder) as server:
        lane = camera(server.url(film.name), zones=zones(), frames_per_second=5.0)
        sink = see(lane, stop, on_frame=until_the_end)
    return sink


def test_two_cars_that_stay_before_a_real_rtsp_stream_are_sighted_once_each(live):
    found = sorted((seen.text, seen.zone) for seen in live.sightings)
    assert found == sorted((car.plate, car.pump) for car in LIVE.cars)
    first = live.sightings[0]
    age_s = (datetime.now(UTC) - first.last_seen_at).total_seconds()
    assert 0 < age_s < 60


def plates(day):
    return [seen.text for seen in day.sightings]


def test_a_parked_car_is_sighted_once(day):
    assert plates(day).count(PARKED.plate) == 1


def test_a_car_that_leaves_the_picture_for_seconds_is_sighted_once(day):
    assert plates(day).count(SHORTLY_GONE.plate) == 1


def test_a_car_that_comes_back_after_the_reentry_time_is_sighted_twice(day):
    assert plates(day).count(LONG_GONE.plate) == 2


def test_cars_in_one_picture_are_sighted_each_at_its_own_pump(day):
    found = {(seen.text, seen.zone) for seen in day.sightings if seen.text is not None}
    assert found == {(car.plate, car.pump) for car in (PARKED, SHORTLY_GONE, LONG_GONE)}


def test_a_plate_that_nobody_can_read_never_becomes_another_one(day):
    known = {PARKED.plate, SHORTLY_GONE.plate, LONG_GONE.plate, None}
    assert set(plates(day)) <= known


def test_a_car_that_left_is_told_to_have_left(day):
    (first, _) = [str(index + 1) for index, text in enumerate(plates(day)) if text == LONG_GONE.plate]
    assert first in [sighting_id for sighting_id, _ in day.departures]


def test_the_right_colour_is_seen(day):
    colours = {seen.text: seen.colour for seen in day.sightings}
    assert (colours[PARKED.plate], colours[LONG_GONE.plate]) == ("blue", "green")
