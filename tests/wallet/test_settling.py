"""What a sale takes from the hold of its visit, to the fen, and what becomes of the rest."""

from __future__ import annotations

import pytest

from wallet.limit_facts import Limits
from wallet.money import format_yuan

PLATE = "粤B12345"


def test_a_sale_of_nothing_frees_the_hold_and_tells_so(wallet, forecourt, told):
    account_id = forecourt.customer(PLATE)
    visit = forecourt.arrive(PLATE).visit
    done = wallet.record_sale(forecourt.sale(0, sale_id="none"), forecourt.at(95))
    assert (done.state, done.visit_id, done.captured_fen) == ("void", visit.id, 0)
    assert [reason.code for reason in done.reasons] == ["zero_sale"]
    body = {"visit_id": visit.id, "account_id": account_id, "released_fen": 40_000, "end": "zero_sale"}
    assert told("voided", "captured") == [("voided", body)]
    ended = wallet.visit(visit.id)
    assert (ended.state, ended.end, ended.settled_at) == ("voided", "zero_sale", forecourt.at(90))


def test_what_the_wallet_lacked_is_asked_of_a_person_with_the_amount_that_is_missing(wallet, forecourt):
    account_id = forecourt.customer(PLATE, 50_000)
    visit = forecourt.arrive(PLATE).visit
    done = wallet.record_sale(forecourt.sale(60_001, sale_id="large"), forecourt.at(95))
    assert (done.state, done.captured_fen) == ("captured", 50_000)
    [reason] = done.reasons
    assert reason.code == "amount_above_hold"
    assert "600.01 yuan is above the hold of 400.00 yuan; 100.01 yuan is missing" in reason.text
    (item,) = wallet.reviews()
    assert (item.kind, item.subject, item.amount_fen) == ("amount_above_hold", "demo/large", 10_001)
    assert (item.station, item.sale_id, item.sighting_id) == ("demo", "large", None)
    assert (item.visit_id, item.account_id) == (visit.id, account_id)
    assert (item.state, item.created_at, item.reasons) == ("open", forecourt.at(95), done.reasons)


def test_a_sale_above_the_hold_that_the_wallet_covers_says_that_the_hold_was_raised(wallet, forecourt):
    forecourt.customer(PLATE, 70_000)
    forecourt.arrive(PLATE)
    done = wallet.record_sale(forecourt.sale(60_001), forecourt.at(95))
    assert (done.captured_fen, [reason.code for reason in done.reasons]) == (60_001, ["hold_raised"])
    assert wallet.reviews() == []


def _expired(wallet, forecourt, money_fen, spent_fen, by):
    """The account of a visit whose hold of 400 yuan has expired; so much was spent since."""
    account_id = forecourt.customer(PLATE, money_fen)
    forecourt.arrive(PLATE, sighting_id="seen")
    wallet.depart("seen", forecourt.at(100), forecourt.at(100))
    assert [visit.end for visit in wallet.sweep(forecourt.at(500))] == ["left_without_sale"]
    if spent_fen:
        wallet.commands.charge(account_id, "demo", spent_fen, "wash", **by(501))
    return account_id


@pytest.mark.parametrize(
    ("spent_fen", "sold_fen", "taken_fen", "codes"),
    [
        (0, 20_000, 20_000, ["hold_expired"]),
        (0, 40_001, 40_000, ["hold_expired", "amount_above_hold"]),
        (90_000, 20_000, 10_000, ["hold_expired", "amount_above_hold"]),
        (99_999, 2, 1, ["hold_expired", "amount_above_hold"]),
    ],
)
def test_an_expired_hold_takes_the_least_of_sale_guarantee_and_wallet(
    wallet, forecourt, by, spent_fen, sold_fen, taken_fen, codes
):
    account_id = _expired(wallet, forecourt, 100_000, spent_fen, by)
    done = wallet.record_sale(forecourt.sale(sold_fen, ended=99), forecourt.at(502))
    assert (done.captured_fen, [reason.code for reason in done.reasons]) == (taken_fen, codes)
    if len(codes) > 1 and sold_fen <= 40_000:
        assert done.reasons[1].text == f"{format_yuan(sold_fen - taken_fen)} yuan is missing."
    assert forecourt.total_fen(account_id) == 100_000 - spent_fen - taken_fen
    assert [item.amount_fen for item in wallet.reviews()] == (
        [sold_fen - taken_fen] if len(codes) > 1 else []
    )


