"""An entry that surely read another text than the pump: no money moves by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wallet.facts import Posterior
from wallet.rules import Rules
from wallet.second_looks import Look, doubts, is_one_off

MINE, OTHER = "粤B54250", "粤B54258"


def codes(*looks, elsewhere=()):
    return [reason.code for reason in doubts(MINE, looks, lambda text: text in elsewhere, Rules())]


def test_a_sure_text_one_character_off_is_a_reason_that_tells_no_plate():
    [reason] = doubts(MINE, [Look("entry", OTHER, 20_000)], lambda _: False, Rules())
    assert reason.code == "read_otherwise"
    assert dict(reason.numbers) == {"other_wrong_ppm": 20_000, "auto_ceiling_ppm": 20_000}
    assert OTHER not in reason.text
    assert MINE not in reason.text


@pytest.mark.parametrize(
    "look",
    [
        Look("entry", OTHER, 20_001),
        Look("entry", None, 1_000_000),
        Look("entry", "粤B54368", 100),
        Look("entry", "粤B542508", 100),
        Look("entry", MINE, 100),
    ],
)
def test_an_unsure_unread_or_farther_text_says_nothing(look):
    assert codes(look) == []


def test_the_very_text_surely_read_by_another_camera_outweighs_a_neighbour():
    assert codes(Look("entry", OTHER, 100), Look("gate", MINE, 100)) == []
    assert codes(Look("entry", OTHER, 100), Look("gate", MINE, 20_001)) == ["read_otherwise"]


def test_a_text_that_stands_at_a_pump_is_another_car():
    assert codes(Look("entry", OTHER, 100), elsewhere={OTHER}) == []


@pytest.mark.parametrize(
    ("one", "other", "is_so"), [("AB", "AC", True), ("AB", "AB", False), ("A", "AB", False)]
)
def test_one_off_is_one_character_of_the_same_length(one, other, is_so):
    assert is_one_off(one, other) is is_so


def at_entry(forecourt, text, seconds, **changes):
    seen = replace(forecourt.sighting(text, pump=None, seconds=seconds), camera="entry", **changes)
    forecourt.wallet.arrive(seen, Posterior((), 1_000_000), forecourt.at(seconds))


def test_who_was_read_otherwise_at_the_entry_is_not_debited(wallet, forecourt):
    account = forecourt.customer(MINE)
    at_entry(forecourt, OTHER, 3)
    arrival = forecourt.arrive(MINE, seconds=60)
    assert (arrival.match.outcome, [r.code for r in arrival.match.reasons]) == ("review", ["read_otherwise"])
    forecourt.sell(10_000, started=90)
    wallet.sweep(forecourt.at(20_000))
    assert wallet.balance(account).principal_fen == 100_000


def test_long_ago_and_another_station_say_nothing(forecourt):
    forecourt.customer(MINE)
    at_entry(forecourt, OTHER, 3, station="north")
    at_entry(forecourt, OTHER, 4)
    assert forecourt.arrive(MINE, seconds=700).match.outcome == "auto"


def test_a_neighbour_that_was_seen_at_a_pump_lets_the_next_car_pay(forecourt):
    forecourt.customer(MINE)
    at_entry(forecourt, OTHER, 3)
    forecourt.arrive(OTHER, seconds=30, pump="2")
    assert forecourt.arrive(MINE, seconds=60).match.outcome == "auto"
