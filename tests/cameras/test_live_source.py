"""Live streams over loopback: RTSP from the simulator's server, MJPEG over HTTP."""

from __future__ import annotations

import http.server
import random
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import cv2
import pytest

from cameras.backoff import Backoff
from cameras.live_source import LiveSource
from cameras.rtsp_server import RtspServer
from tests.cameras.fakes import DEADLINE_S, camera, picture, write_film


def numbered(count, width=320, height=180):
    """Pictures with their number written as eight black or white fields along the top."""
    images = []
    for number in range(count):
        image = picture(seed=number, width=width, height=height)
        for bit in range(8):
            left = bit * width // 8
            image[: height // 5, left : left + width // 8] = 230 if number >> bit & 1 else 20
        images.append(image)
    return images


def number_of(image):
    height, width = image.shape[:2]
    field = width // 8
    return sum(
        (image[: height // 6, bit * field + 6 : bit * field + field - 6].mean() > 125) << bit
        for bit in range(8)
    )


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    write_film(folder / "short.mp4", numbered(30))
    write_film(folder / "long.mp4", numbered(100))
    write_film(folder / "fast.mp4", numbered(90), rate=30)
    return folder


def quick(url, **values):
    backoff = Backoff(random.Random(3), first_s=0.05, limit_s=0.3)
    return LiveSource(camera(url, **values), backoff=backoff, open_timeout_s=5.0, read_timeout_s=2.0)


@contextmanager
def source_of(url, **values):
    source = quick(url, **values)
    try:
        yield source
    finally:
        source.close()


def take(source, count, timeout_s=DEADLINE_S):
    frames = []
    end = time.monotonic() + timeout_s
    while len(frames) < count and time.monotonic() < end:
        frame = source.read(0.5)
        if frame is not None:
            frames.append(frame)
    assert len(frames) == count, source.stats
    return frames


def test_rtsp_capture_times_are_monotone_and_those_of_the_stream(films):
    with RtspServer(films) as server, source_of(server.url("long.mp4")) as source:
        frames = take(source, 25)
        zero_s = server.wait_for_play("long.mp4", 1.0)
        zero = datetime.now(UTC) - timedelta(seconds=time.monotonic() - zero_s)
    times = [frame.captured_at for frame in frames]
    assert times == sorted(set(times))
    late = frames[10:]
    errors = [(frame.captured_at - zero).total_seconds() - number_of(frame.image) / 10 for frame in late]
    assert max(abs(error) for error in errors) < 0.15, errors
    steps = [(b.captured_at - a.captured_at).total_seconds() for a, b in pairwise(late)]
    assert all(abs(step * 10 - round(step * 10)) < 0.2 for step in steps), steps
    assert all(frame.captured_at.tzinfo is UTC for frame in frames)


def test_rtsp_opens_at_once_and_tells_what_it_sees(films):
    with RtspServer(films) as server, source_of(server.url("long.mp4")) as source:
        begin = time.monotonic()
        (frame,) = take(source, 1)
        assert time.monotonic() - begin < 3.0
        assert frame.image.shape == (180, 320, 3)
        assert frame.camera == "lane-1"
        stats = source.stats
        assert (stats.phase, stats.width, stats.height, stats.reconnects) == ("connected", 320, 180, 0)


def test_a_killed_and_restarted_server_is_found_again(films):
    server = RtspServer(films)
    server.start()
    port = server.port
    with source_of(server.url("long.mp4")) as source:
        before = take(source, 3)[-1]
        server.close()
        assert source.wait_until(lambda stats: stats.phase == "reconnecting", DEADLINE_S)
        assert "broke off" in source.stats.detail or "does not open" in source.stats.detail
        with RtspServer(films, port=port):
            assert source.wait_until(lambda stats: stats.reconnects == 1, DEADLINE_S)
            after = take(source, 2)[-1]
            assert source.stats.detail == ""
    assert after.captured_at > before.captured_at
    assert after.number > before.number


def test_a_dropped_connection_is_opened_again(films):
    with RtspServer(films) as server, source_of(server.url("long.mp4")) as source:
        take(source, 2)
        server.drop_clients()
        assert source.wait_until(lambda stats: stats.reconnects == 1, DEADLINE_S), source.stats


def test_a_wrong_path_is_a_clear_error(films):
    with RtspServer(films) as server:
        url = server.url("nowhere.mp4").replace("rtsp://", "rtsp://user:secret@")
        with source_of(url) as source:
            assert source.wait_until(lambda stats: stats.failed_attempts >= 2, DEADLINE_S)
            stats = source.stats
            assert source.read(0.0) is None
    assert stats.phase == "reconnecting"
    assert "user:***@127.0.0.1" in stats.detail
    assert "nowhere.mp4 does not open: Server returned 404 Not Found" in stats.detail
    assert "secret" not in stats.detail


def test_nobody_there_is_a_clear_error():
    with RtspServer(Path()) as server:
        url = server.url("x.mp4")
    with source_of(url) as source:
        assert source.wait_until(lambda stats: stats.failed_attempts >= 1, DEADLINE_S)
        assert "Connection refused" in source.stats.detail


def test_a_slow_consumer_drops_old_frames_and_stays_near_live(films):
    with RtspServer(films) as server, source_of(server.url("fast.mp4"), frames_per_second=30) as source:
        take(source, 1)
        assert source.wait_until(lambda stats: stats.frames >= 30, DEADLINE_S)
        frame = source.read(1.0)
        age_s = (datetime.now(UTC) - frame.captured_at).total_seconds()
        assert source.stats.dropped >= 20
        assert frame.number >= 28
        assert age_s < 0.6


def test_a_stream_faster_than_wanted_is_thinned_by_capture_time(films):
    with RtspServer(films) as server, source_of(server.url("fast.mp4"), frames_per_second=10) as source:
        frames = take(source, 12)
        stats = source.stats
    span_s = (frames[-1].captured_at - frames[2].captured_at).total_seconds()
    assert 9 / span_s == pytest.approx(10, rel=0.25)
    assert stats.thinned >= 12


def test_a_film_that_holds_goes_on_with_its_last_second_and_growing_times(films):
    with RtspServer(films) as server, source_of(server.url("short.mp4")) as source:
        assert source.wait_until(lambda stats: stats.frames >= 34, DEADLINE_S)
        frames = take(source, 3)
        assert source.stats.reconnects == 0
    assert all(20 <= number_of(frame.image) < 30 for frame in frames)


def test_a_client_that_comes_late_sees_what_happens_then(films):
    with RtspServer(films) as server:
        with source_of(server.url("long.mp4")) as source:
            assert source.wait_until(lambda stats: stats.frames >= 15, DEADLINE_S)
        with source_of(server.url("long.mp4")) as source:
            (frame,) = take(source, 1)
    assert number_of(frame.image) >= 15


def test_a_film_that_ends_is_opened_again(films):
    with (
        RtspServer(films, at_end="end", shared_clock=False) as server,
        source_of(server.url("short.mp4")) as source,
    ):
        assert source.wait_until(lambda stats: stats.reconnects == 1, DEADLINE_S), source.stats


def test_a_changed_resolution_after_reconnect_is_counted_and_the_frames_go_on(tmp_path):
    film = write_film(tmp_path / "x.mp4", numbered(60))
    with RtspServer(tmp_path) as server, source_of(server.url("x.mp4")) as source:
        assert take(source, 2)[-1].image.shape == (180, 320, 3)
        write_film(film, numbered(60, 640, 360))
        server.drop_clients()
        assert source.wait_until(lambda stats: stats.size_changes == 1, DEADLINE_S), source.stats
        assert take(source, 2)[-1].image.shape == (360, 640, 3)


def test_closing_ends_a_waiting_reader_at_once(films):
    with RtspServer(films) as server:
        source = quick(server.url("nowhere.mp4"))
        got = []
        reader = threading.Thread(target=lambda: got.append(list(source)))
        reader.start()
        assert source.wait_until(lambda stats: stats.phase == "reconnecting", DEADLINE_S)
        source.close()
        reader.join(2.0)
    assert got == [[]]
    assert source.stats.phase == "ended"


class Mjpeg:
    """A tiny camera that sends JPEGs one after the other, at most as many as wanted."""

    def __init__(self, pictures):
        self.pictures = pictures
        self.go_on = threading.Event()

    @contextmanager
    def serving(self):
        camera_self = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                self.end_headers()
                try:
                    for data in camera_self.pictures:
                        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                        self.wfile.write(head.encode() + data + b"\r\n")
                        self.wfile.flush()
                        camera_self.go_on.wait(0.04)
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/video"
        finally:
            self.go_on.set()
            server.shutdown()
            server.server_close()


def jpeg(image):
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def test_mjpeg_over_http_gets_its_times_of_arrival():
    images = [jpeg(image) for image in numbered(100)]
    with Mjpeg(images).serving() as url, source_of(url, frames_per_second=60) as source:
        frames = take(source, 8)
        age_s = (datetime.now(UTC) - frames[-1].captured_at).total_seconds()
    assert 0 <= age_s < 0.5
    steps = [(b.captured_at - a.captured_at).total_seconds() for a, b in pairwise(frames)]
    assert min(steps) > 0
    assert frames[0].image.shape == (180, 320, 3)


def test_broken_jpegs_of_a_stream_are_counted_and_not_passed_on():
    images = [jpeg(image) for image in numbered(100)]
    for index in (5, 6, 9):
        images[index] = images[index][: len(images[index]) // 2]
    with Mjpeg(images).serving() as url, source_of(url, frames_per_second=60) as source:
        assert source.wait_until(lambda stats: stats.broken_frames >= 3, DEADLINE_S), source.stats
        assert source.wait_until(lambda stats: stats.frames >= 12, DEADLINE_S), source.stats
        assert source.stats.broken_frames == 3


def test_a_resolution_that_changes_within_the_stream_is_counted():
    images = [jpeg(image) for image in [*numbered(6), *numbered(100, 640, 360)]]
    with Mjpeg(images).serving() as url, source_of(url, frames_per_second=60) as source:
        assert source.wait_until(lambda stats: stats.size_changes == 1, DEADLINE_S), source.stats
        assert take(source, 1)[0].image.shape == (360, 640, 3)


def test_http_that_is_no_video_is_a_clear_error():
    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html>log in</html>")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with source_of(f"http://127.0.0.1:{server.server_address[1]}/") as source:
            assert source.wait_until(lambda stats: stats.failed_attempts >= 1, DEADLINE_S)
            assert "does not open" in source.stats.detail
    finally:
        server.shutdown()
        server.server_close()
