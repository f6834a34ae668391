"""The simulated forecourt: its script, its film and the server that plays it."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import pairwise

import av
import cv2
import numpy as np
import pytest

from cameras.errors import RtspServerError, ScriptError
from cameras.forecourt import (
    ENTER_S,
    LEAVE_S,
    PUMPS,
    Script,
    ScriptedCar,
    check_script,
    place_of,
    pump_place,
    zones,
)
from cameras.forecourt_art import draw_car, plate_picture
from cameras.health import Signature
from cameras.rtsp_server import RtspServer, load_film
from cameras.simulator import Scene, render_forecourt, rendered
from tests.cameras.fakes import picture, write_film

CAR = ScriptedCar("粤B8K562", "blue", "1", arrives_s=2.0, leaves_s=5.0)
SMALL = Script((CAR,), length_s=3.0, width_px=640, height_px=360)


def test_a_car_drives_in_stands_and_drives_off_without_a_jump():
    places = [place_of(CAR, index / 10) for index in range(90)]
    seen = [place for place in places if place is not None]
    assert len(seen) == 10 * (ENTER_S + 3.0 + LEAVE_S)
    assert place_of(CAR, 3.0) == pump_place("1")
    steps = [abs(b.x - a.x) + abs(b.y - a.y) for a, b in pairwise(seen)]
    assert max(steps) < 110
    assert seen[0].y > 1200
    assert seen[-1].x < -200


@pytest.mark.parametrize(
    ("cars", "words"),
    [
        ([replace(CAR, pump="9")], "there is no pump '9'"),
        ([replace(CAR, leaves_s=2.0)], "leaves at 2.0 s but arrives at 2.0 s"),
        ([replace(CAR, covered=(7,))], "none of its characters"),
        ([CAR, replace(CAR, arrives_s=5.5, leaves_s=9.0)], "less than a second after"),
    ],
)
def test_a_script_that_cannot_be_is_refused(cars, words):
    with pytest.raises(ScriptError, match=words):
        check_script(Script(tuple(cars)))


def test_each_pump_has_its_zone_and_the_plates_of_its_cars_stand_in_it():
    for zone in zones():
        place = pump_place(zone.name)
        xs, ys = [x * 1280 for x, _ in zone.polygon], [y * 720 for _, y in zone.polygon]
        plate_y = place.y - 110 * (0.76 if zone.name in "34" else 1.0)
        assert min(xs) < place.x < max(xs)
        assert min(ys) < plate_y < max(ys)
    assert tuple(zone.name for zone in zones()) == PUMPS


def difference(scene_a, scene_b, at_s):
    return np.abs(scene_a.picture(at_s).astype(int) - scene_b.picture(at_s)).max(axis=2)


def test_the_plate_of_a_standing_car_is_as_wide_as_a_readable_one():
    for pump, low, high in (("1", 140, 160), ("2", 140, 160), ("3", 108, 122), ("4", 108, 122)):
        car = replace(CAR, pump=pump)
        bare = Scene(Script((replace(car, plate_state="missing"),)))
        columns = np.flatnonzero((difference(Scene(Script((car,))), bare, 3.0) > 40).sum(axis=0) > 6)
        assert low <= columns.max() - columns.min() <= high, pump


@pytest.mark.parametrize("state", ["blur", "dirt"])
def test_an_unreadable_plate_has_no_strokes_left(state):
    def strokes(car):
        plate = plate_picture(car, np.random.default_rng(1))
        grey = cv2.GaussianBlur(cv2.cvtColor(plate, cv2.COLOR_BGR2GRAY), (0, 0), 2)
        return float(cv2.Laplacian(grey[30:110, 40:400].astype(np.float32), cv2.CV_32F).std())

    assert strokes(replace(CAR, plate_state=state)) < 0.3 * strokes(CAR)


def test_a_covered_character_is_gone_and_the_others_are_untouched():
    clean = plate_picture(CAR, np.random.default_rng(1)).astype(int)
    covered = plate_picture(replace(CAR, covered=(3,)), np.random.default_rng(1)).astype(int)
    changed = np.abs(clean - covered).max(axis=(0, 2)) > 30
    step = clean.shape[1] / 7
    assert changed[round(3.2 * step) : round(3.8 * step)].all()
    assert not changed[: round(2.5 * step)].any()
    assert not changed[round(4.5 * step) :].any()


def test_a_car_without_a_plate_and_one_with_two_rows_can_be_drawn():
    rng = np.random.default_rng(1)
    assert plate_picture(replace(CAR, plate_state="missing"), rng) is None
    assert draw_car(replace(CAR, colour="yellow", rows=2), rng).colour.dtype == np.uint8


def test_a_film_has_its_frames_at_their_times_and_a_keyframe_a_second(tmp_path):
    progress = []
    path = render_forecourt(SMALL, tmp_path / "a.mp4", lambda done, total: progress.append((done, total)))
    with av.open(str(path)) as container:
        frames = [(frame.time, frame.key_frame) for frame in container.decode(video=0)]
        assert (container.streams.video[0].width, container.streams.video[0].height) == (640, 360)
    assert [time for time, _ in frames] == pytest.approx([index / 10 for index in range(30)])
    assert [index for index, (_, is_key) in enumerate(frames) if is_key] == [0, 10, 20]
    assert progress[0] == (1, 30)
    assert progress[-1] == (30, 30)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_script_is_filmed_once_and_another_one_anew(tmp_path):
    first = rendered(SMALL, tmp_path)
    written = first.stat().st_ino
    assert rendered(SMALL, tmp_path) == first
    assert first.stat().st_ino == written
    assert rendered(replace(SMALL, seed=2), tmp_path) != first


def test_films_nobody_asked_for_in_a_week_are_deleted(tmp_path):
    old, asked = tmp_path / "old.mp4", rendered(SMALL, tmp_path)
    old.write_bytes(b"film")
    for path in (old, asked):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    rendered(SMALL, tmp_path)
    rendered(replace(SMALL, seed=3), tmp_path)
    assert asked.exists()
    assert not old.exists()


def test_the_same_script_gives_the_same_pictures():
    assert np.array_equal(Scene(SMALL).planes(25), Scene(SMALL).planes(25))


def test_a_film_may_be_entered_at_its_keyframes_and_held_at_its_end(tmp_path):
    film = load_film(write_film(tmp_path / "a.mp4", [picture(seed) for seed in range(25)]))
    assert film.length_s == pytest.approx(2.5)

    def times(start_s, at_end, count=100):
        packets = film.from_key(start_s, at_end)
        return [round(packet.time_s, 3) for packet, _ in zip(packets, range(count), strict=False)]

    assert times(0.0, "end") == [index / 10 for index in range(25)]
    assert times(0.5, "end")[0] == 1.0
    assert times(2.2, "end") == []
    assert times(1.5, "hold", 12) == [index / 10 for index in range(20, 32)]
    assert film.last_group()[0].time_s == pytest.approx(1.0)
    late = times(100.2, "hold", 5)
    assert 100.2 <= late[0] < 101.8
    assert late == sorted(late)


def test_a_film_held_at_its_end_never_looks_frozen(tmp_path):
    path = render_forecourt(replace(SMALL, length_s=2.5), tmp_path / "a.mp4")
    with av.open(str(path)) as container:
        images = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    held = [Signature.of(image) for image in images[-len(load_film(path).last_group()) :]]
    assert any(later.shows_change(held[0]) for later in held)


def test_a_port_that_is_taken_is_an_error(tmp_path):
    with (
        RtspServer(tmp_path) as server,
        pytest.raises(RtspServerError, match="does not start"),
        RtspServer(tmp_path, port=server.port),
    ):
        pass


def test_nobody_who_plays_in_time_is_an_error(tmp_path):
    with RtspServer(tmp_path) as server, pytest.raises(RtspServerError, match=r"nobody played a\.mp4"):
        server.wait_for_play("a.mp4", 0.05)
