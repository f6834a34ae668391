"""Registered look-alikes: found when bound and every night, never debited for each other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from wallet.facts import Posterior, SightingFact, Vehicle
from wallet.review_facts import AnswerFact, Given
from wallet.rules import Rules
from wallet.service import open_wallet
from wallet.store import reviewing
from wallet.twins import Twin, doubts, lookalikes

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
ALIKE = {
    "粤": {"鄂": 90_000},
    "鄂": {"粤": 90_000},
    "8": {"B": 50_000},
    "B": {"8": 50_000},
    "4": {"A": 49_999},
}
MINE = Vehicle("v1", "a1", "粤B54250", "blue", NOW, None)
OTHER = Vehicle("v2", "a2", "鄂B54250", "blue", NOW, None)


@pytest.fixture
def wallet(engine):
    return open_wallet(str(engine.url), engine=engine, alike=ALIKE)


def _sighting(**changes):
    fact = SightingFact("s", "demo", "pump-1", "1", NOW, NOW, "粤B54250", "blue", 500, 8)
    return replace(fact, **changes)


def _doubts(sighting=None, twin=OTHER, looks=(), **rules):
    found = doubts(sighting or _sighting(), MINE, [Twin(twin, 90_000)], looks, Rules(**rules))
    return [reason.code for reason in found]


def test_the_look_alikes_of_a_plate_are_those_taken_for_it_often_enough():
    assert lookalikes("粤B54250", ALIKE, 50_000) == {"鄂B54250": 90_000, "粤854250": 50_000}
    assert lookalikes("粤B54250", ALIKE, 40_000)["粤B5A250"] == 49_999


def test_a_twin_of_another_account_needs_a_proof_and_the_reason_has_the_numbers():
    [reason] = doubts(_sighting(), MINE, [Twin(OTHER, 90_000)], [], Rules())
    assert (reason.code, dict(reason.numbers)) == (
        "twin_needs_proof",
        {"alike_ppm": 90_000, "looks_asked": 0},
    )
    assert "鄂B54250" in reason.text


def test_a_twin_of_the_same_account_needs_none():
    assert _doubts(twin=replace(OTHER, account_id="a1")) == []


def test_a_colour_that_only_one_of_them_has_is_proof():
    assert _doubts(twin=replace(OTHER, colour="yellow")) == []
    assert _doubts(_sighting(colour="yellow"), twin=replace(OTHER, colour="yellow")) == ["twin_needs_proof"]


def _look(**changes):
    return _sighting(**({"sighting_id": "first", "camera": "entry", "pump": None} | changes))


@pytest.mark.parametrize(
    "look",
    [
        _look(),
        _look(wrong_ppm=10_000),
        _look(first_seen_at=NOW - timedelta(seconds=700), last_seen_at=NOW - timedelta(seconds=600)),
        _look(first_seen_at=NOW + timedelta(seconds=600), last_seen_at=NOW + timedelta(seconds=700)),
    ],
)
def test_the_same_text_from_another_camera_of_the_same_stay_is_proof(look):
    assert _doubts(looks=[look]) == []


@pytest.mark.parametrize(
    "look",
    [
        _look(text="鄂B54250"),
        _look(station="north"),
        _look(colour="green"),
        _look(wrong_ppm=10_001),
        _look(first_seen_at=NOW - timedelta(seconds=700), last_seen_at=NOW - timedelta(seconds=601)),
        _look(first_seen_at=NOW + timedelta(seconds=601), last_seen_at=NOW + timedelta(seconds=700)),
        _look(camera="pump-1"),
        _look(sighting_id="s"),
    ],
)
def test_another_text_station_colour_time_or_the_same_camera_is_no_proof(look):
    assert _doubts(looks=[look]) == ["twin_needs_proof"]


def test_both_are_flagged_when_the_second_is_bound(wallet, forecourt):
    first = forecourt.customer("粤B54250")
    [alone] = wallet.vehicles(first)
    assert wallet.twins.of(alone.id) == []
    second = forecourt.customer("鄂B54250")
    [other] = wallet.vehicles(second)
    [twin] = wallet.twins.of(alone.id)
    assert (twin.vehicle.plate, twin.alike_ppm) == ("鄂B54250", 90_000)
    assert [twin.vehicle.plate for twin in wallet.twins.of(other.id)] == ["粤B54250"]
    assert wallet.twins.pairs() == [("粤B54250", "鄂B54250", 90_000)]


@pytest.mark.parametrize("seen", ["粤B54250", "鄂B54250"])
def test_a_sighting_of_one_never_debits_the_other(wallet, forecourt, seen):
    accounts = {plate: forecourt.customer(plate) for plate in ("粤B54250", "鄂B54250")}
    arrival = forecourt.arrive(seen)
    assert arrival.match.outcome == "review"
    assert [reason.code for reason in arrival.match.reasons] == ["twin_needs_proof"]
    forecourt.sell(10_000)
    wallet.sweep(forecourt.at(20_000))
    assert {wallet.balance(account).principal_fen for account in accounts.values()} == {100_000}


def test_a_second_camera_that_agrees_lets_the_car_pay(wallet, forecourt):
    account = forecourt.customer("粤B54250")
    other = forecourt.customer("鄂B54250")
    entry = replace(forecourt.sighting("粤B54250", pump=None), camera="entry")
    wallet.arrive(entry, Posterior((("粤B54250", 999_500),), 500), forecourt.at(3))
    arrival = forecourt.arrive("粤B54250", seconds=60)
    assert arrival.match.outcome == "auto"
    forecourt.sell(10_000, started=90)
    assert wallet.balance(account).principal_fen == 90_000
    assert wallet.balance(other).principal_fen == 100_000


def test_a_second_camera_that_says_the_twin_is_no_proof(wallet, forecourt):
    forecourt.customer("粤B54250")
    forecourt.customer("鄂B54250")
    entry = replace(forecourt.sighting("鄂B54250", pump=None), camera="entry")
    wallet.arrive(entry, Posterior((("鄂B54250", 999_500),), 500), forecourt.at(3))
    assert forecourt.arrive("粤B54250", seconds=60).match.outcome == "review"


def _look_at_the_entry(wallet, forecourt, plate="粤B54250", **changes):
    """The entry's camera has read a plate with a twin; gives the id of what a person is asked about it."""
    entry = replace(forecourt.sighting(plate, pump=None), camera="entry", **changes)
    wallet.arrive(entry, Posterior(((plate, 999_500),), 500), forecourt.at(3))
    (item,) = wallet.reviews(state="open", kind="sighting")
    assert [reason.code for reason in item.reasons] == ["twin_needs_proof"]
    return item.id


