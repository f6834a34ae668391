"""From a camera's sighting to money reserved, over HTTP."""

from __future__ import annotations

import hashlib
import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import uuid_utils


def test_a_registered_car_gets_a_visit_and_a_hold(service: Any) -> None:
    account_id = service.account()
    answer = service.arrive("粤B12345")
    assert answer["match"]["outcome"] == "auto"
    assert answer["match"]["account_id"] == account_id
    assert answer["match"]["plate"] == "粤B12345"
    wallet = service.wallet(account_id)
    assert wallet["held_fen"] == 40_000
    assert wallet["available_fen"] == 60_000
    visit = service.operator.get(f"/v1/visits/{answer['visit_id']}").json()
    assert visit["state"] == "open"
    assert visit["hold_fen"] == 40_000
    asked = service.pump.post("/v1/authorisations", {"station": "demo", "pump": "1"}).json()
    assert asked == {
        "authorised": True,
        "limit_fen": 40_000,
        "visit_id": answer["visit_id"],
        "limit_litres": None,
        "grades": None,
    }


@pytest.mark.parametrize(
    ("text", "changes", "outcome", "reason"),
    [
        ("鲁Q4D635", {}, "none", "not_registered"),
        (None, {"wrong_ppm": 1_000_000}, "review", "not_readable"),
        (None, {"wrong_ppm": 1_000_000, "pump": None}, "none", "not_readable"),
        ("粤B12345", {"colour": "green"}, "review", "colour_differs"),
        ("粤B12345", {"wrong_ppm": 200_000}, "review", "unsure_reading"),
    ],
)
def test_without_certainty_no_money_moves(
    shared: Any, text: str | None, changes: dict[str, Any], outcome: str, reason: str
) -> None:
    accounts = shared.operator.get("/v1/accounts").json()["accounts"]
    account_id = accounts[0]["account_id"] if accounts else shared.account()
    answer = shared.arrive(text, **changes)
    assert answer["match"]["outcome"] == outcome
    assert reason in [one["code"] for one in answer["match"]["reasons"]]
    assert all(one["text"] for one in answer["match"]["reasons"])
    assert answer["visit_id"] is None
    assert shared.wallet(account_id)["held_fen"] == 0


def test_a_car_with_too_little_balance_is_for_review(service: Any) -> None:
    account_id = service.account(fen=1_000)
    answer = service.arrive()
    assert answer["match"]["outcome"] == "review"
    assert [one["code"] for one in answer["match"]["reasons"]] == ["insufficient_balance"]
    assert service.wallet(account_id)["held_fen"] == 0


def test_the_same_sighting_again_gets_the_first_answer(service: Any) -> None:
    account_id = service.account()
    message = service.sighting()
    first = service.camera.post("/v1/sightings", message)
    again = service.camera.post("/v1/sightings", message)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert service.wallet(account_id)["held_fen"] == 40_000


def test_the_same_sighting_with_another_body_is_refused(service: Any, refused: Any) -> None:
    message = service.sighting()
    assert service.camera.post("/v1/sightings", message).status_code == 201
    refused(service.camera.post("/v1/sightings", {**message, "looks": 9}), 409, "key_reused")


def test_one_sighting_twenty_times_at_once_is_one_visit(service: Any) -> None:
    account_id = service.account()
    message = service.sighting()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: service.camera.post("/v1/sightings", message), range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.json()["visit_id"] for answer in answers}) == 1
    assert service.wallet(account_id)["held_fen"] == 40_000
    assert len(service.operator.get("/v1/visits").json()["visits"]) == 1


def test_two_cameras_seeing_one_car_reserve_once(service: Any) -> None:
    account_id = service.account()
    first = service.arrive(camera="lane-1")
    second = service.arrive(camera="lane-2", pump="1")
    assert first["visit_id"] == second["visit_id"]
    assert service.wallet(account_id)["held_fen"] == 40_000


