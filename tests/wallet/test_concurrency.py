"""Many at once: exactly as many succeed as may, and everyone gets an answer."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from wallet import departures, people, recharge, sales, visits
from wallet.errors import PlateAlreadyBound, VehicleUnknown
from wallet.facts import ChannelPayment, PaymentAlreadyApplied, PaymentApplied, Posterior
from wallet.service import new_uuid7, open_wallet


def _at_once(works: Sequence[Callable[[], Any]]) -> list[Any]:
    """Runs everything in threads that start together; gives what each returned or raised."""
    start = threading.Barrier(len(works))

    def run(work):
        start.wait()
        try:
            return work()
        except Exception as error:  # noqa: BLE001  the test looks at it
            return error

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def test_fifty_holds_on_funds_for_seven_are_exactly_seven(wallet, forecourt):
    account_id = forecourt.customer("粤B00000", 7 * 40_000 + 4_999)
    plates = [f"粤B{number:05d}" for number in range(1, 51)]
    for plate in plates:
        wallet.bind_vehicle(account_id, plate, "blue", plate, forecourt.at(0))
    arrivals = _at_once(
        [
            lambda plate=plate, pump=str(n): forecourt.arrive(plate, pump=pump)
            for n, plate in enumerate(plates)
        ]
    )
    assert Counter(arrival.hold_fen for arrival in arrivals) == {40_000: 7, 0: 43}
    assert Counter(arrival.match.outcome for arrival in arrivals) == {"auto": 7, "review": 43}
    assert wallet.balance(account_id).available_fen == 4_999


def test_two_services_on_one_database_never_hold_more_than_there_is(wallet, forecourt, database_url):
    account_id = forecourt.customer("粤B00000", 3 * 40_000)
    plates = [f"粤B{number:05d}" for number in range(1, 21)]
    for plate in plates:
        wallet.bind_vehicle(account_id, plate, "blue", plate, forecourt.at(0))
    other = open_wallet(database_url)
    works = []
    for number, plate in enumerate(plates):
        fact = forecourt.sighting(plate, pump=str(number))
        service = (wallet, other)[number % 2]
        works.append(
            lambda service=service, fact=fact: service.arrive(
                fact, Posterior(((fact.text, 999_500),), 500), forecourt.at(3)
            )
        )
    arrivals = _at_once(works)
    other.close()
    assert [arrival for arrival in arrivals if isinstance(arrival, Exception)] == []
    assert Counter(arrival.hold_fen for arrival in arrivals) == {40_000: 3, 0: 17}


def test_the_same_sale_from_twenty_threads_is_one_capture(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 100_000)
    forecourt.arrive("粤B12345")
    sale = forecourt.sale(20_000)
    results = _at_once([lambda: wallet.record_sale(sale, forecourt.at(95))] * 20)
    assert {(result.state, result.captured_fen) for result in results} == {("captured", 20_000)}
    assert sorted(result.repeated for result in results) == [False] + [True] * 19
    assert forecourt.total_fen(account_id) == 80_000


def test_twenty_sales_at_one_pump_with_one_car_are_one_capture(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 100_000)
    forecourt.arrive("粤B12345")
    sales = [forecourt.sale(1_000 + number) for number in range(20)]
    results = _at_once([lambda sale=sale: wallet.record_sale(sale, forecourt.at(95)) for sale in sales])
    assert Counter(result.state for result in results) == {"captured": 1, "waiting": 19}
    (taken,) = [result.captured_fen for result in results if result.captured_fen]
    assert forecourt.total_fen(account_id) == 100_000 - taken


def test_the_same_sighting_from_twenty_threads_is_one_hold(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 100_000)
    arrivals = _at_once([lambda: forecourt.arrive("粤B12345", sighting_id="s1")] * 20)
    assert {arrival.hold_fen for arrival in arrivals} == {40_000}
    assert len({arrival.visit.id for arrival in arrivals}) == 1
    assert wallet.balance(account_id).held_fen == 40_000


def test_twenty_cameras_seeing_one_car_are_one_visit(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 1_000_000 - 500_001)
    arrivals = _at_once(
        [lambda pump=pump: forecourt.arrive("粤B12345", pump=str(pump % 4)) for pump in range(20)]
    )
    assert len({arrival.visit.id for arrival in arrivals}) == 1
    assert sorted(arrival.hold_fen for arrival in arrivals) == [0] * 19 + [40_000]
    assert wallet.balance(account_id).held_fen == 40_000


def test_a_callback_ten_times_at_once_credits_once(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 0)
    order = wallet.create_recharge_order(account_id, 20_000, "sandbox", "k", forecourt.at(0))
    payment = ChannelPayment("sandbox", "t1", order.id, 20_000, forecourt.at(1))
    results = _at_once([lambda: wallet.channel_paid(payment, forecourt.at(2))] * 10)
    assert Counter(type(result) for result in results) == {PaymentApplied: 1, PaymentAlreadyApplied: 9}
    assert forecourt.total_fen(account_id) == 20_000


def test_ten_payments_of_one_order_at_once_credit_once(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 0)
    order = wallet.create_recharge_order(account_id, 20_000, "sandbox", "k", forecourt.at(0))
    payments = [ChannelPayment("sandbox", f"t{n}", order.id, 20_000, forecourt.at(1)) for n in range(10)]
    results = _at_once([lambda p=p: wallet.channel_paid(p, forecourt.at(2)) for p in payments])
    assert sum(isinstance(result, PaymentApplied) for result in results) == 1
    assert forecourt.total_fen(account_id) == 20_000
    assert len(wallet.reviews(kind="payment_refused")) == 9


def test_one_key_from_twenty_threads_is_one_account(wallet, forecourt):
    accounts = _at_once([lambda: wallet.open_account("Li", None, "key", forecourt.at(0))] * 20)
    assert len({account.id for account in accounts}) == 1
    assert len(wallet.accounts()) == 1


def test_one_plate_from_twenty_owners_is_bound_once(wallet, forecourt):
    owners = [wallet.open_account(f"C{n}", None, f"k{n}", forecourt.at(0)) for n in range(20)]
    results = _at_once(
        [
            lambda owner=owner: wallet.bind_vehicle(owner.id, "粤B12345", "blue", owner.id, forecourt.at(0))
            for owner in owners
        ]
    )
    assert sum(isinstance(result, PlateAlreadyBound) for result in results) == 19


@pytest.mark.parametrize("attempt", range(3))
def test_a_sale_against_the_sweep_is_paid_once_whoever_is_first(wallet, forecourt, attempt):
    account_id = forecourt.customer("粤B12345", 100_000)
    forecourt.arrive("粤B12345", sighting_id="s1")
    wallet.depart("s1", forecourt.at(100), forecourt.at(100))
    sale = forecourt.sale(20_000)
    result, *swept = _at_once(
        [lambda: wallet.record_sale(sale, forecourt.at(500)), *[lambda: wallet.sweep(forecourt.at(500))] * 5]
    )
    voided = [visit for visits in swept for visit in visits]
    # Where a sweep came first, the sale is paid from what the hold had guaranteed.
    assert len(voided) == [reason.code for reason in result.reasons].count("hold_expired")
    assert (result.state, forecourt.total_fen(account_id)) == ("captured", 80_000)
    assert wallet.balance(account_id).held_fen == 0


def _meanwhile(wallet, first, second):
    """Runs `second` while the transaction of `first` is decided but not yet committed."""
    decided, go_on = threading.Event(), threading.Event()

    def hesitate(tx):
        first(tx)
        decided.set()
        go_on.wait(10)

    def follow():
        decided.wait(10)
        second()

    threads = [threading.Thread(target=wallet.store.write, args=(hesitate,)), threading.Thread(target=follow)]
    for thread in threads:
        thread.start()
    # A second that does not wait for the first is through by then.
    threads[1].join(0.5)
    go_on.set()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("first", ["sale", "sighting"])
def test_a_sale_and_the_sighting_of_its_car_never_miss_each_other(wallet, forecourt, first):
    account_id = forecourt.customer("粤B12345", 100_000)
    # The pump is known: its first row would make the two wait for each other in any case.
    forecourt.sell(0, started=0, ended=5)
    sale, fact = forecourt.sale(20_000, started=100), forecourt.sighting("粤B12345", seconds=90)
    sure = Posterior((("粤B12345", 999_500),), 500)
    if first == "sale":
        _meanwhile(
            wallet,
            lambda tx: sales.record_sale(tx, sale, wallet.rules, new_uuid7, forecourt.at(165)),
            lambda: wallet.arrive(fact, sure, forecourt.at(95)),
        )
    else:
        _meanwhile(
            wallet,
            lambda tx: visits.arrive(tx, fact, sure, wallet.rules, new_uuid7, forecourt.at(95)),
            lambda: wallet.record_sale(sale, forecourt.at(165)),
        )
    assert wallet.record_sale(sale, forecourt.at(170)).state == "captured"
    assert forecourt.total_fen(account_id) == 80_000


def test_a_car_that_arrives_while_its_plate_is_being_unbound_is_not_held(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 100_000)
    _meanwhile(
        wallet,
        lambda tx: people.unbind_vehicle(tx, "粤B12345", forecourt.at(1)),
        lambda: forecourt.arrive("粤B12345", sighting_id="s1"),
    )
    assert wallet.balance(account_id).held_fen == 0
    assert [row.match.outcome for row in wallet.matches()] == ["none"]


def test_a_plate_that_is_being_unbound_is_not_unbound_twice(wallet, forecourt):
    forecourt.customer("粤B12345", 0)
    refused = []

    def again():
        try:
            wallet.unbind_vehicle("粤B12345", forecourt.at(2))
        except VehicleUnknown as error:
            refused.append(error)

    _meanwhile(wallet, lambda tx: people.unbind_vehicle(tx, "粤B12345", forecourt.at(1)), again)
    assert len(refused) == 1


def test_a_visit_that_is_being_ended_by_the_sweep_is_paid_once_from_what_it_held(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 100_000)
    visit = forecourt.arrive("粤B12345", sighting_id="s1").visit
    wallet.depart("s1", forecourt.at(100), forecourt.at(100))
    sale = forecourt.sale(20_000)
    _meanwhile(
        wallet,
        lambda tx: departures.end_if_overdue(tx, visit.id, wallet.rules, forecourt.at(500)),
        lambda: wallet.record_sale(sale, forecourt.at(500)),
    )
    result = wallet.sale("demo", sale.sale_id)[1]
    assert [reason.code for reason in result.reasons] == ["hold_expired"]
    assert (wallet.visit(visit.id).state, result.state) == ("captured", "captured")
    assert wallet.balance(account_id).available_fen == 80_000


def test_a_car_that_is_being_seen_at_its_pump_is_not_gone_when_the_entry_camera_loses_it(wallet, forecourt):
    forecourt.customer("粤B12345", 100_000)
    visit = forecourt.arrive("粤B12345", pump=None, sighting_id="entry").visit
    fact, sure = forecourt.sighting("粤B12345", seconds=30), Posterior((("粤B12345", 999_500),), 500)
    _meanwhile(
        wallet,
        lambda tx: visits.arrive(tx, fact, sure, wallet.rules, new_uuid7, forecourt.at(33)),
        lambda: wallet.depart("entry", forecourt.at(20), forecourt.at(33)),
    )
    assert (wallet.visit(visit.id).pump, wallet.visit(visit.id).left_at) == ("1", None)
    assert forecourt.sell(20_000, started=40).captured_fen == 20_000


def test_not_me_about_a_visit_that_is_being_paid_asks_a_person_about_what_was_taken(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 100_000)
    visit = forecourt.arrive("粤B12345").visit
    sale = forecourt.sale(20_000)
    _meanwhile(
        wallet,
        lambda tx: sales.record_sale(tx, sale, wallet.rules, new_uuid7, forecourt.at(95)),
        lambda: wallet.limits.not_me(visit.id, actor="owner", now=forecourt.at(95)),
    )
    assert [item.amount_fen for item in wallet.reviews(kind="not_me")] == [20_000]
    assert forecourt.total_fen(account_id) == 100_000


def test_two_sweeps_that_give_up_on_the_same_sale_are_both_content(wallet, forecourt):
    sale = forecourt.sale(20_000)
    wallet.record_sale(sale, forecourt.at(95))
    swept = []
    _meanwhile(
        wallet,
        lambda tx: sales.give_up_waiting(
            tx, "demo", sale.sale_id, wallet.rules, new_uuid7, forecourt.at(500)
        ),
        lambda: swept.append(wallet.sweep(forecourt.at(500))),
    )
    assert swept == [[]]
    assert [item.kind for item in wallet.reviews()] == ["sale_without_visit"]


def test_an_order_that_is_being_paid_is_not_paid_by_another_transaction(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 0)
    order = wallet.create_recharge_order(account_id, 20_000, "sandbox", "k", forecourt.at(0))
    payments = [ChannelPayment("sandbox", f"t{n}", order.id, 20_000, forecourt.at(1)) for n in range(2)]
    _meanwhile(
        wallet,
        lambda tx: recharge.channel_paid(tx, payments[0], new_uuid7, forecourt.at(2)),
        lambda: wallet.channel_paid(payments[1], forecourt.at(2)),
    )
    assert forecourt.total_fen(account_id) == 20_000
    assert [item.subject for item in wallet.reviews(kind="payment_refused")] == ["sandbox/t1"]


def test_unbinding_against_arriving_leaves_no_hold_behind_it(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 100_000)
    works = [lambda: wallet.unbind_vehicle("粤B12345", forecourt.at(1))] * 3
    works += [lambda n=n: forecourt.arrive("粤B12345", pump=str(n)) for n in range(5)]
    results = _at_once(works)
    assert sum(isinstance(result, VehicleUnknown) for result in results) == 2
    held = [arrival.hold_fen for arrival in results[3:] if arrival.hold_fen]
    assert wallet.balance(account_id).held_fen == sum(held) in (0, 40_000)
    assert forecourt.arrive("粤B12345", seconds=9_000).match.outcome == "none"


def test_a_busy_hour_on_shared_wallets_adds_up(wallet, forecourt):
    """Two fleets of ten cars, everything at once: arrivals, sales, departures, sweeps, recharges."""
    fleets = [forecourt.customer(f"京A{n:05d}", 300_000) for n in range(2)]
    cars = [(f"粤B{n:05d}", fleets[n % 2]) for n in range(20)]
    for plate, account_id in cars:
        wallet.bind_vehicle(account_id, plate, "blue", plate, forecourt.at(0))

    def drive(number, plate):
        for turn in range(3):
            start = turn * 1_000
            name = f"{plate}-{turn}"
            forecourt.arrive(plate, pump=str(number), seconds=start, sighting_id=name)
            sale = forecourt.sale(1_000 + number, pump=str(number), started=start + 30, sale_id=name)
            wallet.record_sale(sale, forecourt.at(start + 95))
            wallet.depart(name, forecourt.at(start + 100), forecourt.at(start + 100))

    works = [lambda n=n, plate=plate: drive(n, plate) for n, (plate, _) in enumerate(cars)]
    works += [lambda n=n: wallet.sweep(forecourt.at(n * 700)) for n in range(4)]
    works += [lambda account_id=account_id: forecourt.recharge(account_id, 5_000) for account_id in fleets]
    # An audit in the middle of all this sees one moment, and at every moment the ledger adds up.
    works += [forecourt.must_add_up] * 3
    assert [result for result in _at_once(works) if isinstance(result, Exception)] == []
    wallet.sweep(forecourt.at(100_000))
    taken = sum(visit.captured_fen for visit in wallet.visits(limit=1_000))
    assert sum(forecourt.total_fen(account_id) for account_id in fleets) == 610_000 - taken
    assert all(wallet.balance(account_id).held_fen == 0 for account_id in fleets)


def test_a_plate_that_passes_to_another_owner_while_it_is_being_frozen_is_frozen_there(wallet, forecourt):
    forecourt.customer("粤B12345", 100_000)
    heir = forecourt.customer("粤B54321", 100_000)

    def pass_on(tx):
        people.unbind_vehicle(tx, "粤B12345", forecourt.at(1))
        people.bind_vehicle(tx, heir, "粤B12345", "blue", "again", new_uuid7, forecourt.at(2))

    _meanwhile(
        wallet,
        pass_on,
        lambda: wallet.limits.freeze("粤B12345", "sold", key="f1", actor="wang", now=forecourt.at(3)),
    )
    assert [stop.account_id for stop in wallet.limits.stops("粤B12345")] == [heir]
    assert forecourt.arrive("粤B12345").hold_fen == 0
