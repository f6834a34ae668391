"""The outbox against a real HTTP server on loopback that fails, lies, or is not there."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from cameras.answers import Answer, EvidenceFirst, LaterAll, LaterThis, Never, Sent, judge_answer
from cameras.backoff import Backoff
from cameras.config import ServiceLink
from cameras.evidence import EvidenceStore
from cameras.messages import ModelNames, departure_message, sighting_message
from cameras.outbox import Outbox, Spooled
from cameras.sender import HealthReport, OutboxSender
from cameras.sinks import ServiceSink
from tests.cameras.fakes import (
    DEADLINE_S,
    KEY,
    START,
    FakeService,
    camera,
    good_reply,
    problem,
    serving,
    sighting,
)


class Station:
    """A spool with a sender, all in one folder."""

    def __init__(self, folder: Path, url: str, clock=time.time):
        self.evidence = EvidenceStore(folder / "evidence")
        self.outbox = Outbox(folder / "outbox.db")
        link = ServiceLink(url, "camera-1", KEY)
        backoff = Backoff(random.Random(1), first_s=0.05, limit_s=0.2)
        self.sender = OutboxSender(self.outbox, self.evidence, link, backoff, clock=clock)

    def put(self, number):
        seen = sighting(seed=number)
        message = sighting_message(
            seen,
            sighting_id=f"sighting-{number}",
            station="demo",
            evidence=self.evidence.keep(seen),
            models=ModelNames("d" * 64, "e" * 64),
        )
        self.outbox.put_sighting(message, START)
        return message

    def close(self):
        self.sender.stop()
        self.outbox.close()


@contextmanager
def station(folder, url, clock=time.time):
    it = Station(folder, url, clock)
    it.sender.start()
    try:
        yield it
    finally:
        it.close()


def paths(service):
    return [(request.method, request.path.split("/")[2]) for request in service.received]


ONE_SIGHTING = [("PUT", "evidence"), ("PUT", "evidence"), ("POST", "sightings")]


def test_a_sighting_arrives_after_its_pictures_all_signed(tmp_path):
    with serving(FakeService()) as service, station(tmp_path, service.url) as lane:
        message = lane.put(1)
        lane.outbox.put_departure(departure_message("sighting-1", START), START)
        assert lane.sender.wait_until(lambda counts: counts.sent == 4, DEADLINE_S)
        assert lane.outbox.counts().waiting == 0
    assert paths(service) == [*ONE_SIGHTING, ("POST", "departures")]
    assert service.bodies("/v1/sightings") == [message]
    assert service.received[0].headers["content-type"] == "image/jpeg"
    assert service.received[2].headers["content-type"] == "application/json"
    assert service.bad_signatures == 0


def test_a_service_behind_a_path_is_signed_with_that_path(tmp_path):
    with serving(FakeService()) as service, station(tmp_path, service.url + "/pay/") as lane:
        lane.put(1)
        assert lane.outbox.wait_until_empty(DEADLINE_S)
    assert service.received[-1].path == "/pay/v1/sightings"
    assert service.bad_signatures == 0


def test_a_service_that_is_down_gets_everything_once_it_is_up_under_the_same_ids(tmp_path, caplog):
    service = FakeService()
    with serving(service):
        pass
    with station(tmp_path, service.url) as lane:
        for number in range(5):
            lane.put(number)
        assert lane.sender.wait_until(lambda counts: bool(counts.failing), DEADLINE_S)
        assert "does not answer" in lane.sender.counts.failing
        assert lane.outbox.counts().waiting == 15
        with serving(service):
            assert lane.sender.wait_until(lambda counts: counts.sent == 15, DEADLINE_S)
        assert lane.sender.counts.failing == ""
    assert [body["sighting_id"] for body in service.bodies("/v1/sightings")] == [
        f"sighting-{number}" for number in range(5)
    ]
    assert caplog.text.count("nothing reaches the service") == 1


def failing_first(times, reply):
    """Answers the first so many requests for sightings with this, then well."""
    left = [times]

    def answer(request):
        if request.path == "/v1/sightings" and left[0] > 0:
            left[0] -= 1
            return reply(request) if callable(reply) else reply
        return good_reply(request)

    return answer


def lie(request):
    return 201, {"Content-Type": "application/json"}, b'{"sighting_id": "another one"}'


def portal(request):
    return 200, {"Content-Type": "text/html"}, b"<html>please log in</html>"


def hang_up(request):
    raise ConnectionAbortedError


@pytest.mark.parametrize(
    "reply",
    [
        (503, {"Content-Type": "text/plain"}, b"busy"),
        (500, {"Content-Type": "text/plain"}, b"oops"),
        problem(429, "too_many"),
        problem(401, "stale_request"),
        problem(401, "replayed_request"),
        problem(403, "wrong_station"),
        (302, {"Location": "http://127.0.0.1:1/"}, b""),
        (404, {"Content-Type": "text/html"}, b"not here"),
        (200, {"Content-Type": "application/json"}, b"{"),
        lie,
        portal,
        hang_up,
    ],
)
def test_whatever_goes_wrong_the_same_sighting_is_sent_again_until_it_is_acknowledged(tmp_path, reply):
    service = FakeService(failing_first(1, reply))
    with serving(service), station(tmp_path, service.url) as lane:
        message = lane.put(1)
        assert lane.outbox.wait_until_empty(DEADLINE_S)
        assert lane.outbox.counts().set_aside == 0
        assert lane.sender.wait_until(lambda counts: counts.retries >= 1, DEADLINE_S)
    assert service.bodies("/v1/sightings") == [message, message]
    nonces = {request.headers["platepay-nonce"] for request in service.received}
    assert len(nonces) == len(service.received)
    assert service.bad_signatures == 0


@pytest.mark.parametrize(
    "code", [(400, "not_json"), (409, "key_reused"), (422, "invalid_fact"), (404, "gone")]
)
def test_what_can_never_succeed_is_set_aside_and_the_next_goes_on(tmp_path, caplog, code):
    service = FakeService(failing_first(1, problem(*code)))
    with serving(service), station(tmp_path, service.url) as lane:
        lane.put(1)
        second = lane.put(2)
        assert lane.outbox.wait_until_empty(DEADLINE_S)
        assert lane.sender.wait_until(lambda found: found.set_aside == 1, DEADLINE_S)
        counts = lane.outbox.counts()
        (kept,) = lane.outbox.set_aside_messages()
    assert (counts.waiting, counts.set_aside, lane.sender.counts.set_aside) == (0, 1, 1)
    assert (kept.message_id, code[1] in kept.error) == ("sighting-1", True)
    assert "sighting sighting-1 is set aside" in caplog.text
    assert service.bodies("/v1/sightings")[-1] == second


def test_a_sighting_that_keeps_failing_does_not_hold_up_the_next(tmp_path):
    def answer(request):
        if request.path == "/v1/sightings" and request.json()["sighting_id"] == "sighting-1":
            return 500, {}, b""
        return good_reply(request)

    service = FakeService(answer)
    with serving(service), station(tmp_path, service.url) as lane:
        lane.put(1)
        lane.put(2)
        assert service.wait_for(
            lambda seen: any(b"sighting-2" in request.body for request in seen if request.method == "POST")
        )
        assert lane.outbox.counts().waiting >= 1


def test_evidence_that_the_service_lost_is_uploaded_again(tmp_path):
    service = FakeService(failing_first(1, problem(422, "evidence_missing")))
    with serving(service), station(tmp_path, service.url) as lane:
        lane.put(1)
        assert lane.outbox.wait_until_empty(DEADLINE_S)
        assert lane.outbox.counts().set_aside == 0
    assert paths(service) == [*ONE_SIGHTING, *ONE_SIGHTING]


def test_a_picture_lost_from_disk_is_set_aside_and_the_sighting_still_sent(tmp_path):
    with serving(FakeService()) as service:
        lane = Station(tmp_path, service.url)
        message = lane.put(1)
        lane.evidence.path(message["evidence"]["crop"]).unlink()
        lane.sender.start()
        assert lane.outbox.wait_until_empty(DEADLINE_S)
        assert [kept.message_id for kept in lane.outbox.set_aside_messages()] == ["sighting-1/crop"]
        lane.close()
    assert service.bodies("/v1/sightings") == [message]


def test_a_worker_that_stops_and_starts_sends_the_rest_under_the_same_ids(tmp_path):
    first = Station(tmp_path, "http://127.0.0.1:9")
    messages = [first.put(number) for number in range(3)]
    first.outbox.close()
    with serving(FakeService()) as service, station(tmp_path, service.url) as second:
        assert second.outbox.wait_until_empty(DEADLINE_S)
    assert service.bodies("/v1/sightings") == messages


WORKER = """
import sys
from pathlib import Path
from cameras.config import CameraConfig, ServiceLink
from cameras.messages import ModelNames
from cameras.sinks import ServiceSink
from tests.cameras.fakes import KEY, sighting