def test_a_sale_after_the_money_is_gone_goes_to_a_person_whole(wallet, forecourt, by):
    account_id = _expired(wallet, forecourt, 100_000, 100_000, by)
    sale = forecourt.sale(2_000, ended=99, sale_id="late")
    done = wallet.record_sale(sale, forecourt.at(502))
    assert (done.state, done.visit_id, done.captured_fen) == ("review", None, 0)
    assert [reason.code for reason in done.reasons] == ["hold_expired"]
    (item,) = wallet.reviews()
    assert (item.kind, item.amount_fen, item.account_id) == ("amount_above_hold", 2_000, account_id)
    assert item.visit_id == wallet.visits()[0].id


def test_a_sale_of_nothing_after_the_hold_expired_takes_nothing(wallet, forecourt, by):
    account_id = _expired(wallet, forecourt, 100_000, 0, by)
    done = wallet.record_sale(forecourt.sale(0, ended=99, sale_id="none"), forecourt.at(502))
    assert (done.state, done.visit_id, done.captured_fen) == ("void", None, 0)
    assert [reason.code for reason in done.reasons] == ["zero_sale"]
    assert wallet.sale("demo", "none")[1].captured_fen == 0
    assert forecourt.total_fen(account_id) == 100_000


@pytest.mark.parametrize(("sold_fen", "hold_fen"), [(39_999, 40_000), (40_000, 40_000), (40_001, 40_001)])
def test_a_hold_is_raised_by_what_its_sale_lacks_and_never_more(wallet, forecourt, sold_fen, hold_fen):
    forecourt.customer(PLATE)
    visit = forecourt.arrive(PLATE).visit
    assert forecourt.sell(sold_fen).captured_fen == sold_fen
    assert wallet.visit(visit.id).hold_fen == hold_fen


def test_a_sale_of_one_fen_is_a_sale(wallet, forecourt):
    account_id = forecourt.customer(PLATE)
    forecourt.arrive(PLATE)
    assert forecourt.sell(1).captured_fen == 1
    assert wallet.balance(account_id).available_fen == 99_999


@pytest.mark.parametrize(("sold_fen", "codes"), [(40_000, []), (40_001, ["hold_raised"])])
def test_a_sale_of_exactly_the_hold_is_not_above_it(wallet, forecourt, sold_fen, codes):
    forecourt.customer(PLATE)
    forecourt.arrive(PLATE)
    done = forecourt.sell(sold_fen)
    assert (done.captured_fen, [reason.code for reason in done.reasons]) == (sold_fen, codes)
    assert wallet.reviews() == []


def test_a_part_outside_the_limits_is_told_with_its_amount_and_reasons(wallet, forecourt, by, told):
    account_id = forecourt.customer(PLATE)
    wallet.limits.set_limits(account_id, PLATE, Limits(amount_per_fill_fen=20_000), **by(1))
    visit = forecourt.arrive(PLATE).visit
    wallet.record_sale(forecourt.sale(20_005, sale_id="above"), forecourt.at(95))
    [(_, body)] = told("outside_limits")
    assert body == {
        "account_id": account_id,
        "visit_id": visit.id,
        "station": "demo",
        "sale_id": "above",
        "amount_fen": 5,
        "reasons": [reason.code for reason in wallet.reviews()[0].reasons],
    }
    assert body["reasons"]