def test_a_car_that_leaves_without_fuel_gets_its_money_back(service: Any, tools: Any) -> None:
    account_id = service.account()
    seen = service.arrive()
    left = {"sighting_id": seen["sighting_id"], "left_at": tools.rfc3339(service.clock())}
    assert service.camera.post("/v1/departures", left).json() == {"sighting_id": seen["sighting_id"]}
    service.clock.forward(minutes=6)
    service.parts.janitor.round()
    assert service.wallet(account_id)["held_fen"] == 0
    assert service.operator.get(f"/v1/visits/{seen['visit_id']}").json()["end"] == "left_without_sale"


def test_the_janitor_works_by_itself(start: Any, tools: Any) -> None:
    service = start(janitor_every_s=1, longest_stay_s=60)
    account_id = service.account()
    service.arrive()
    service.clock.forward(minutes=10)
    tools.until(lambda: service.wallet(account_id)["held_fen"] == 0)


def test_the_departure_of_an_unknown_sighting_is_refused(shared: Any, refused: Any) -> None:
    left = {"sighting_id": str(uuid_utils.uuid7()), "left_at": "2026-11-21T08:00:00Z"}
    refused(shared.camera.post("/v1/departures", left), 404, "sighting_unknown")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"positions": []}, "body"),
        ({"colour": "pink"}, "colour"),
        ({"wrong_ppm": -1}, "wrong_ppm"),
        ({"wrong_ppm": 1_000_001}, "wrong_ppm"),
        ({"wrong_ppm": "300"}, "wrong_ppm"),
        ({"wrong_ppm": True}, "wrong_ppm"),
        ({"looks": None}, "looks"),
        ({"sighting_id": "1"}, "sighting_id"),
        ({"station": "a\nb"}, "station"),
        ({"first_seen_at": "2026-11-21T08:00:00"}, "first_seen_at"),
        ({"first_seen_at": 1_763_712_000}, "first_seen_at"),
        ({"first_seen_at": "2026-11-21T23:59:00Z", "last_seen_at": "2026-11-21T08:00:00Z"}, "body"),
        ({"positions": [[["粤粤", 5]]]}, "positions"),
        ({"positions": [[]] * 7}, "positions"),
        ({"evidence": {"frame": "x", "crop": "y"}}, "evidence"),
        ({"speed": 50}, "speed"),
    ],
)
def test_a_sighting_that_does_not_fit_names_the_field(
    shared: Any, refused: Any, change: dict[str, Any], field: str
) -> None:
    before = len(shared.operator.get("/v1/sightings", limit=500).json()["sightings"])
    body = refused(shared.camera.post("/v1/sightings", shared.sighting(**change)), 422, "invalid_request")
    assert any(problem["field"].startswith(field) for problem in body["problems"]), body
    assert all(problem["message"] for problem in body["problems"])
    assert len(shared.operator.get("/v1/sightings", limit=500).json()["sightings"]) == before


def test_a_float_in_a_sighting_is_refused_by_field(shared: Any, refused: Any) -> None:
    positions = [[["粤", 0.99]]]
    body = refused(
        shared.camera.post("/v1/sightings", shared.sighting(positions=positions)), 422, "float_for_money"
    )
    assert body["field"] == "positions.0.0.1"


def test_a_sighting_whose_picture_is_missing_is_refused_and_taken_later(
    shared: Any, refused: Any, tools: Any
) -> None:
    content = tools.jpeg(secrets.token_hex(8))
    sha256 = hashlib.sha256(content).hexdigest()
    message = shared.sighting("鲁Q4D635")
    message["evidence"]["crop"] = sha256
    body = refused(shared.camera.post("/v1/sightings", message), 422, "evidence_missing")
    assert (body["kind"], body["sha256"]) == ("crop", sha256)
    assert shared.camera.send("PUT", f"/v1/evidence/{sha256}", content).status_code == 201
    assert shared.camera.post("/v1/sightings", message).status_code == 201


