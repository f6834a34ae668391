"""Which stay a sighting continues, and whose stay a sale belongs to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from wallet.facts import Sale, SightingFact, Visit
from wallet.rules import Rules
from wallet.stays import (
    EXPIRED,
    Found,
    NotYet,
    TooMany,
    entry_sale_id,
    is_payable,
    stay_of,
    visit_for_sale,
    with_sighting,
)

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


def _at(seconds):
    return None if seconds is None else NOW + timedelta(seconds=seconds)


def _visit(opened=0, left=None, state="open", settled=None, visit_id="v", plate="粤B12345"):
    return Visit(
        visit_id, "demo", "1", "a", "vehicle", plate, state, None if state == "open" else "captured",
        _at(opened), _at(opened + 2), _at(left), _at(settled), _at(opened), "s", 40_000, 0, None,
    )  # fmt: skip


def _sighting(first, last=None):
    return SightingFact(
        "s2", "demo", "c", "1", _at(first), _at(last or first + 2), "粤B12345", "blue", 500, 8
    )


def _sale(started, ended):
    return Sale("x", "demo", "1", "92", 1_000, 1_000, 1_000, _at(started), _at(ended))


@pytest.mark.parametrize(
    ("visit", "first", "joins"),
    [
        (_visit(), 5, True),
        (_visit(), 7_200, True),
        (_visit(), 7_201, False),
        (_visit(left=100), 160, True),
        (_visit(left=100), 161, False),
        (_visit(state="captured", settled=90), 690, True),
        (_visit(state="captured", settled=90), 691, False),
        (_visit(state="captured", settled=90, left=100), 160, True),
        (_visit(state="captured", settled=90, left=100), 161, False),
        (replace(_visit(left=100, settled=500), state="voided"), 110, False),
        (_visit(opened=100), 38, True),
        (_visit(opened=100), 37, False),
    ],
)
def test_a_sighting_continues_a_stay_up_to_the_second(visit, first, joins):
    assert (stay_of(_sighting(first), [visit], Rules()) is visit) == joins


@pytest.mark.parametrize(
    ("first", "joins_paid_on_arrival", "joins_paid_at_a_pump"),
    [(690, True, True), (691, True, False), (7_200, True, False), (7_201, False, False)],
)
def test_what_was_paid_on_arrival_ends_no_stay(first, joins_paid_on_arrival, joins_paid_at_a_pump):
    visit = _visit(state="captured", settled=90, visit_id="v")
    on_arrival, at_a_pump = (replace(visit, sale_id=sale_id) for sale_id in (entry_sale_id("v"), "entry:w"))
    assert (stay_of(_sighting(first), [on_arrival], Rules()) is on_arrival) == joins_paid_on_arrival
    assert (stay_of(_sighting(first), [at_a_pump], Rules()) is at_a_pump) == joins_paid_at_a_pump


def test_a_paid_stay_without_its_moment_counts_from_where_the_car_was_seen_last():
    visit = _visit(state="captured")
    assert stay_of(_sighting(602), [visit], Rules()) is visit
    assert stay_of(_sighting(603), [visit], Rules()) is None


def test_of_two_stays_that_began_together_the_later_id_counts_and_of_none_none():
    one, other = _visit(visit_id="v1"), _visit(visit_id="v2")
    assert stay_of(_sighting(5), [other, one], Rules()) is other
    assert stay_of(_sighting(5), [], Rules()) is None


# What a sighting adds to its stay ---------------------------------------------------------------------------


def test_a_later_sighting_says_where_the_car_stands_and_is_its_last():
    stay = _visit()
    found = with_sighting(stay, replace(_sighting(2, 9), pump="2"), newest=True)
    assert found == replace(stay, last_seen_at=_at(9), pump="2", last_sighting_id="s2")


def test_an_earlier_sighting_that_comes_late_only_makes_the_stay_begin_sooner():
    stay = replace(_visit(opened=100, left=300), last_seen_at=_at(200))
    found = with_sighting(stay, replace(_sighting(50, 199), pump="2"), newest=True)
    assert found == replace(stay, opened_at=_at(50))
    nowhere = replace(stay, pump=None)
    found = with_sighting(nowhere, replace(_sighting(50, 199), pump="2"), newest=True)
    assert found == replace(nowhere, opened_at=_at(50), pump="2")


def test_a_sighting_at_no_pump_leaves_the_car_where_it_stood():
    found = with_sighting(_visit(), replace(_sighting(5), pump=None), newest=True)
    assert (found.pump, found.last_sighting_id) == ("1", "s2")


def test_two_sightings_that_end_together_count_in_the_order_they_came():
    found = with_sighting(_visit(), replace(_sighting(0, 2), pump="2"), newest=True)
    assert (found.pump, found.last_sighting_id) == ("2", "s2")


@pytest.mark.parametrize(
    ("last", "newest", "left"), [(100, True, 100), (101, True, None), (100, False, 100), (101, False, 101)]
)
def test_a_car_seen_after_it_left_has_not_left_unless_a_later_stay_is_known(last, newest, left):
    found = with_sighting(_visit(left=100), _sighting(90, last), newest=newest)
    assert found.left_at == _at(left)


def test_of_two_stays_it_could_continue_the_newer_one_counts():
    old, new = _visit(opened=0, left=50, visit_id="v1"), _visit(opened=70, visit_id="v2")
    assert stay_of(_sighting(80), [old, new], Rules()) is new


# Whose stay a sale belongs to -------------------------------------------------------------------------------


def test_a_sale_belongs_to_the_newest_arrival_whose_stay_covers_its_start():
    first, second = _visit(opened=0, visit_id="v1"), _visit(opened=50, visit_id="v2")
    assert visit_for_sale(_sale(20, 80), [first, second]) == Found(first)
    assert visit_for_sale(_sale(50, 80), [first, second]) == Found(second)


def test_a_car_that_left_before_the_sale_began_does_not_pay_for_it():
    gone, here = _visit(opened=0, left=40, visit_id="v1"), _visit(opened=45, visit_id="v2")
    assert visit_for_sale(_sale(41, 80), [gone]) == NotYet()
    assert visit_for_sale(_sale(41, 80), [gone, here]) == Found(here)
    assert visit_for_sale(_sale(40, 80), [gone]) == Found(gone)


def test_a_car_seen_only_after_the_nozzle_was_lifted_still_pays():
    late = _visit(opened=30)
    assert visit_for_sale(_sale(20, 80), [late]) == Found(late)
    assert visit_for_sale(_sale(20, 30), [late]) == Found(late)
    assert visit_for_sale(_sale(20, 29), [late]) == NotYet()


def test_two_cars_seen_only_after_the_start_cannot_be_told_apart():
    cars = [_visit(opened=30, visit_id="v1", plate="粤B2"), _visit(opened=40, visit_id="v2", plate="粤B1")]
    assert visit_for_sale(_sale(20, 80), cars) == TooMany(("粤B1", "粤B2"))


def test_a_visit_that_has_ended_pays_for_nothing_more():
    assert visit_for_sale(_sale(20, 80), [_visit(state="captured", settled=15)]) == NotYet()


@pytest.mark.parametrize("end", EXPIRED)
def test_an_expired_hold_pays_for_what_began_while_it_lived(end):
    visit = replace(_visit(state="captured", settled=100), state="voided", end=end)
    assert is_payable(visit)
    assert visit_for_sale(_sale(100, 200), [visit]) == Found(visit)
    assert visit_for_sale(_sale(101, 200), [visit]) == NotYet()
    late = replace(visit, opened_at=_at(50))
    assert visit_for_sale(_sale(49, 200), [late]) == NotYet()
    assert visit_for_sale(_sale(50, 200), [late]) == Found(late)


def test_a_hold_that_a_person_freed_pays_for_nothing():
    visit = replace(_visit(), state="voided", end="voided_by_operator", settled_at=_at(100))
    assert not is_payable(visit)
    assert visit_for_sale(_sale(50, 80), [visit]) == NotYet()


def test_of_two_cars_that_came_together_the_later_id_pays():
    one, other = _visit(visit_id="v1"), _visit(visit_id="v2")
    assert visit_for_sale(_sale(0, 80), [other, one]) == Found(other)


def test_a_car_that_stood_there_at_the_start_pays_before_one_that_came_after_it():
    before, after = _visit(opened=0, visit_id="v1"), _visit(opened=30, visit_id="v2")
    assert visit_for_sale(_sale(20, 80), [after, before]) == Found(before)
