"""What pumps sell, over HTTP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest


def test_a_sale_takes_the_exact_amount_and_frees_the_rest(service: Any) -> None:
    account_id = service.account()
    seen = service.arrive()
    sold = service.pump.post("/v1/sales", service.sale(sale_id="s-1"))
    assert sold.status_code == 201
    assert sold.json() == {
        "sale_id": "s-1",
        "state": "captured",
        "visit_id": seen["visit_id"],
        "captured_fen": 24_531,
        "reasons": [],
    }
    wallet = service.wallet(account_id)
    assert (wallet["principal_fen"], wallet["held_fen"], wallet["available_fen"]) == (75_469, 0, 75_469)
    lines = service.operator.get(f"/v1/accounts/{account_id}/statement").json()["lines"]
    assert [(line["kind"], line["amount_fen"]) for line in lines] == [
        ("capture", -24_531),
        ("recharge", 100_000),
    ]
    assert lines[0]["sale_id"] == "s-1"
    match = service.operator.get("/v1/matches").json()["matches"][0]
    assert (match["visit_state"], match["captured_fen"], match["sale_id"]) == ("captured", 24_531, "s-1")


def test_the_same_sale_twenty_times_at_once_is_charged_once(service: Any) -> None:
    account_id = service.account()
    service.arrive()
    sale = service.sale()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: service.pump.post("/v1/sales", sale), range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert {answer.json()["captured_fen"] for answer in answers} == {24_531}
    assert service.wallet(account_id)["principal_fen"] == 75_469


def test_the_same_sale_with_another_body_is_refused(service: Any, refused: Any) -> None:
    account_id = service.account()
    service.arrive()
    sale = service.sale()
    service.pump.post("/v1/sales", sale)
    refused(service.pump.post("/v1/sales", {**sale, "grade": "95"}), 409, "key_reused")
    assert service.wallet(account_id)["principal_fen"] == 75_469


def test_a_sale_of_nothing_frees_the_hold(service: Any) -> None:
    account_id = service.account()
    service.arrive()
    sold = service.pump.post("/v1/sales", service.sale(litres="0", amount_fen=0))
    assert sold.json()["state"] == "void"
    wallet = service.wallet(account_id)
    assert (wallet["principal_fen"], wallet["held_fen"]) == (100_000, 0)


def test_a_sale_without_a_car_waits_and_then_is_for_a_person(service: Any) -> None:
    sold = service.pump.post("/v1/sales", service.sale()).json()
    assert (sold["state"], sold["captured_fen"]) == ("waiting", 0)
    service.clock.forward(minutes=20)
    service.parts.janitor.round()
    [review] = service.operator.get("/v1/reviews").json()["reviews"]
    assert review["kind"] == "sale_without_visit"
    assert review["sale_id"] == sold["sale_id"]
    shown = service.operator.get(f"/v1/reviews/{review['review_id']}").json()
    assert {name: shown[name] for name in review} == review


def test_a_late_sighting_finds_the_sale_that_waits(service: Any) -> None:
    account_id = service.account()
    message = service.sighting()
    sold = service.pump.post("/v1/sales", service.sale())
    assert sold.json()["state"] == "waiting"
    assert service.camera.post("/v1/sightings", message).json()["match"]["outcome"] == "auto"
    assert service.wallet(account_id)["principal_fen"] == 75_469


@pytest.mark.parametrize(
    ("change", "code", "named"),
    [
        ({"litres": "-31.25"}, "invalid_request", "must not be negative"),
        ({"litres": "31.2500"}, "invalid_request", "at most 3 decimals"),
        ({"litres": 31}, "invalid_request", "litres"),
        ({"litres": "viel"}, "invalid_request", "litres"),
        ({"litres": "１.5"}, "invalid_request", "litres"),
        ({"litres": 31.25}, "float_for_money", "litres"),
        ({"amount_fen": 245.31}, "float_for_money", "amount_fen"),
        ({"amount_fen": 24531.0}, "float_for_money", "amount_fen"),
        ({"amount_fen": 1e3}, "float_for_money", "amount_fen"),
        ({"unit_price_fen": 7.85}, "float_for_money", "unit_price_fen"),
        ({"amount_fen": "24531"}, "invalid_request", "amount_fen"),
        ({"amount_fen": -1}, "invalid_request", "amount_fen"),
        ({"amount_fen": 10**30}, "invalid_request", "amount_fen"),
        ({"amount_fen": None}, "invalid_request", "amount_fen"),
        ({"amount_fen": 24_533}, "sale_amount_mismatch", "24533"),
        ({"amount_fen": 24_529}, "sale_amount_mismatch", "24529"),
        ({"litres": "0"}, "sale_amount_mismatch", "24531"),
        ({"sale_id": ""}, "invalid_request", "sale_id"),
        ({"sale_id": "x" * 65}, "invalid_request", "sale_id"),
        ({"tip_fen": 5}, "invalid_request", "tip_fen"),
        ({"ended_at": "2020-01-01T00:00:00Z"}, "invalid_request", "ended_at"),
    ],
)
def test_a_sale_that_cannot_be_is_refused_and_changes_nothing(
    shared: Any, refused: Any, change: dict[str, Any], code: str, named: str
) -> None:
    answer = shared.pump.post("/v1/sales", shared.sale(**change))
    body = refused(answer, 422, code)
    assert named in answer.text, body
    assert shared.parts.wallet.audit().ok
    assert shared.operator.get("/v1/reviews").json()["reviews"] == []


@pytest.mark.parametrize("amount_fen", [24_530, 24_532])
def test_one_fen_of_rounding_is_borne(shared: Any, amount_fen: int) -> None:
    assert shared.pump.post("/v1/sales", shared.sale(amount_fen=amount_fen)).status_code == 201


def test_a_plate_bound_twice_moves_nothing(service: Any) -> None:
    account_id = service.account()
    service.operator.post(f"/v1/accounts/{account_id}/vehicles", {"plate": "粤B12345", "colour": "blue"})
    assert len(service.operator.get(f"/v1/accounts/{account_id}/vehicles").json()["vehicles"]) == 1


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"{", 400, "not_json"),
        (b"", 422, "invalid_request"),
        (b"[]", 422, "invalid_request"),
        (b'{"amount_fen": NaN}', 400, "not_json"),
        (b'{"amount_fen": 1, "amount_fen": 2}', 400, "not_json"),
        (b"\xff\xfe", 400, "not_json"),
        (b"[" * 30_000, 400, "not_json"),
        (b'{"x": "' + b"y" * 70_000 + b'"}', 413, "payload_too_large"),
    ],
)
def test_a_body_that_is_no_sale_is_refused(
    shared: Any, refused: Any, content: bytes, status: int, code: str
) -> None:
    refused(shared.pump.post("/v1/sales", content), status, code)


def test_another_content_type_is_refused(shared: Any, refused: Any) -> None:
    body = refused(shared.pump.post("/v1/sales", shared.sale(), content_type="text/plain"), 400, "not_json")
    assert "text/plain" in body["detail"]


def test_a_body_of_unknown_length_is_limited_too(shared: Any, refused: Any) -> None:
    def endless() -> Any:
        for _ in range(100):
            yield b" " * 1024

    refused(shared.http.post("/v1/sessions", content=endless()), 413, "payload_too_large")
