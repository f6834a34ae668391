"""What owners and operators say of plates and stations: its names, and what of it is refused."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest
from sqlalchemy import select

from wallet.errors import AlreadySet, Invalid, InvalidFact
from wallet.fingerprint import body_hash
from wallet.limit_facts import Limits, Place
from wallet.tables import commands

PLATE = "粤B12345"


def test_a_command_keeps_its_name_and_the_hash_of_its_body_for_ever(wallet, forecourt):
    """Whoever repeats a command after an upgrade must find its answer: names and bodies never change."""
    account_id = forecourt.customer(PLATE)
    visit = forecourt.arrive(PLATE).visit
    asked, moment, limits = wallet.limits, forecourt.at(50), Limits(fills_per_day=1)
    by = {"actor": "li", "now": forecourt.at(9)}
    asked.set_limits(account_id, PLATE, limits, key="a", **by)
    asked.set_price("demo", "92", 900, moment, key="b", **by)
    asked.set_tariff("demo", "wash", 3_500, moment, key="c", **by)
    asked.place_station(Place("demo", 22_540_000, 114_050_000), key="d", **by)
    asked.not_me(visit.id, **by)
    (stop,) = asked.stops(PLATE)
    asked.release(stop.id, "it was him", key="e", **by)
    asked.freeze(PLATE, "stolen", key="f", **by)
    with wallet.engine.connect() as connection:
        kept = {
            (row.scope, row.idempotency_key): (row.body_hash, row.code)
            for row in connection.execute(select(commands))
        }
    said = {
        ("limits", "a"): {"account_id": account_id, "plate": PLATE, "limits": asdict(limits)},
        ("station-price", "b"): {
            "station": "demo", "grade": "92", "unit_price_fen": 900, "valid_from": moment,
        },
        ("station-tariff", "c"): {
            "station": "demo", "what": "wash", "amount_fen": 3_500, "valid_from": moment,
        },
        ("station-place", "d"): {
            "station": "demo", "latitude_udeg": 22_540_000, "longitude_udeg": 114_050_000,
        },
        ("not-me", visit.id): {"visit_id": visit.id},
        ("release", "e"): {"stop_id": stop.id, "reason": "it was him"},
        ("freeze", "f"): {"plate": PLATE, "reason": "stolen"},
    }  # fmt: skip
    assert kept == {name: (body_hash(body), "done") for name, body in said.items()}


@pytest.mark.parametrize(("field", "given"), [("station", "a/b"), ("grade", "x" * 41), ("unit_price_fen", 0)])
def test_a_price_that_makes_no_sense_is_refused_by_the_name_of_its_field(wallet, forecourt, field, given):
    by = {"actor": "li", "now": forecourt.at(0)}
    least = {"station": "demo", "grade": "x" * 40, "unit_price_fen": 1, "valid_from": forecourt.at(0)}
    assert wallet.limits.set_price(**least, key="a", **by).station == "demo"
    with pytest.raises(Invalid) as refused:
        wallet.limits.set_price(**(least | {field: given}), key="b", **by)
    assert refused.value.what == field
    with pytest.raises(AlreadySet):
        wallet.limits.set_price(**least, key="c", **by)


@pytest.mark.parametrize(("field", "given"), [("station", "a/b"), ("what", "x" * 41), ("amount_fen", -1)])
def test_a_tariff_that_makes_no_sense_is_refused_by_the_name_of_its_field(wallet, forecourt, field, given):
    by = {"actor": "li", "now": forecourt.at(0)}
    least = {"station": "demo", "what": "x" * 40, "amount_fen": 0, "valid_from": forecourt.at(0)}
    assert wallet.limits.set_tariff(**least, key="a", **by).station == "demo"
    with pytest.raises(Invalid) as refused:
        wallet.limits.set_tariff(**(least | {field: given}), key="b", **by)
    assert refused.value.what == field
    with pytest.raises(AlreadySet) as again:
        wallet.limits.set_tariff(**least, key="c", **by)
    assert again.value.what == "tariff"


@pytest.mark.parametrize(
    ("field", "least", "most"),
    [("latitude_udeg", -90_000_000, 90_000_000), ("longitude_udeg", -180_000_000, 180_000_000)],
)
def test_a_place_is_on_the_globe_to_the_last_microdegree(wallet, forecourt, field, least, most):
    def put(key, **changes):
        place = replace(Place("demo", 0, 0), **changes)
        return wallet.limits.place_station(place, key=key, actor="li", now=forecourt.at(0))

    for key, given in (("a", least), ("b", most)):
        assert put(key, **{field: given}).station == "demo"
        assert getattr(wallet.limits.place("demo"), field) == given
    for given in (least - 1, most + 1):
        with pytest.raises(InvalidFact) as refused:
            put("c", **{field: given})
        assert refused.value.what == field
    with pytest.raises(InvalidFact) as refused:
        put("c", station="a/b")
    assert refused.value.what == "station"


def test_prices_and_tariffs_of_a_station_are_listed_and_those_of_another_are_not(wallet, forecourt):
    by = {"actor": "li", "now": forecourt.at(0)}
    for number, (station, seconds) in enumerate((("demo", 5), ("demo", 9), ("north", 7))):
        moment = forecourt.at(seconds)
        wallet.limits.set_price(station, "92", 900 + number, moment, key=f"p{number}", **by)
        wallet.limits.set_tariff(station, "wash", 100 + number, moment, key=f"t{number}", **by)
    assert [price.unit_price_fen for price in wallet.limits.prices("demo")] == [901, 900]
    assert [tariff.amount_fen for tariff in wallet.limits.tariffs("demo")] == [101, 100]
