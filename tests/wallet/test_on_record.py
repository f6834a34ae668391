"""What is on record of a vehicle is found by one look: what that misses would speak against no debit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wallet.facts import Posterior
from wallet.limit_facts import Limits
from wallet.review_facts import Correction
from wallet.store.corrections import add_correction
from wallet.store.on_record import OnRecord, on_record
from wallet.store.twins import add_pair

PLATE, TWIN = "粤B12345", "粤B12346"
NOTHING = OnRecord(
    corrections=False,
    twins=False,
    stops=False,
    limits=False,
    tariffs=False,
    looks=False,
    elsewhere=False,
    waiting=False,
)


@pytest.fixture
def found(wallet, forecourt):
    """What is on record of a customer's plate; `seconds`: looks decided since then."""
    account_id = forecourt.customer(PLATE)
    (vehicle,) = wallet.vehicles(account_id)

    def look(seconds=0, pump="1"):
        since = forecourt.at(seconds)
        return wallet.store.read(lambda tx: on_record(tx, vehicle, forecourt.station, pump, since))

    look.account_id, look.vehicle = account_id, vehicle
    return look


def test_of_most_vehicles_there_is_nothing_whatever_there_is_of_others(wallet, forecourt, found):
    by = {"actor": "li", "now": forecourt.at(1)}
    other_id = forecourt.customer(TWIN)
    wallet.limits.freeze(TWIN, "stolen", key="f", **by)
    wallet.limits.set_limits(other_id, TWIN, Limits(fills_per_day=1), key="l", **by)
    wallet.limits.set_tariff("elsewhere", "wash", 2_000, forecourt.at(0), key="t", **by)
    forecourt.arrive(TWIN)
    assert found() == NOTHING


def test_a_stop_is_found(wallet, forecourt, found):
    wallet.limits.freeze(PLATE, "stolen", key="f", actor="li", now=forecourt.at(1))
    assert found() == replace(NOTHING, stops=True)


@pytest.mark.parametrize("plate", [PLATE, None])
def test_limits_of_the_vehicle_and_of_its_account_are_found(wallet, forecourt, found, plate):
    limits = Limits(fills_per_day=1)
    wallet.limits.set_limits(found.account_id, plate, limits, key="l", actor="li", now=forecourt.at(1))
    assert found() == replace(NOTHING, limits=True)


def test_a_tariff_of_the_station_is_found(wallet, forecourt, found):
    wallet.limits.set_tariff(
        forecourt.station, "wash", 2_000, forecourt.at(0), key="t", actor="li", now=forecourt.at(0)
    )
    assert found() == replace(NOTHING, tariffs=True)


@pytest.mark.parametrize("twin", ["粤B12344", "粤B12346"])
def test_a_twin_is_found_whichever_of_the_two_plates_sorts_first(wallet, forecourt, found, twin):
    (other,) = wallet.vehicles(forecourt.customer(twin))
    wallet.store.write(lambda tx: add_pair(tx, found.vehicle, other, 50_000, forecourt.at(0)))
    assert found() == replace(NOTHING, twins=True)


def test_a_correction_of_the_plate_is_found(wallet, forecourt, found):
    forecourt.spoiled = True
    match = forecourt.arrive("粤B99999", candidates=((PLATE, 600_000),)).match
    (item,) = wallet.reviews()
    correction = Correction(
        id="c",
        review_id=item.id,
        sighting_id=match.sighting_id,
        station=forecourt.station,
        camera="lane-1",
        text="粤B99999",
        plate=PLATE,
        verdict="wrong",
        label=None,
        evidence_crop=None,
        decided_by="li",
        recorded_at=forecourt.at(9),
    )
    wallet.store.write(lambda tx: add_correction(tx, correction))
    assert found(100) == replace(NOTHING, corrections=True)


def test_looks_are_found_from_a_moment_on(forecourt, found):
    forecourt.arrive(PLATE, now=forecourt.at(3))
    assert found(3) == replace(NOTHING, looks=True)
    assert found(4) == NOTHING


def test_a_look_at_another_station_is_found_from_a_moment_on(wallet, forecourt, found):
    fact = replace(forecourt.sighting(PLATE), station="elsewhere")
    wallet.arrive(fact, Posterior(((PLATE, 999_500),), 500), forecourt.at(3))
    assert found(3) == replace(NOTHING, looks=True, elsewhere=True)
    assert found(4) == NOTHING


def test_a_sale_that_waits_is_found_at_its_pump_and_at_no_other(forecourt, found):
    assert forecourt.sell(10_000, pump="2").state == "waiting"
    assert found(pump="2") == replace(NOTHING, waiting=True)
    assert found(pump="1") == NOTHING
    assert found(pump=None) == NOTHING


def test_a_sale_that_waits_no_more_is_not_found(forecourt, found):
    forecourt.sell(10_000)
    forecourt.arrive(PLATE, seconds=20)
    assert found(100) == NOTHING
