"""The lane of sightings and sales: it reads what the schema reads, and refuses nothing itself."""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import event

from api import hot_lane, hot_messages
from api.errors import ApiError
from api.hot_lane import _Arrivals
from api.schemas.devices import SIGHTING, DepartureMessage, SaleMessage, SightingMessage
from api.schemas.fields import time_text
from api.whole_numbers import refuse_floats
from wallet.money import parse_litres

SALE = {
    "sale_id": "demo-1-000042", "station": "demo", "pump": "1", "grade": "92", "litres": "31.25",
    "unit_price_fen": 785, "amount_fen": 24531, "started_at": "2026-11-21T08:01:00Z",
    "ended_at": "2026-11-21T08:03:10.5Z",
}  # fmt: skip
DEPARTURE = {"sighting_id": SIGHTING["sighting_id"], "left_at": "2026-11-21T08:04:10.020Z"}
VALUES: list[Any] = [
    None, True, 0, -1, 1.0, 10**13, "", "x", "粤", "粤B12345", "a/b", "1" * 70, "demo\n", "é",
    "2026-11-21T08:00:00", "2026-11-21T08:00:00Z", "2026-11-21T08:00:00.1234567Z",
    "2026-11-21T09:00:00+01:00", "1999-11-21T08:00:00Z", "2026-02-30T08:00:00Z",
    "-1.5", "1.2345", [], [[]], {}, "a" * 64, "A" * 64, [["粤", 5]], 785, 1_000_001,
]  # fmt: skip


def _ordinary(kind: Any, body: bytes) -> Any | None:
    """What the ordinary way reads, or None where it refuses."""
    try:
        refuse_floats(body)
        return kind.model_validate_json(body)
    except (ApiError, ValidationError):
        return None


def _plain(value: Any) -> Any:
    """The fields of either kind of message."""
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    names = getattr(type(value), "model_fields", None) or getattr(value, "__struct_fields__", None)
    return {name: _plain(getattr(value, name)) for name in names} if names else value


def _changed(message: dict[str, Any], chance: Random) -> bytes:
    """The message with something wrong or unusual in it, somewhere."""
    changed = json.loads(json.dumps(message))
    place: Any = changed
    for _ in range(chance.randint(0, 4)):
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        inner = [key for key in keys if isinstance(place[key], dict | list) and place[key]]
        if not inner:
            break
        place = place[chance.choice(inner)]
    keys = list(place) if isinstance(place, dict) else list(range(len(place)))
    key = chance.choice(keys)
    match chance.randrange(4):
        case 0:
            del place[key]
        case 1 if isinstance(place, dict):
            place["more"] = 1
        case _:
            place[key] = chance.choice(VALUES)
    text = json.dumps(changed, ensure_ascii=chance.random() < 0.5, indent=chance.choice([None, 1]))
    if chance.random() < 0.3:
        name = chance.choice(list(message))
        text = text[:-1].rstrip() + f', "{name}" : {json.dumps(message[name])}}}'
    return text.encode()


@pytest.mark.parametrize(
    ("kind", "message", "read"),
    [
        (SightingMessage, SIGHTING, hot_messages.sighting_of),
        (DepartureMessage, DEPARTURE, hot_messages.departure_of),
        (SaleMessage, SALE, hot_messages.sale_of),
    ],
)
def test_what_the_lane_reads_the_schema_reads_alike(kind: Any, message: dict[str, Any], read: Any) -> None:
    chance = Random(20261122)
    bodies = [json.dumps(message).encode(), *(_changed(message, chance) for _ in range(4_000))]
    taken = 0
    for body in bodies:
        found = read(body)
        if found is None:
            continue
        taken += 1
        wanted = _ordinary(kind, body)
        assert wanted is not None, body
        if kind is not SaleMessage:
            assert _plain(found) == _plain(wanted), body
        else:
            assert found.litres_ml == parse_litres(wanted.litres)
            assert all(getattr(found, name) == getattr(wanted, name) for name in SALE if name != "litres")
    # Most changes are refused; those that are harmless are not.
    assert taken > 50


