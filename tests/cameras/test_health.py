"""Camera health from frames and counts, with every time handed in."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import cv2
import numpy as np
import pytest

from cameras.file_sources import VideoFileSource
from cameras.frame_source import SourceStats
from cameras.health import HealthMonitor
from tests.cameras.fakes import START, camera, frame, picture, write_film

CONNECTED = SourceStats(phase="connected", frames=1, width=320, height=180, last_frame_at=START)


def noisy(base, seed, sigma=3.0):
    rng = np.random.default_rng(seed)
    return np.clip(base + rng.normal(0, sigma, base.shape), 0, 255).astype(np.uint8)


class Camera:
    """Feeds a monitor ten frames a second and judges after each."""

    def __init__(self):
        self.monitor = HealthMonitor()
        self.at_s = 0.0
        self.count = 0
        self.stats = CONNECTED

    def show(self, images):
        health = None
        for image in images:
            self.at_s += 0.1
            self.count += 1
            self.monitor.see(frame(image, self.at_s, self.count))
            at = START + timedelta(seconds=self.at_s)
            self.stats = replace(self.stats, frames=self.stats.frames + 1, last_frame_at=at)
            health = self.monitor.judge(self.stats, at)
        return health


def test_a_picture_that_moves_is_ok():
    health = Camera().show([picture(seed) for seed in range(100)])
    assert (health.state, health.detail) == ("ok", "")
    assert health.frame_age_s == 0


def test_a_picture_that_stands_still_is_frozen_after_the_time_and_not_before():
    lane = Camera()
    still = picture()
    assert lane.show([still] * 295).state == "ok"
    health = lane.show([still] * 10)
    assert health.state == "frozen"
    assert "nothing in them has changed for 30 s" in health.detail


def test_a_frozen_camera_recovers_with_the_first_change():
    lane = Camera()
    lane.show([picture()] * 400)
    assert lane.show([picture(7)]).state == "ok"


def test_a_frozen_picture_coded_anew_is_still_frozen(tmp_path):
    rng = np.random.default_rng(1)
    still = cv2.GaussianBlur(rng.integers(0, 255, (180, 320, 3), np.uint8), (0, 0), 2)
    path = write_film(tmp_path / "a.mp4", [still] * 350, every=25)
    monitor = HealthMonitor()
    source = VideoFileSource(camera(path, starts_at=START))
    for shown in source:
        monitor.see(shown)
    health = monitor.judge(replace(source.stats, phase="connected"), shown.captured_at)
    assert health.state == "frozen"


def test_a_night_scene_with_sensor_noise_is_not_frozen():
    base = picture().astype(float)
    assert Camera().show(noisy(base, seed) for seed in range(320)).state == "ok"


def test_a_clock_in_the_picture_is_a_sign_of_life():
    def minute():
        for index in range(330):
            if index % 10 == 0:
                image = np.full((360, 640, 3), 90, np.uint8)
                text = f"08:00:{index // 10:02d}"
                cv2.putText(image, text, (20, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255,) * 3, 1)
            yield image

    assert Camera().show(minute()).state == "ok"


def test_a_black_picture_is_black_after_a_while_and_recovers_at_once():
    lane = Camera()
    dark = np.full((180, 320, 3), 3, np.uint8)
    lane.show([picture(seed) for seed in range(10)])
    assert lane.show([noisy(dark, seed, 1.0) for seed in range(25)]).state == "ok"
    health = lane.show([noisy(dark, seed, 1.0) for seed in range(10)])
    assert health.state == "black"
    assert "black for" in health.detail
    assert lane.show([picture(3)]).state == "ok"


def test_a_dark_picture_with_a_lamp_in_it_is_not_black():
    dark = np.full((180, 320, 3), 3, np.uint8)
    dark[20:80, 40:120] = 220
    assert Camera().show(noisy(dark, seed, 1.0) for seed in range(60)).state == "ok"


def test_a_changed_size_is_told_and_nothing_else():
    lane = Camera()
    lane.show([picture(seed) for seed in range(5)])
    health = lane.show([picture(seed, 640, 360) for seed in range(5)])
    assert health.state == "ok"
    assert "the picture size changed from 320x180 to 640x360" in health.detail


def test_no_picture_yet_is_starting():
    health = HealthMonitor().judge(SourceStats(), START)
    assert (health.state, health.frame_age_s, health.last_frame_at) == ("starting", None, None)


def test_a_lost_connection_is_reconnecting_with_its_error():
    stats = SourceStats(phase="reconnecting", detail="Connection refused", failed_attempts=4)
    health = HealthMonitor().judge(stats, START)
    assert (health.state, health.detail) == ("reconnecting", "Connection refused (attempt 4)")


def test_a_connected_stream_without_pictures_is_broken_until_one_comes():
    monitor = HealthMonitor()
    assert monitor.judge(CONNECTED, START + timedelta(seconds=4)).state == "ok"
    health = monitor.judge(CONNECTED, START + timedelta(seconds=9))
    assert health.state == "broken"
    assert "no picture for 9 s" in health.detail
    assert health.frame_age_s == 9
    later = START + timedelta(seconds=10)
    assert monitor.judge(replace(CONNECTED, last_frame_at=later), later).state == "ok"


def run_counts(monitor, counts, start_s=0):
    """counts: (good, broken) for each second."""
    stats = SourceStats(phase="connected")
    health = None
    for second, (good, broken) in enumerate(counts, start=start_s):
        at = START + timedelta(seconds=second)
        stats = replace(
            stats,
            frames=stats.frames + good,
            broken_frames=stats.broken_frames + broken,
            last_frame_at=at,
        )
        health = monitor.judge(stats, at)
    return health


@pytest.mark.parametrize(
    ("counts", "state"),
    [
        ([(10, 0)] * 20, "ok"),
        ([(10, 1)] * 20, "ok"),
        ([(10, 0)] * 20 + [(0, 10)] * 9, "broken"),
        ([(0, 10)] * 3, "broken"),
        ([(0, 10)] * 20 + [(10, 0)] * 12, "ok"),
        ([(1, 1), (1, 1)], "ok"),
    ],
)
def test_broken_is_judged_by_the_last_seconds(counts, state):
    assert run_counts(HealthMonitor(), counts).state == state


def test_only_broken_pictures_from_the_start_are_not_called_starting():
    stats = SourceStats(phase="starting", broken_frames=20)
    monitor = HealthMonitor()
    monitor.judge(replace(stats, broken_frames=0), START)
    health = monitor.judge(stats, START + timedelta(seconds=2))
    assert health.state == "broken"
    assert "20 of the last 20 pictures were damaged" in health.detail