@pytest.fixture
def pair(forecourt):
    """Two accounts whose plates are taken for each other."""
    return forecourt.customer("粤B54250"), forecourt.customer("鄂B54250")


def test_a_question_about_a_twin_ends_by_itself_once_the_pump_has_proved_the_car(wallet, forecourt, pair):
    asked = _look_at_the_entry(wallet, forecourt)
    arrival = forecourt.arrive("粤B54250", seconds=60)
    wallet.sweep(forecourt.at(70))
    assert wallet.review(asked).state == "closed"
    end = wallet.reviewing.item(asked, "li", forecourt.at(71)).end
    assert (end.ended_as, end.answer_id, end.plate) == ("settled_elsewhere", None, "粤B54250")
    assert (end.account_id, end.moved_fen) == (pair[0], 0)
    (told,) = [one.body for one in wallet.outbox.pending() if one.kind == "review_closed"]
    assert (told["why"], told["visit_id"]) == ("proven_by_another_look", arrival.visit.id)
    late = wallet.reviewing.answer(asked, Given("confirm"), key="late", actor="li", now=forecourt.at(72))
    assert late.code == "already_decided"
    # Nothing of the visit has changed: it pays as it would have.
    assert forecourt.sell(10_000, started=90).captured_fen == 10_000
    wallet.sweep(forecourt.at(200))


def test_a_question_about_a_neighbour_ends_by_itself_too(wallet, forecourt):
    forecourt.customer("粤B54250")
    forecourt.customer("粤B54258")
    chances = (("粤B54250", 995_000), ("粤B54258", 4_000))
    entry = replace(forecourt.sighting("粤B54250", pump=None, wrong_ppm=100), camera="entry")
    wallet.arrive(entry, Posterior(chances, 1_000), forecourt.at(3))
    (item,) = wallet.reviews(state="open", kind="sighting")
    at_pump = wallet.arrive(
        replace(forecourt.sighting("粤B54250", seconds=60), wrong_ppm=100),
        Posterior(chances, 1_000),
        forecourt.at(60),
    )
    assert ([reason.code for reason in item.reasons], at_pump.match.outcome) == (["look_alike"], "auto")
    wallet.sweep(forecourt.at(70))
    assert wallet.review(item.id).state == "closed"


def test_a_question_about_a_twin_stays_where_nothing_proved_the_car(wallet, forecourt, pair):
    asked = _look_at_the_entry(wallet, forecourt)
    forecourt.arrive("鄂B54250", seconds=60)
    wallet.sweep(forecourt.at(70))
    assert wallet.review(asked).state == "open"