def test_the_usual_messages_are_read_in_the_lane() -> None:
    assert hot_messages.sighting_of(json.dumps(SIGHTING, ensure_ascii=False).encode()) is not None
    assert hot_messages.departure_of(json.dumps(DEPARTURE).encode()) is not None
    assert hot_messages.sale_of(json.dumps(SALE).encode()) is not None


@pytest.mark.parametrize(
    ("kind", "hot"),
    [
        (SightingMessage, hot_messages.HotSighting),
        (DepartureMessage, hot_messages.HotDeparture),
        (SaleMessage, hot_messages.HotSale),
    ],
)
def test_the_lane_knows_every_field_of_the_schema(kind: Any, hot: Any) -> None:
    assert set(hot.__struct_fields__) == set(kind.model_fields)


@pytest.fixture
def lanes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses that were asked and went the ordinary way after all."""
    seen: list[str] = []
    again = hot_lane._again

    def counted(body: bytes, receive: Any) -> Any:
        seen.append("ordinary")
        return again(body, receive)

    monkeypatch.setattr(hot_lane, "_again", counted)
    return seen


def _commits(service: Any) -> list[int]:
    found: list[int] = []
    event.listen(service.parts.wallet.engine, "commit", lambda _: found.append(1))
    return found


def test_a_sighting_and_its_nonce_are_one_commit(service: Any, lanes: list[str]) -> None:
    service.account()
    service.arrive("鲁Q4D635")
    lanes.clear()
    message, sale = service.sighting(), service.sale()
    service.pump.post("/v1/authorisations", {"station": "demo", "pump": "1"})
    commits = _commits(service)
    seen = service.camera.post("/v1/sightings", message)
    assert (seen.status_code, seen.json()["match"]["outcome"]) == (201, "auto")
    sold = service.pump.post("/v1/sales", sale)
    assert (sold.status_code, sold.json()["state"]) == (201, "captured")
    assert (len(commits), lanes) == (2, [])


def test_the_lane_answers_as_the_ordinary_way(service: Any, lanes: list[str]) -> None:
    service.account()
    service.arrive("鲁Q4D635")
    lanes.clear()
    message = service.sighting()
    hot = service.camera.post("/v1/sightings", message)
    assert lanes == []
    # Told that it is UTF-8, the same request is unusual.
    ordinary = service.camera.post("/v1/sightings", message, content_type="application/json; charset=utf-8")
    assert (hot.status_code, ordinary.status_code) == (201, 200)
    assert hot.content == ordinary.content
    assert set(ordinary.headers) == set(hot.headers)
    assert hot.headers["content-type"] == ordinary.headers["content-type"]


def test_a_departure_in_the_lane_ends_the_stay_as_the_ordinary_way_does(
    service: Any, lanes: list[str], refused: Any
) -> None:
    service.account()
    service.arrive("鲁Q4D635")
    seen = service.arrive()
    lanes.clear()
    service.clock.forward(minutes=4)
    left = {"sighting_id": seen["sighting_id"], "left_at": time_text(service.clock())}
    commits = _commits(service)
    hot = service.camera.post("/v1/departures", left)
    assert (hot.status_code, lanes, len(commits)) == (200, [], 1)
    ordinary = service.camera.post("/v1/departures", left, content_type="application/json; charset=utf-8")
    assert (ordinary.status_code, ordinary.content) == (200, hot.content)
    [visit] = service.operator.get("/v1/visits").json()["visits"]
    assert visit["left_at"] is not None
    # What is refused is refused by the ordinary way, in its words, and uses up its nonce.
    later = {**left, "left_at": time_text(service.clock() + timedelta(seconds=1))}
    unknown = {**left, "sighting_id": SIGHTING["sighting_id"]}
    refused(service.camera.post("/v1/departures", later), 409, "key_reused")
    refused(service.camera.post("/v1/departures", unknown), 404, "sighting_unknown")
    elsewhere = service.device("cam-elsewhere", "camera", "elsewhere")
    for _ in range(2):
        refused(elsewhere.post("/v1/departures", left), 403, "wrong_station")
    assert service.operator.get("/v1/visits").json()["visits"] == [visit]


def test_a_replay_in_the_lane_is_refused(service: Any, refused: Any) -> None:
    service.arrive("鲁Q4D635")
    message = service.sighting("鲁Q4D636")
    same = {"nonce": secrets.token_hex(16), "timestamp": int(time.time())}
    assert service.camera.post("/v1/sightings", message, **same).status_code == 201
    refused(service.camera.post("/v1/sightings", message, **same), 401, "replayed_request")


def test_of_one_sighting_sent_twenty_times_at_once_under_one_nonce_one_is_believed(service: Any) -> None:
    service.arrive("鲁Q4D635")
    message = service.sighting("鲁Q4D636")
    same = {"nonce": secrets.token_hex(16), "timestamp": int(time.time())}
    with ThreadPoolExecutor(20) as pool:
        answers = pool.map(lambda _: service.camera.post("/v1/sightings", message, **same), range(20))
        codes = sorted(answer.status_code for answer in answers)
    assert codes == [201] + [401] * 19


def test_a_request_that_is_refused_uses_up_its_nonce(service: Any, refused: Any) -> None:
    service.arrive("鲁Q4D635")
    message = service.sighting("鲁Q4D636")
    assert service.camera.post("/v1/sightings", message).status_code == 201
    same = {"nonce": secrets.token_hex(16), "timestamp": int(time.time())}
    other = {**message, "looks": 9}
    refused(service.camera.post("/v1/sightings", other, **same), 409, "key_reused")
    refused(service.camera.post("/v1/sightings", other, **same), 401, "replayed_request")


def test_a_nonce_outlives_the_service(start: Any, refused: Any, tools: Any) -> None:
    service = start()
    service.arrive("鲁Q4D635")
    message = service.sighting("鲁Q4D636")
    same = {"nonce": secrets.token_hex(16), "timestamp": int(time.time())}
    assert service.camera.post("/v1/sightings", message, **same).status_code == 201
    with tools.running(service.settings) as again:
        again.arrive("鲁Q4D637")
        refused(again.camera.post("/v1/sightings", message, **same), 401, "replayed_request")


def test_a_device_that_is_disabled_or_has_a_new_key_is_refused_at_once(service: Any, refused: Any) -> None:
    service.arrive("鲁Q4D635")
    service.arrive("鲁Q4D636")
    service.parts.access.renew_device_key("cam-1")
    refused(service.camera.post("/v1/sightings", service_sighting(service)), 401, "bad_signature")
    service.camera.key = service.parts.devices.key_of("cam-1").encode()
    service.arrive("鲁Q4D637")
    message = service_sighting(service)
    service.parts.access.disable_device("cam-1", service.clock())
    refused(service.camera.post("/v1/sightings", message), 401, "unknown_device")
    assert service.operator.get("/v1/sightings").json()["sightings"][0]["text"] == "鲁Q4D637"


def service_sighting(service: Any) -> dict[str, Any]:
    """A sighting whose pictures are there already: the camera may not upload any more."""
    kept = {"frame": service.kept, "crop": service.kept} if hasattr(service, "kept") else None
    if kept is None:
        camera = service.device("cam-pictures", "camera")
        content = b"\xff\xd8\xff"
        service.kept = _picture(service, camera, content)
        kept = {"frame": service.kept, "crop": service.kept}
    picture, service.picture = service.picture, lambda _seed=None: service.kept
    try:
        return {**service.sighting("鲁Q4D638"), "evidence": kept}
    finally:
        service.picture = picture


def _picture(service: Any, camera: Any, _content: bytes) -> str:
    own, service.camera = service.camera, camera
    try:
        return str(service.picture("kept"))
    finally:
        service.camera = own


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({"timestamp": int(time.time()) - 310}, 401, "stale_timestamp"),
        ({"headers": {"Platepay-Signature": "0" * 64}}, 401, "bad_signature"),
        ({"signed_body": b"{}"}, 401, "bad_signature"),
        ({"signed_path": "/v1/sales"}, 401, "bad_signature"),
    ],
)
def test_a_known_device_is_not_believed_without_proof(
    shared: Any, refused: Any, wrong: dict[str, Any], status: int, code: str
) -> None:
    shared.arrive("鲁Q4D635")
    refused(shared.camera.post("/v1/sightings", shared.sighting("鲁Q4D636"), **wrong), status, code)


def test_a_known_device_speaks_for_its_own_station_and_role(shared: Any, refused: Any) -> None:
    shared.arrive("鲁Q4D635")
    elsewhere = shared.sighting("鲁Q4D636", station="elsewhere")
    refused(shared.camera.post("/v1/sightings", elsewhere), 403, "wrong_station")
    refused(shared.camera.post("/v1/sales", shared.sale()), 403, "wrong_role")


def test_a_broken_decision_in_the_lane_leaves_nothing_behind(
    service: Any, lanes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    account_id = service.account()
    service.arrive("鲁Q4D635")
    lanes.clear()
    count = service.parts.autopay.decide

    def half(message: Any) -> Any:
        arrival = count(message)
        if not lanes:
            raise ZeroDivisionError("after the hold was written")
        return arrival

    monkeypatch.setattr(service.parts.autopay, "decide", half)
    answer = service.arrive("粤B12345")
    assert (answer["match"]["outcome"], lanes) == ("auto", ["ordinary"])
    assert service.wallet(account_id)["held_fen"] == 40_000
    assert len(service.operator.get("/v1/visits").json()["visits"]) == 1


def test_the_traffic_a_decision_rests_on_is_kept_although_its_first_writer_was_rolled_back(
    service: Any, lanes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    service.account()
    decide = service.parts.autopay.decide
    broken: list[str] = []

    def half(message: Any) -> Any:
        arrival = decide(message)
        if not broken:
            broken.append(message.sighting_id)
            raise ZeroDivisionError("after the traffic was written")
        return arrival

    monkeypatch.setattr(service.parts.autopay, "decide", half)
    # The first request of a device goes the ordinary way: here one that decides nothing.
    service.camera.post("/v1/departures", DEPARTURE)
    lanes.clear()
    seen = service.arrive("鲁Q4D635")
    assert (broken, lanes) == ([seen["sighting_id"]], ["ordinary"])
    _, inputs = service.parts.wallet.proof.inputs(seen["sighting_id"])
    assert service.parts.wallet.proof.traffic(inputs.weighed.traffic_id) is not None


def test_every_answer_of_a_lane_reaches_the_loop_whenever_it_comes() -> None:
    """Two thousand from another thread, while the loop hands out those before; for one nobody waits."""

    async def wait() -> list[Any]:
        works: list[Future[Any]] = [Future() for _ in range(2_000)]
        arrivals = _Arrivals(asyncio.get_running_loop())
        answers = [arrivals.answer(work) for work in works]
        answers[7].cancel()

        def come() -> None:
            for number, work in enumerate(works):
                if number == 11:
                    work.set_exception(ZeroDivisionError("eleven"))
                else:
                    work.set_result(number)

        threading.Thread(target=come).start()
        return await asyncio.wait_for(asyncio.gather(*answers, return_exceptions=True), 20)

    found = asyncio.run(wait())
    assert isinstance(found[7], asyncio.CancelledError)
    assert isinstance(found[11], ZeroDivisionError)
    assert [one for one in found if isinstance(one, int)] == [n for n in range(2_000) if n not in (7, 11)]
