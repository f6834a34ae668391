"""Requests of cameras and pumps: forged, replayed, late, changed, from the wrong device."""

from __future__ import annotations

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

ASK = {"station": "demo", "pump": "1"}


def ask(service: Any, **wrong: Any) -> Any:
    return service.pump.post("/v1/authorisations", ASK, **wrong)


def test_a_signed_request_is_answered(shared: Any) -> None:
    answer = ask(shared)
    assert answer.status_code == 200
    closed = {"authorised": False, "limit_fen": 0, "visit_id": None, "limit_litres": None, "grades": None}
    assert answer.json() == closed


@pytest.mark.parametrize(
    "header", ["Platepay-Device", "Platepay-Timestamp", "Platepay-Nonce", "Platepay-Signature"]
)
@pytest.mark.parametrize("value", ["", "läuft nicht"])
def test_a_missing_or_malformed_header_is_named(shared: Any, refused: Any, header: str, value: str) -> None:
    answer = ask(shared, headers={header: value.encode()})
    assert header in refused(answer, 401, "unsigned_request")["detail"]


def test_an_unsigned_request_is_refused_whatever_its_body(shared: Any, refused: Any) -> None:
    refused(shared.http.post("/v1/sales", json={"amount_fen": 1.5}), 401, "unsigned_request")
    refused(shared.http.post("/v1/sightings", json={}), 401, "unsigned_request")


def test_an_unknown_device_is_refused(shared: Any, refused: Any) -> None:
    refused(ask(shared, device="pump-99"), 401, "unknown_device")


def test_a_disabled_device_is_refused(service: Any, refused: Any) -> None:
    service.parts.access.disable_device("pump-1", service.clock())
    refused(ask(service), 401, "unknown_device")


def test_an_old_key_stops_working_when_it_is_renewed(service: Any, refused: Any) -> None:
    service.parts.access.renew_device_key("pump-1")
    refused(ask(service), 401, "bad_signature")
    assert ask(service, key=service.parts.devices.key_of("pump-1").encode()).status_code == 200


@pytest.mark.parametrize(
    "forged",
    [
        {"key": b"f" * 64},
        {"signed_method": "PUT"},
        {"signed_path": "/v1/sales"},
        {"signed_path": "/v1/authorisations?pump=2"},
        {"signed_body": b'{"station": "demo", "pump": "2"}'},
        {"headers": {"Platepay-Nonce": "0" * 32}},
        {"headers": {"Platepay-Device": "cam-1"}},
        {"headers": {"Platepay-Signature": "0" * 64}},
    ],
)
def test_what_is_changed_after_signing_is_refused(shared: Any, refused: Any, forged: dict[str, Any]) -> None:
    refused(ask(shared, **forged), 401, "bad_signature")


def test_a_query_put_on_a_signed_path_is_refused(shared: Any, refused: Any) -> None:
    answer = shared.pump.send("POST", "/v1/authorisations?x=1", ASK, signed_path="/v1/authorisations")
    refused(answer, 401, "bad_signature")


@pytest.mark.parametrize("seconds_off", [-301, 302])
def test_a_request_outside_the_window_is_refused(shared: Any, refused: Any, seconds_off: int) -> None:
    body = refused(ask(shared, timestamp=int(time.time()) + seconds_off), 401, "stale_timestamp")
    assert 299 <= body["seconds_off"] <= 303


@pytest.mark.parametrize("seconds_off", [-290, 290])
def test_a_clock_a_little_off_is_borne(shared: Any, seconds_off: int) -> None:
    assert ask(shared, timestamp=int(time.time()) + seconds_off).status_code == 200


def test_a_replayed_request_is_refused(shared: Any, refused: Any) -> None:
    same = {"nonce": secrets.token_hex(16), "timestamp": int(time.time())}
    assert ask(shared, **same).status_code == 200
    refused(ask(shared, **same), 401, "replayed_request")


def test_a_nonce_of_one_device_is_free_for_another(shared: Any) -> None:
    nonce = secrets.token_hex(16)
    other = shared.device("pump-other", "pump")
    assert ask(shared, nonce=nonce).status_code == 200
    assert other.post("/v1/authorisations", ASK, nonce=nonce).status_code == 200


def test_a_forged_request_does_not_use_up_a_nonce(shared: Any, refused: Any) -> None:
    nonce = secrets.token_hex(16)
    refused(ask(shared, nonce=nonce, key=b"f" * 64), 401, "bad_signature")
    assert ask(shared, nonce=nonce).status_code == 200


def test_of_one_request_sent_twenty_times_at_once_one_is_believed(shared: Any) -> None:
    same = {"nonce": secrets.token_hex(16), "timestamp": int(time.time())}
    with ThreadPoolExecutor(20) as pool:
        codes = [answer.status_code for answer in pool.map(lambda _: ask(shared, **same), range(20))]
    assert sorted(codes) == [200] + [401] * 19


def test_a_nonce_outlives_the_window(service: Any, refused: Any) -> None:
    same = {"nonce": secrets.token_hex(16), "timestamp": int(time.time()) + 299}
    assert ask(service, **same).status_code == 200
    service.clock.forward(seconds=590)
    service.parts.access.forget_expired(service.clock())
    refused(ask(service, **same), 401, "replayed_request")


def test_a_camera_may_not_sell_and_a_pump_not_see(shared: Any, refused: Any) -> None:
    body = refused(shared.camera.post("/v1/sales", shared.sale()), 403, "wrong_role")
    assert body["needed"] == "pump"
    refused(shared.camera.post("/v1/authorisations", ASK), 403, "wrong_role")
    refused(shared.pump.post("/v1/sightings", shared.sighting()), 403, "wrong_role")
    refused(shared.pump.send("PUT", f"/v1/evidence/{'0' * 64}", b"x"), 403, "wrong_role")


def test_a_device_speaks_for_its_own_station_only(shared: Any, refused: Any) -> None:
    elsewhere = {"station": "elsewhere"}
    body = refused(shared.pump.post("/v1/sales", shared.sale(**elsewhere)), 403, "wrong_station")
    assert body["own_station"] == "demo"
    refused(shared.pump.post("/v1/authorisations", {**ASK, **elsewhere}), 403, "wrong_station")
    refused(shared.camera.post("/v1/sightings", shared.sighting(**elsewhere)), 403, "wrong_station")
    health = {
        "station": "elsewhere", "state": "ok", "frames": 1, "dropped": 0, "broken_frames": 0, "reconnects": 0,
        "last_frame_at": None, "width": None, "height": None, "detail": None,
    }  # fmt: skip
    refused(shared.camera.post("/v1/cameras/lane-1/health", health), 403, "wrong_station")


def test_a_departure_seen_by_another_station_is_refused(shared: Any, refused: Any) -> None:
    seen = shared.arrive("鲁Q4D635")
    elsewhere = shared.device("cam-elsewhere", "camera", station="elsewhere")
    left = {"sighting_id": seen["sighting_id"], "left_at": "2026-11-21T08:00:00Z"}
    refused(elsewhere.post("/v1/departures", left), 403, "wrong_station")


def test_a_device_may_not_do_an_operators_work(shared: Any, refused: Any) -> None:
    refused(shared.pump.send("GET", "/v1/accounts"), 401, "not_signed_in")