@pytest.mark.parametrize("seconds", [700, 3_000])
def test_a_question_about_a_twin_is_not_answered_by_a_later_stay(wallet, forecourt, pair, seconds):
    asked = _look_at_the_entry(wallet, forecourt)
    again = replace(forecourt.sighting("粤B54250", None, seconds - 30), camera="entry")
    wallet.arrive(again, Posterior((("粤B54250", 999_500),), 500), forecourt.at(seconds - 27))
    assert forecourt.arrive("粤B54250", seconds=seconds).match.outcome == "auto"
    wallet.sweep(forecourt.at(seconds + 10))
    assert wallet.review(asked).state == "open"
    assert len(wallet.reviews(state="open")) == 1


def test_a_question_with_another_doubt_in_it_stays_a_persons(wallet, forecourt, pair):
    entry = replace(forecourt.sighting("粤B54250", pump=None, wrong_ppm=7_000), camera="entry")
    wallet.arrive(entry, Posterior((("粤B54250", 700_000),), 300_000), forecourt.at(3))
    (item,) = wallet.reviews(state="open", kind="sighting")
    assert {reason.code for reason in item.reasons} > {"twin_needs_proof"}
    assert forecourt.arrive("粤B54250", seconds=60).match.outcome == "auto"
    wallet.sweep(forecourt.at(70))
    assert wallet.review(item.id).state == "open"


def test_a_question_that_somebody_has_answered_is_left_to_people(wallet, forecourt, pair):
    asked = _look_at_the_entry(wallet, forecourt)
    forecourt.arrive("粤B54250", seconds=60)
    with wallet.engine.connect().execution_options(platepay_writes=True) as connection, connection.begin():
        answer = AnswerFact("a1", asked, Given("reject"), "li", forecourt.at(65))
        reviewing.add_answer(connection, answer)
    wallet.sweep(forecourt.at(70))
    assert wallet.review(asked).state == "open"


def test_once_the_twin_is_unbound_the_other_pays_alone(wallet, forecourt):
    forecourt.customer("粤B54250")
    forecourt.customer("鄂B54250")
    wallet.unbind_vehicle("鄂B54250", forecourt.at(1))
    assert forecourt.arrive("粤B54250", seconds=60).match.outcome == "auto"
    assert wallet.twins.pairs() == []


def test_two_plates_of_one_account_are_no_matter(wallet, forecourt):
    account = forecourt.customer("粤B54250")
    wallet.bind_vehicle(account, "鄂B54250", "blue", "second car", forecourt.at(1))
    assert forecourt.arrive("粤B54250", seconds=60).match.outcome == "auto"
    assert wallet.twins.pairs() == []


def test_the_nightly_refresh_finds_what_binding_did_not_see(engine, forecourt):
    unknowing = forecourt.wallet = open_wallet(str(engine.url), engine=engine)
    for plate in ("粤B54250", "鄂B54250", "粤B54259"):
        forecourt.customer(plate)
    assert unknowing.twins.pairs() == []
    knowing = open_wallet(str(engine.url), engine=engine, alike=ALIKE)
    seen = []
    assert knowing.twins.refresh(forecourt.at(10), seen.append) == (3, 1)
    assert seen == [3]
    assert knowing.twins.pairs() == [("粤B54250", "鄂B54250", 90_000)]
    assert not knowing.twins.refresh_when_due(forecourt.at(20), timedelta(hours=24))
    assert knowing.twins.refresh_when_due(forecourt.at(86_410), timedelta(hours=24))


def test_the_nightly_refresh_goes_through_all_plates_in_parts(forecourt, wallet, monkeypatch):
    monkeypatch.setattr("wallet.twins.AT_ONCE", 2)
    for plate in ("粤B54250", "鄂B54250", "粤B54259", "粤854250", "A54250粤"):
        forecourt.customer(plate)
    seen = []
    assert wallet.twins.refresh(forecourt.at(10), seen.append) == (5, 2)
    assert seen == [2, 4, 5]


def test_a_pair_that_no_reader_takes_for_each_other_is_kept_as_one_in_a_million(engine, forecourt):
    forecourt.customer("粤B54250")
    forecourt.customer("鄂B54250")
    unmixing = open_wallet(str(engine.url), Rules(twin_floor_ppm=1), engine=engine)
    unmixing.twins.refresh(forecourt.at(10))
    assert unmixing.twins.pairs() == [("粤B54250", "鄂B54250", 1)]


def test_a_better_reader_takes_the_mark_away(engine, forecourt, wallet):
    forecourt.customer("粤B54250")
    forecourt.customer("鄂B54250")
    better = open_wallet(str(engine.url), engine=engine, alike={"粤": {"鄂": 100}, "鄂": {"粤": 100}})
    better.twins.refresh(forecourt.at(10))
    assert better.twins.pairs() == []
    assert forecourt.arrive("粤B54250", seconds=60).match.outcome == "auto"