def test_evidence_is_kept_once_and_shown_to_operators_only(shared: Any, refused: Any, tools: Any) -> None:
    content = tools.jpeg(secrets.token_hex(8))
    sha256 = hashlib.sha256(content).hexdigest()
    path = f"/v1/evidence/{sha256}"
    assert shared.camera.send("PUT", path, content).status_code == 201
    assert shared.camera.send("PUT", path, content).status_code == 200
    refused(shared.http.get(path), 401, "not_signed_in")
    refused(shared.camera.send("GET", path), 401, "not_signed_in")
    shown = shared.operator.get(path)
    assert shown.content == content
    assert shown.headers["content-type"] == "image/jpeg"
    assert shown.headers["x-content-type-options"] == "nosniff"
    looks = shared.parts.access.looks(sha256)
    assert [look.purpose for look in looks] == ["picture"]
    assert looks[0].operator_id == shared.parts.access.operator("wang").id


def test_evidence_under_a_wrong_name_is_refused(shared: Any, refused: Any, tools: Any) -> None:
    wrong = "0" * 64
    body = refused(
        shared.camera.send("PUT", f"/v1/evidence/{wrong}", tools.jpeg("x")), 422, "evidence_differs"
    )
    assert body["named"] == wrong
    refused(shared.operator.get(f"/v1/evidence/{wrong}"), 404, "evidence_unknown")


@pytest.mark.parametrize(
    "content", [b"", b"<svg onload=alert(1)>", b"\xff\xd8\xff\xe0 cut off", b"\x89PNG\r\n"]
)
def test_what_is_no_jpeg_is_refused(shared: Any, refused: Any, content: bytes) -> None:
    sha256 = hashlib.sha256(content).hexdigest()
    refused(shared.camera.send("PUT", f"/v1/evidence/{sha256}", content), 422, "evidence_not_jpeg")
    refused(shared.operator.get(f"/v1/evidence/{sha256}"), 404, "evidence_unknown")


def test_a_picture_above_the_limit_is_refused(shared: Any, refused: Any, tools: Any) -> None:
    small = tools.jpeg("big")
    fits = small + b"\x00" * (2 * 1024 * 1024 - len(small) - 2) + b"\xff\xd9"
    for content, code in ((fits, 201), (fits + b"\x00", 413)):
        sha256 = hashlib.sha256(content).hexdigest()
        answer = shared.camera.send("PUT", f"/v1/evidence/{sha256}", content)
        assert answer.status_code == code, answer.text
    refused(answer, 413, "payload_too_large")


@pytest.mark.parametrize("name", ["..%2f..%2fsecret.key", "A" * 64, "0" * 63])
def test_evidence_names_are_hashes_only(shared: Any, name: str) -> None:
    assert shared.operator.get(f"/v1/evidence/{name}").status_code in (404, 422)


def test_cameras_tell_how_they_are(service: Any, tools: Any) -> None:
    health = {
        "station": "demo", "state": "ok", "frames": 100, "dropped": 2, "broken_frames": 1, "reconnects": 3,
        "last_frame_at": tools.rfc3339(service.clock() - timedelta(seconds=7)), "width": 1280, "height": 720,
        "detail": None,
    }  # fmt: skip
    told = service.camera.post("/v1/cameras/lane-1/health", health)
    assert told.json() == {"camera": "lane-1", "state": "ok"}
    shown = service.operator.get("/v1/health").json()
    assert shown["state"] == "ok"
    assert shown["janitor"]["running"] is True
    [camera] = shown["cameras"]
    assert (camera["camera"], camera["frames"], camera["reconnects"]) == ("lane-1", 100, 3)
    assert 6 <= camera["last_frame_age_s"] <= 9
    service.camera.post("/v1/cameras/lane-1/health", {**health, "state": "black"})
    assert service.operator.get("/v1/health").json()["state"] == "degraded"