link = ServiceLink(sys.argv[1], "camera-1", KEY)
camera = CameraConfig("lane-1", "demo", "rtsp://127.0.0.1:9/x")
sink = ServiceSink(camera, link, Path(sys.argv[2]), ModelNames("d" * 64, "e" * 64))
for number in range(40):
    sys.stdout.write(sink.sighting(sighting(seed=number)) + "\\n")
    sys.stdout.flush()
sys.stdin.read()
"""


def test_kill_9_of_a_worker_that_is_sending_loses_no_sighting_and_doubles_none(tmp_path):
    root = Path(__file__).parents[2]
    with serving(FakeService()) as service:
        worker = subprocess.Popen(
            [sys.executable, "-c", WORKER, service.url, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
        )
        assert service.wait_for(lambda seen: len(seen) >= 10)
        os.kill(worker.pid, signal.SIGKILL)
        told = worker.communicate()[0].split()
        link = ServiceLink(service.url, "camera-1", KEY)
        sink = ServiceSink(camera("x"), link, tmp_path, ModelNames("d" * 64, "e" * 64))
        assert sink.flush(DEADLINE_S)
        sink.close()
    bodies = service.bodies("/v1/sightings")
    assert set(told) <= {body["sighting_id"] for body in bodies}
    # One may have been on disk before its id was told; what came twice is the same.
    assert len({body["sighting_id"] for body in bodies}) - len(told) in (0, 1)
    assert len({json.dumps(body) for body in bodies}) == len({body["sighting_id"] for body in bodies})
    assert service.bad_signatures == 0


def test_the_latest_health_is_sent_and_older_ones_are_not(tmp_path):
    service = FakeService()
    with serving(service):
        lane = Station(tmp_path, service.url)
        for number in range(3):
            lane.sender.report_health(
                HealthReport("/v1/cameras/lane-1/health", json.dumps({"frames": number}).encode())
            )
        lane.sender.start()
        assert service.wait_for(lambda seen: len(seen) == 1)
        lane.close()
    assert [body["frames"] for body in service.bodies("/v1/cameras/lane-1/health")] == [2]


def test_health_is_not_spooled_while_the_service_is_down(tmp_path):
    with station(tmp_path, "http://127.0.0.1:9") as lane:
        lane.sender.report_health(HealthReport("/v1/cameras/lane-1/health", b"{}"))
        assert lane.outbox.counts().waiting == 0


def test_a_refused_signature_names_the_clock(tmp_path):
    with serving(FakeService(lambda request: problem(401, "stale_request"))) as service:
        lane = Station(tmp_path, service.url, clock=lambda: time.time() + 3600)
        lane.put(1)
        lane.sender.step()
        assert "this machine's clock is +36" in lane.sender.counts.failing
        assert "stale_request" in lane.sender.counts.failing
        lane.close()


def spooled(kind="sighting"):
    return Spooled(1, kind, "s-1", "s-1", "/v1/x", b"{}", "a" * 64, "", 0, "")


def answer(status, body="", content_type="application/json", **more):
    return Answer(status, content_type, body.encode(), **more)


PROBLEM = "application/problem+json"


@pytest.mark.parametrize(
    ("kind", "given", "verdict"),
    [
        ("sighting", answer(201, '{"sighting_id": "s-1"}'), Sent),
        ("sighting", answer(200, '{"sighting_id": "s-1"}'), Sent),
        ("sighting", answer(204), LaterThis),
        ("sighting", answer(201, '{"sighting_id": "s-2"}'), LaterThis),
        ("sighting", answer(201, '["s-1"]'), LaterThis),
        ("evidence", answer(201, '{"sha256": "' + "a" * 64 + '"}'), Sent),
        ("evidence", answer(204), Sent),
        ("evidence", answer(200, "<html>", "text/html"), LaterThis),
        ("departure", answer(200, '{"sighting_id": "s-1"}'), Sent),
        ("departure", answer(200, '{"sighting_id": "s-2"}'), LaterThis),
        ("departure", answer(404, '{"code": "sighting_unknown"}', PROBLEM), Never),
        ("sighting", answer(404, "", "text/html"), LaterThis),
        ("sighting", answer(422, '{"code": "evidence_missing"}', PROBLEM), EvidenceFirst),
        ("departure", answer(422, '{"code": "evidence_missing"}', PROBLEM), Never),
        ("evidence", answer(413), Never),
        ("sighting", answer(301), LaterAll),
        ("sighting", answer(418), LaterThis),
        ("sighting", answer(500), LaterThis),
        ("sighting", answer(502), LaterAll),
        ("sighting", answer(401), LaterAll),
    ],
)
def test_what_an_answer_means(kind, given, verdict):
    assert type(judge_answer(spooled(kind), given)) is verdict


@pytest.mark.parametrize(
    ("header", "after_s"), [("7", 7.0), ("99999", 300.0), ("", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None)]
)
def test_retry_after_is_honoured_within_reason(header, after_s):
    found = judge_answer(spooled(), answer(429, retry_after=header))
    assert isinstance(found, LaterAll)
    assert found.after_s == after_s
