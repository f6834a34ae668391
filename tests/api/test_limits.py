"""Limits, "not me", stopped plates, and stations' prices, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

PLATE = "粤B12345"


@pytest.fixture
def customer(service: Any) -> tuple[Any, str]:
    """A service with one customer."""
    return service, service.account()


def test_limits_are_set_shown_and_told_to_the_pump(customer: Any) -> None:
    service, account_id = customer
    address = f"/v1/accounts/{account_id}/vehicles/{PLATE}/limits"
    body = {
        "grades": ["92"],
        "litres_per_fill": "30.5",
        "opens": "00:00",
        "closes": "24:00",
        "tank_litres": "60",
    }
    set_first = service.operator.post(address, body, key="k1")
    assert (set_first.status_code, set_first.json()["change_number"]) == (201, 1)
    assert service.operator.post(address, body, key="k1").json() == set_first.json()
    (shown,) = service.operator.get(address).json()["limits"]
    assert (shown["grades"], shown["litres_per_fill"], shown["closes"]) == (["92"], "30.500", "24:00")
    arrived = service.arrive()
    assert arrived["match"]["outcome"] == "auto"
    told = service.pump.post("/v1/authorisations", {"station": "demo", "pump": "1"}).json()
    assert (told["limit_litres"], told["grades"]) == ("30.500", ["92"])


@pytest.mark.parametrize(
    "body",
    [
        {"amount_per_day_fen": 0},
        {"amount_per_day_fen": 1.5},
        {"opens": "25:00", "closes": "26:00"},
        {"opens": "08:00"},
        {"zone": "Nowhere"},
        {"grades": []},
        {"litres_per_fill": "0"},
        {"fuel": "steam"},
        {"unknown": 1},
    ],
)
def test_limits_that_make_no_sense_are_refused(customer: Any, body: dict[str, Any]) -> None:
    service, account_id = customer
    answer = service.operator.post(f"/v1/accounts/{account_id}/vehicles/{PLATE}/limits", body, key="k")
    assert answer.status_code == 422, answer.text


def test_limits_of_nobody_are_refused(customer: Any, refused: Any) -> None:
    service, account_id = customer
    address = f"/v1/accounts/{account_id}/vehicles/京A00000/limits"
    refused(service.operator.post(address, {}, key="k"), 404, "vehicle_unknown")
    refused(service.operator.get("/v1/accounts/nobody/limits"), 404, "account_unknown")


def test_not_me_brings_the_money_back_once(customer: Any, refused: Any) -> None:
    service, account_id = customer
    visit_id = service.arrive()["visit_id"]
    assert service.pump.post("/v1/sales", service.sale()).json()["state"] == "captured"
    answers = [service.operator.post(f"/v1/visits/{visit_id}/not-me", None).json() for _ in range(3)]
    assert answers[0]["reversed_fen"] == 24_531
    assert answers == [answers[0]] * 3
    assert service.wallet(account_id)["principal_fen"] == 100_000
    (stop,) = service.operator.get(f"/v1/vehicles/{PLATE}/stops").json()["stops"]
    assert (stop["stop_id"], stop["released_at"]) == (answers[0]["stop_id"], None)
    body = {"reason": "looked at the picture"}
    address = f"/v1/stops/{stop['stop_id']}/release"
    assert service.operator.post(address, body, key="r1").json()["outcome"] == "done"
    assert service.operator.post(address, body, key="r2").json()["code"] == "already_released"
    refused(service.operator.post("/v1/visits/nothing/not-me", None), 404, "visit_unknown")
    refused(service.operator.post("/v1/stops/nothing/release", body, key="r3"), 404, "stop_unknown")


def test_a_plate_is_frozen_by_hand(customer: Any) -> None:
    service, _ = customer
    address = f"/v1/vehicles/{PLATE}/freeze"
    assert service.operator.post(address, {"reason": "stolen"}, key="f").json()["plate"] == PLATE
    assert service.operator.post(address, {"reason": "stolen"}, key="g").json()["code"] == "already_frozen"
    assert service.arrive()["match"]["outcome"] == "review"


def test_a_station_has_prices_a_tariff_and_a_place(customer: Any, refused: Any) -> None:
    service, _ = customer
    at = "2026-11-21T00:00:00Z"
    price = {"grade": "92", "unit_price_fen": 785, "valid_from": at}
    assert service.operator.post("/v1/stations/demo/prices", price, key="p").status_code == 201
    refused(service.operator.post("/v1/stations/demo/prices", price, key="q"), 409, "already_set")
    tariff = {"what": "洗车", "amount_fen": 3_500, "valid_from": at}
    assert service.operator.post("/v1/stations/demo/tariffs", tariff, key="t").status_code == 201
    place = {"latitude": "-22.5", "longitude": "114.057865"}
    assert service.operator.post("/v1/stations/demo/place", place, key="w").status_code == 201
    shown = service.operator.get("/v1/stations/demo").json()
    assert (shown["latitude"], shown["longitude"]) == ("-22.500000", "114.057865")
    assert [one["unit_price_fen"] for one in shown["prices"]] == [785]
    assert [one["what"] for one in shown["tariffs"]] == ["洗车"]
    far = {"latitude": "91", "longitude": "0"}
    refused(service.operator.post("/v1/stations/demo/place", far, key="x"), 422, "invalid_fact")


def test_a_fixed_price_is_taken_with_the_sighting(customer: Any) -> None:
    service, account_id = customer
    tariff = {"what": "wash", "amount_fen": 3_500, "valid_from": "2020-01-01T00:00:00Z"}
    service.operator.post("/v1/stations/demo/tariffs", tariff, key="t")
    assert service.arrive()["match"]["outcome"] == "auto"
    assert service.wallet(account_id)["principal_fen"] == 96_500
