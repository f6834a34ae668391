"""Which stay a sighting continues, and whose stay a sale belongs to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from wallet.facts import Sale, SightingFact, Visit
from wallet.rules import Rules
from wallet.stays import Found, NotYet, TooMany, stay_of, visit_for_sale

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


def test_of_two_stays_it_could_continue_the_newer_one_counts():
    old, new = _visit(opened=0, left=50, visit_id="v1"), _visit(opened=70, visit_id="v2")
    assert stay_of(_sighting(80), [old, new], Rules()) is new


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
