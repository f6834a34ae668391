"""Cars that leave, one visit at a time: what the sweep asks again once the wallet is locked."""

from __future__ import annotations

import pytest

from wallet import departures
from wallet.errors import InvalidFact, KeyReused, SightingUnknown
from wallet.fingerprint import body_hash
from wallet.store import forecourt as rows

PLATE = "粤B12345"


@pytest.fixture
def end(wallet, forecourt):
    """Ends a visit where it is overdue at a second of the day."""

    def ended(visit_id, seconds):
        moment = forecourt.at(seconds)
        return wallet.store.write(lambda tx: departures.end_if_overdue(tx, visit_id, wallet.rules, moment))

    return ended


def test_a_car_may_leave_at_the_moment_it_was_first_seen_and_not_before(wallet, forecourt):
    forecourt.customer(PLATE)
    forecourt.arrive(PLATE, seconds=50, sighting_id="s1")
    with pytest.raises(InvalidFact) as refused:
        wallet.depart("s1", forecourt.at(49), forecourt.at(100))
    assert (refused.value.what, refused.value.given) == ("left_at", forecourt.at(49).isoformat())
    assert wallet.depart("s1", forecourt.at(50), forecourt.at(100)).left_at == forecourt.at(50)


def test_a_departure_is_refused_by_the_name_of_its_sighting(wallet, forecourt):
    with pytest.raises(SightingUnknown) as unknown:
        wallet.depart("nobody", forecourt.at(0), forecourt.at(0))
    assert unknown.value.sighting_id == "nobody"
    forecourt.arrive("京A99999", sighting_id="s1")
    assert wallet.depart("s1", forecourt.at(100), forecourt.at(100)) is None
    assert wallet.depart("s1", forecourt.at(100), forecourt.at(101)) is None
    with pytest.raises(KeyReused) as reused:
        wallet.depart("s1", forecourt.at(99), forecourt.at(100))
    assert (reused.value.scope, reused.value.key) == ("departure", "s1")
    assert reused.value.body_hash == body_hash(forecourt.at(99))
    with wallet.engine.connect() as connection:
        assert rows.departure_of(connection, "s1") == forecourt.at(100)


def test_a_departure_told_again_does_not_undo_what_was_seen_since(wallet, forecourt):
    """A look that began before and ended after it shows that the car has not left."""
    forecourt.customer(PLATE)
    visit = forecourt.arrive(PLATE, sighting_id="s1").visit
    assert wallet.depart("s1", forecourt.at(1), forecourt.at(5)).left_at == forecourt.at(1)
    forecourt.arrive(PLATE, seconds=20)
    assert wallet.depart("s1", forecourt.at(1), forecourt.at(30)).left_at is None
    assert wallet.visit(visit.id).left_at is None


def test_a_visit_ends_only_where_it_is_overdue_when_its_wallet_is_locked(wallet, forecourt, end):
    account_id = forecourt.customer(PLATE)
    visit = forecourt.arrive(PLATE, sighting_id="s1").visit
    assert end("nobody", 100_000) is None
    assert end(visit.id, 7_200) is None
    wallet.depart("s1", forecourt.at(100), forecourt.at(100))
    assert end(visit.id, 400) is None
    assert wallet.balance(account_id).held_fen == 40_000
    ended = end(visit.id, 401)
    assert (ended.id, ended.end, ended.settled_at) == (visit.id, "left_without_sale", forecourt.at(401))
    assert wallet.balance(account_id).held_fen == 0
    assert end(visit.id, 402) is None


def test_a_visit_that_nobody_left_ends_after_the_longest_stay(wallet, forecourt, end):
    forecourt.customer(PLATE)
    visit = forecourt.arrive(PLATE).visit
    assert end(visit.id, 7_200) is None
    ended = end(visit.id, 7_201)
    assert (ended.end, ended.settled_at) == ("stayed_too_long", forecourt.at(7_201))


def test_a_car_that_left_only_now_has_stayed_too_long_all_the_same(wallet, forecourt, end):
    forecourt.customer(PLATE)
    visit = forecourt.arrive(PLATE, sighting_id="s1").visit
    wallet.depart("s1", forecourt.at(7_100), forecourt.at(7_100))
    assert end(visit.id, 7_201).end == "stayed_too_long"


def test_a_visit_that_has_paid_is_not_ended_again(wallet, forecourt, end):
    forecourt.customer(PLATE)
    visit = forecourt.arrive(PLATE).visit
    forecourt.sell(10_000)
    assert end(visit.id, 100_000) is None
    assert wallet.visit(visit.id).state == "captured"
