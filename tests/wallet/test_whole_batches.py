"""Use cases that are one transaction with their neighbours: what each of them does is what it does alone."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from wallet.access import NotAdmitted
from wallet.facts import Posterior


@pytest.fixture
def together(wallet):
    """Does these in one batch, in this order; what each comes to, or its error."""

    def do(*works):
        store, gate = wallet.store, threading.Event()
        # While the first one holds the lane, the others wait together.
        first = store.submit_whole(lambda _: gate.wait(20))
        answers = [store.submit_whole(lambda _, work=work: work()) for work in works]
        gate.set()
        assert first.result(20)
        return [answer.exception(20) or answer.result() for answer in answers]

    return do


def _arrive(forecourt, plate, pump="1", seconds=0):
    fact = forecourt.sighting(plate, pump, seconds)
    posterior = Posterior(((plate, 999_500),), 500)
    return lambda: forecourt.wallet.arrive(fact, posterior, forecourt.at(seconds + 3))


def _sell(forecourt, amount_fen, pump="1", started=30):
    sale = forecourt.sale(amount_fen, pump, started)
    return lambda: forecourt.wallet.record_sale(sale, sale.ended_at)


def test_a_car_and_its_sale_in_one_batch_find_each_other_in_either_order(wallet, forecourt, together):
    first, second = (forecourt.customer(plate) for plate in ("粤B00001", "粤B00022"))
    seen, sold = together(_arrive(forecourt, "粤B00001"), _sell(forecourt, 20_000))
    assert (sold.state, sold.visit_id) == ("captured", seen.visit.id)
    sold, seen = together(_sell(forecourt, 30_000, "2"), _arrive(forecourt, "粤B00022", "2"))
    assert (sold.state, seen.visit.state, seen.visit.captured_fen) == ("waiting", "captured", 30_000)
    assert [forecourt.total_fen(one) for one in (first, second)] == [80_000, 70_000]


def test_two_sales_of_one_pump_in_one_batch_take_the_hold_once(wallet, forecourt, together):
    account_id = forecourt.customer("粤B00001")
    sales = [_sell(forecourt, 20_000), _sell(forecourt, 20_000, started=31)]
    arrived, first, second = together(_arrive(forecourt, "粤B00001"), *sales)
    assert arrived.match.outcome == "auto"
    assert [first.state, second.state] == ["captured", "waiting"]
    assert forecourt.total_fen(account_id) == 80_000


def test_two_cars_of_one_account_in_one_batch_hold_no_more_than_there_is(wallet, forecourt, together):
    account_id = forecourt.customer("粤B00001", 50_000)
    wallet.bind_vehicle(account_id, "粤B00022", "blue", "second", forecourt.at(0))
    arrivals = together(_arrive(forecourt, "粤B00001", "1"), _arrive(forecourt, "粤B00022", "2"))
    held = [arrival.hold_fen for arrival in arrivals]
    assert held[0] == wallet.rules.hold_fen
    assert sum(held) == wallet.balance(account_id).held_fen <= 50_000


def test_a_stop_in_a_batch_speaks_against_the_sightings_behind_it(wallet, forecourt, together):
    forecourt.customer("粤B00001")

    def stop():
        return wallet.limits.freeze("粤B00001", "stolen", key="f", actor="li", now=forecourt.at(1))

    before, _, behind = together(
        _arrive(forecourt, "粤B00001", "1"), stop, _arrive(forecourt, "粤B00001", "2", 9_000)
    )
    assert before.match.outcome == "auto"
    assert [reason.code for reason in behind.match.reasons] == ["frozen"]


def test_one_that_fails_in_a_batch_takes_nothing_of_its_neighbours(wallet, forecourt, together):
    account_id = forecourt.customer("粤B00001")
    arrive = _arrive(forecourt, "粤B00001")
    other = _arrive(forecourt, "粤B99999", "7")

    def broken():
        other()
        raise ZeroDivisionError("after the match was written")

    before, error, sold = together(arrive, broken, _sell(forecourt, 20_000))
    assert (before.hold_fen, type(error)) == (wallet.rules.hold_fen, ZeroDivisionError)
    assert (sold.state, forecourt.total_fen(account_id)) == ("captured", 80_000)
    assert len(wallet.matches()) == 1
    assert other().repeated is False


def test_a_key_that_is_renewed_in_a_batch_admits_nothing_signed_with_the_old_one(wallet, forecourt):
    now = forecourt.at(0)
    device = wallet.access.add_device("pump-1", "pump", "demo", now)
    sale, until = forecourt.sale(20_000), now + timedelta(seconds=900)
    gate = threading.Event()
    first = wallet.store.submit_whole(lambda _: gate.wait(20))

    def sell(nonce):
        return wallet.access.submit_admitted(
            device, nonce, now, until, lambda: wallet.record_sale(sale, sale.ended_at)
        )

    before = sell("a" * 32)
    renewed = wallet.store.submit_whole(lambda _: wallet.access.renew_device_key("pump-1"))
    behind = sell("b" * 32)
    gate.set()
    assert (first.result(20), renewed.result(20).key_version) == (True, 2)
    assert not before.result(20).repeated
    assert isinstance(behind.exception(20), NotAdmitted)
    assert [row.nonce for row in wallet.store.read(_nonces)] == ["a" * 32]


def _nonces(connection):
    return connection.exec_driver_sql("SELECT nonce FROM nonces").all()
