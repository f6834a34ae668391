"""The watch loop with a pipeline and a sink that do as they are told."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from cameras.config import ServiceLink, ZoneConfig
from cameras.errors import CameraWatchedTwice, StreamNotOpened
from cameras.messages import ModelNames
from cameras.rtsp_server import RtspServer
from cameras.sinks import JsonLinesSink, ServiceSink, new_sighting_id, open_sink
from cameras.watch import pipeline_options, watch
from tests.cameras.fakes import (
    DEADLINE_S,
    KEY,
    START,
    FakeService,
    camera,
    picture,
    serving,
    sighting,
    write_film,
)
from vision.types import Departure

ROOT = Path(__file__).parents[2]
MODELS = ModelNames("d" * 64, "e" * 64)


class Scripted:
    """A pipeline that gives these events at these frames, or raises."""

    def __init__(self, events=None, last=()):
        self.events = events or {}
        self.last = list(last)
        self.seen = 0
        self.unread = 2

    def process(self, frame):
        self.seen += 1
        found = self.events.get(self.seen, [])
        if isinstance(found, Exception):
            raise found
        return found

    def flush(self):
        return self.last


class Listing:
    """A sink that lists what it is given; fails as often as it is told."""

    def __init__(self, fails=0, error=None):
        self.fails = fails
        self.error = error or OSError(28, "No space left on device")
        self.taken = []
        self.healths = []
        self.told = threading.Event()

    def sighting(self, seen):
        if self.fails > 0:
            self.fails -= 1
            raise self.error
        self.taken.append(("sighting", seen.track))
        return f"id-{seen.track}"

    def departure(self, sighting_id, left_at):
        self.taken.append(("departure", sighting_id, left_at))

    def health(self, health):
        self.healths.append(health)
        self.told.set()

    def flush(self, timeout_s):
        return True

    def close(self):
        pass


@pytest.fixture
def film(tmp_path):
    return write_film(tmp_path / "a.mp4", [picture(seed) for seed in range(12)])


def run(film, pipeline, sink, **values):
    return watch(camera(film, starts_at=START), pipeline, sink, threading.Event(), **values)


def test_sightings_and_departures_are_handed_on_in_order(film):
    gone = Departure(1, START + timedelta(seconds=9))
    sink = Listing()
    pipeline = Scripted({3: [sighting(1)], 5: [sighting(2), gone]}, [sighting(3), Departure(2, START)])
    report = run(film, pipeline, sink)
    assert sink.taken == [
        ("sighting", 1), ("sighting", 2), ("departure", "id-1", gone.left_at),
        ("sighting", 3), ("departure", "id-2", START),
    ]  # fmt: skip
    assert (report.frames, report.sightings, report.departures) == (12, 3, 2)
    assert (report.failures, report.lost, report.undelivered) == (0, 0, False)
    assert report.unread == 2


def test_a_departure_of_a_track_never_sighted_is_no_message(film):
    sink = Listing()
    run(film, Scripted({3: [Departure(9, START)]}), sink)
    assert sink.taken == []


def test_a_pipeline_that_raises_is_logged_with_its_traceback_counted_and_goes_on(film, caplog):
    sink = Listing()
    report = run(film, Scripted({2: ZeroDivisionError("boom"), 4: [sighting(1)]}), sink)
    assert (report.failures, report.frames, report.sightings) == (1, 12, 1)
    assert "a frame could not be worked on" in caplog.text
    assert "ZeroDivisionError: boom" in caplog.text


def test_a_full_disk_loses_no_sighting(film, caplog):
    sink = Listing(fails=3)
    report = run(film, Scripted({2: [sighting(1), sighting(2)]}), sink)
    assert sink.taken == [("sighting", 1), ("sighting", 2)]
    assert (report.sink_failures, report.lost) == (3, 0)
    assert "No space left" in caplog.text


def test_a_sighting_that_can_never_be_kept_is_counted_and_holds_nothing_up(film):
    sink = Listing(fails=1, error=ValueError("no probability"))
    report = run(film, Scripted({2: [sighting(1), sighting(2)]}), sink)
    assert sink.taken == [("sighting", 2)]
    assert report.lost == 1


def test_a_recording_of_long_ago_is_not_called_silent(film):
    sink = Listing()
    run(film, Scripted(), sink, report_every_s=0.0)
    assert {health.state for health in sink.healths} == {"ok"}
    assert sink.healths[-1].frames == 12


def test_a_missing_file_ends_the_watch_with_its_error(tmp_path):
    with pytest.raises(StreamNotOpened):
        run(tmp_path / "nowhere.mp4", Scripted(), Listing())


def test_stop_ends_a_live_watch_and_what_is_open_becomes_final(film):
    stop = threading.Event()
    sink = Listing()
    with RtspServer(film.parent) as server:
        lane = camera(server.url(film.name))
        reports = []
        worker = threading.Thread(
            target=lambda: reports.append(
                watch(lane, Scripted(last=[sighting(5)]), sink, stop, report_every_s=0.05)
            )
        )
        worker.start()
        assert sink.told.wait(DEADLINE_S)
        server.wait_for_play(film.name, DEADLINE_S)
        stop.set()
        worker.join(DEADLINE_S)
    assert not worker.is_alive()
    assert sink.taken == [("sighting", 5)]
    assert reports[0].stats.phase == "ended"


def test_a_stream_that_is_not_there_is_reported_as_reconnecting(tmp_path):
    stop = threading.Event()

    class Until(Listing):
        def health(self, health):
            super().health(health)
            if health.state == "reconnecting":
                stop.set()

    sink = Until()
    lane = camera("rtsp://user:secret@127.0.0.1:9/x")
    timer = threading.Timer(DEADLINE_S, stop.set)
    timer.start()
    watch(lane, Scripted(), sink, stop, report_every_s=0.05)
    timer.cancel()
    assert "rtsp://user:***@127.0.0.1:9/x does not open: Connection refused" in [
        health.detail.split(" (")[0] for health in sink.healths
    ]


def test_with_a_service_everything_arrives_and_nothing_is_left(film, tmp_path):
    service = FakeService()
    pipeline = Scripted({3: [sighting(1)], 6: [Departure(1, START + timedelta(seconds=3))]})
    with serving(service):
        link = ServiceLink(service.url, "camera-1", KEY)
        sink = ServiceSink(camera(film), link, tmp_path / "data", MODELS, new_id=lambda: "the-id")
        report = run(film, pipeline, sink, report_every_s=0.0)
        assert service.wait_for(lambda seen: any("/health" in request.path for request in seen))
        sink.close()
    assert not report.undelivered
    (message,) = service.bodies("/v1/sightings")
    assert (message["sighting_id"], message["models"]["reader"]) == ("the-id", "e" * 64)
    assert service.bodies("/v1/departures") == [
        {"sighting_id": "the-id", "left_at": "2026-01-05T08:00:03.000000Z"}
    ]
    assert {request.path for request in service.received if request.method == "PUT"} == {
        f"/v1/evidence/{sha256}" for sha256 in message["evidence"].values()
    }
    assert service.bad_signatures == 0


def test_without_a_service_sightings_are_json_lines_with_evidence_on_disk(film, tmp_path):
    out = io.StringIO()
    sink = open_sink(camera(film), None, tmp_path / "data", MODELS, out)
    assert isinstance(sink, JsonLinesSink)
    run(film, Scripted({3: [sighting(1)], 6: [Departure(1, START)]}), sink)
    health, seen, gone = (json.loads(line) for line in out.getvalue().splitlines())
    assert (health["event"], health["state"]) == ("health", "ok")
    assert (seen["event"], seen["text"], seen["pump"]) == ("sighting", "粤B12345", "1")
    assert (gone["event"], gone["sighting_id"]) == ("departure", seen["sighting_id"])
    assert all(sink.evidence.get(sha256) for sha256 in seen["evidence"].values())


def test_a_reader_of_the_lines_that_went_away_ends_the_watch(film):
    with pytest.raises(BrokenPipeError):
        run(film, Scripted({2: [sighting(1)]}), Listing(fails=99, error=BrokenPipeError()))


def test_a_camera_is_watched_by_one_worker_at_a_time(film, tmp_path):
    link = ServiceLink("http://127.0.0.1:9", "camera-1", KEY)
    first = ServiceSink(camera(film), link, tmp_path, MODELS)
    with pytest.raises(CameraWatchedTwice, match="another worker already watches camera 'lane-1'"):
        ServiceSink(camera(film), link, tmp_path, MODELS)
    first.close()
    ServiceSink(camera(film), link, tmp_path, MODELS).close()


def test_a_service_that_cannot_be_reached_does_not_hold_up_the_end_and_loses_nothing(film, tmp_path):
    link = ServiceLink("http://127.0.0.1:9", "camera-1", KEY)
    sink = ServiceSink(camera(film), link, tmp_path, MODELS)
    report = run(film, Scripted({2: [sighting(1)]}), sink, flush_timeout_s=60.0)
    waiting = sink.outbox.counts().waiting
    sink.close()
    assert (report.undelivered, waiting) == (True, 3)


def test_sighting_ids_are_uuid7_and_never_the_same():
    ids = [new_sighting_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert {name[14] for name in ids} == {"7"}


def test_the_camera_says_how_the_pipeline_watches():
    zone = ZoneConfig("1", ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0)))
    options = pipeline_options(camera("x", zones=(zone,), reentry_s=60.0, dwell_s=2.0))
    assert (options.reentry_s, options.dwell_s) == (60.0, 2.0)
    assert [(each.name, each.polygon) for each in options.zones] == [("1", zone.polygon)]
    default = pipeline_options(camera("x"))
    assert default.decide_within_s == type(default)().decide_within_s


WORKER = """
import signal, sys, threading
from cameras.config import CameraConfig
from cameras.messages import ModelNames
from cameras.sinks import open_sink
from cameras.watch import watch
from pathlib import Path

class Pipeline:
    unread = 0
    def process(self, frame):
        return []
    def flush(self):
        return []

stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
camera = CameraConfig("lane-1", "demo", sys.argv[1])
models = ModelNames("d" * 64, "e" * 64)
sink = open_sink(camera, None, Path(sys.argv[2]), models, sys.stdout)
report = watch(camera, Pipeline(), sink, stop, report_every_s=0.05)
print("ended", report.stats.phase, flush=True)
"""


def test_sigterm_ends_a_worker_cleanly(film, tmp_path):
    with RtspServer(film.parent) as server:
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER, server.url(film.name), str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert '"event": "health"' in worker.stdout.readline()
        worker.send_signal(signal.SIGTERM)
        out, _ = worker.communicate(timeout=DEADLINE_S)
    assert worker.returncode == 0
    assert out.splitlines()[-1] == "ended ended"
