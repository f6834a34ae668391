"""What each answer about each kind of review item does: docs/review.md, on SQLite and on PostgreSQL."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest

from wallet.command_facts import Rejected, Reviewed
from wallet.errors import InvalidFact, KeyReused, ReviewUnknown, VisitUnknown
from wallet.limit_facts import Limits
from wallet.review_facts import Given
from wallet.rules import Rules
from wallet.service import open_wallet

NUMBERS = itertools.count(1)
PLATE, OTHER, STRANGER = "粤B00001", "粤B00007", "粤B00009"


@pytest.fixture
def answer(forecourt):
    """Answers an item as somebody, at a second of the day; every answer has a key of its own."""

    def give(review_id, action, plate=None, *, by="li", seconds=60, key=None, **more):
        return forecourt.wallet.reviewing.answer(
            review_id,
            Given(action, plate, **more),
            key=key or f"answer-{next(NUMBERS)}",
            actor=by,
            now=forecourt.at(seconds),
        )

    return give


def _only(wallet, state="open", kind=None):
    (item,) = wallet.reviews(state=state, kind=kind)
    return item


def _doubtful(forecourt, text=PLATE, plate=PLATE, pump="1", seconds=0, **more):
    """A sighting that goes to a person with `plate` suggested; gives the item."""
    forecourt.arrive(
        text, pump, seconds, wrong_ppm=60_000, candidates=((plate, 900_000), (OTHER, 40_000)), **more
    )
    return _only(forecourt.wallet, kind="sighting")


# Sightings --------------------------------------------------------------------------------------------------


def test_a_confirmed_car_gets_its_visit_and_its_hold(wallet, forecourt, answer):
    account = forecourt.customer(PLATE)
    item = _doubtful(forecourt)
    done = answer(item.id, "confirm")
    assert (done.state, done.ended_as, done.plate, done.hold_fen) == ("closed", "visit_opened", PLATE, 40_000)
    assert wallet.balance(account).held_fen == 40_000
    assert wallet.review(item.id).state == "closed"
    assert wallet.authorise("demo", "1", forecourt.at(61)).limit_fen == 40_000
    assert forecourt.sell(12_000, started=70).captured_fen == 12_000
    assert forecourt.total_fen(account) == 88_000


def test_its_departure_ends_the_stay_that_a_person_opened(wallet, forecourt, answer):
    forecourt.customer(PLATE)
    item = _doubtful(forecourt, sighting_id="s1")
    done = answer(item.id, "confirm")
    assert wallet.depart("s1", forecourt.at(100), forecourt.at(101)).id == done.visit_id
    assert [visit.end for visit in wallet.sweep(forecourt.at(500))] == ["left_without_sale"]


def test_a_confirmed_car_pays_for_the_sale_that_waited(wallet, forecourt, answer):
    account = forecourt.customer(PLATE)
    item = _doubtful(forecourt)
    assert forecourt.sell(9_000).state == "waiting"
    done = answer(item.id, "confirm", seconds=120)
    assert (done.ended_as, done.moved_fen) == ("visit_opened", 9_000)
    assert forecourt.total_fen(account) == 91_000


def test_a_confirmed_car_pays_for_the_sale_that_went_to_a_person_and_its_item_closes(
    wallet, forecourt, answer
):
    account = forecourt.customer(PLATE, 7_000)
    forecourt.customer(OTHER)
    item = _doubtful(forecourt)
    sold = forecourt.sell(9_000)
    wallet.sweep(forecourt.at(800))
    asked = _only(wallet, kind="sale_without_visit")
    done = answer(item.id, "confirm", seconds=900)
    assert (done.ended_as, done.sale_id, done.moved_fen) == ("sale_settled", sold.sale_id, 7_000)
    assert forecourt.total_fen(account) == 0
    assert wallet.sale("demo", sold.sale_id)[1].state == "captured"
    assert wallet.review(asked.id).state == "closed"
    assert wallet.reviewing.item(asked.id, "li", forecourt.at(901)).end.ended_as == "settled_elsewhere"
    # What the wallet had not is a person's again.
    assert [one.kind for one in wallet.reviews(state="open")] == ["amount_above_hold"]
    assert answer(asked.id, "reject", seconds=902).code == "already_decided"


def test_a_car_that_is_long_gone_and_took_nothing_pays_nothing(wallet, forecourt, answer):
    account = forecourt.customer(PLATE)
    item = _doubtful(forecourt, sighting_id="s1")
    wallet.depart("s1", forecourt.at(30), forecourt.at(31))
    done = answer(item.id, "confirm", seconds=331)
    assert (done.ended_as, done.visit_id) == ("nothing_to_take", None)
    assert wallet.balance(account).held_fen == 0
    assert wallet.visits() == []


def test_a_confirmation_without_funds_is_rejected_and_the_item_stays(wallet, forecourt, answer):
    account = forecourt.customer(PLATE, 4_999)
    item = _doubtful(forecourt)
    first = answer(item.id, "confirm", key="k")
    assert (first, first.code) == (answer(item.id, "confirm", key="k"), "insufficient_balance")
    assert wallet.review(item.id).state == "open"
    forecourt.recharge(account, 100)
    assert answer(item.id, "confirm", key="k") == first
    assert answer(item.id, "confirm", key="another").ended_as == "visit_opened"


def test_a_corrected_car_pays_with_the_other_account(wallet, forecourt, answer):
    wrong, right = forecourt.customer(PLATE), forecourt.customer(STRANGER)
    item = _doubtful(forecourt)
    assert answer(item.id, "correct", PLATE).code == "same_plate"
    done = answer(item.id, "correct", "粤b·00009")
    assert (done.ended_as, done.plate, done.account_id) == ("visit_opened", STRANGER, right)
    assert (wallet.balance(wrong).held_fen, wallet.balance(right).held_fen) == (0, 40_000)


@pytest.mark.parametrize("plate", [None, "京A12345"])
def test_a_plate_that_is_nobodys_moves_nothing(wallet, forecourt, answer, plate):
    account = forecourt.customer(PLATE)
    done = answer(_doubtful(forecourt).id, "correct", plate)
    assert (done.ended_as, done.plate, done.account_id) == ("nobodys_plate", plate, None)
    assert wallet.balance(account).held_fen == 0


def test_a_rejected_car_moves_nothing_and_says_nothing_of_the_reading(wallet, forecourt, answer):
    forecourt.customer(PLATE)
    done = answer(_doubtful(forecourt).id, "reject", reason="he pays at the till")
    assert (done.ended_as, done.moved_fen) == ("rejected", 0)
    assert wallet.reviewing.corrections() == []


def test_an_unreadable_car_has_nothing_to_confirm_but_can_be_told(wallet, forecourt, answer):
    account = forecourt.customer(PLATE)
    forecourt.arrive(None)
    item = _only(wallet)
    assert wallet.reviewing.item(item.id, "li", forecourt.at(9)).allowed == ("correct", "reject")
    assert answer(item.id, "confirm").code == "action_not_possible"
    assert answer(item.id, "correct", PLATE).account_id == account


def test_a_plate_that_was_unbound_meanwhile_gets_no_hold(wallet, forecourt, answer):
    forecourt.customer(PLATE)
    item = _doubtful(forecourt)
    wallet.unbind_vehicle(PLATE, forecourt.at(30))
    assert answer(item.id, "confirm").code == "not_registered"
    assert answer(item.id, "reject").ended_as == "rejected"


def test_a_second_look_at_a_stay_joins_it(wallet, forecourt, answer):
    forecourt.customer(PLATE)
    visit = forecourt.arrive(PLATE).visit
    item = _doubtful(forecourt, seconds=20)
    done = answer(item.id, "confirm")
    assert (done.ended_as, done.visit_id, done.hold_fen) == ("stay_joined", visit.id, 0)


# Sales ------------------------------------------------------------------------------------------------------


def test_a_sale_without_a_picture_of_a_car_is_nobodys_to_charge(wallet, forecourt, answer):
    forecourt.customer(PLATE)
    forecourt.sell(9_000)
    wallet.sweep(forecourt.at(800))
    item = _only(wallet)
    assert wallet.reviewing.item(item.id, "li", forecourt.at(801)).allowed == ("correct", "reject")
    assert answer(item.id, "correct", PLATE, seconds=801).code == "no_evidence"
    assert answer(item.id, "reject", seconds=802).ended_as == "rejected"
    assert wallet.sale("demo", item.sale_id)[1].state == "review"


def test_a_sale_is_paid_by_whom_a_person_saw(wallet, forecourt, answer):
    account = forecourt.customer(PLATE)
    forecourt.arrive(None)
    sold = forecourt.sell(9_000)
    wallet.sweep(forecourt.at(800))
    item = _only(wallet, kind="sale_without_visit")
    done = answer(item.id, "correct", PLATE, seconds=900)
    assert (done.ended_as, done.sale_id, done.moved_fen) == ("sale_settled", sold.sale_id, 9_000)
    assert forecourt.total_fen(account) == 91_000
    assert wallet.sale("demo", sold.sale_id)[1].state == "captured"


def test_a_sale_after_the_hold_was_freed_is_paid_once_confirmed(wallet, forecourt, answer):
    account = forecourt.customer(PLATE)
    forecourt.arrive(PLATE, sighting_id="s1")
    wallet.depart("s1", forecourt.at(20), forecourt.at(20))
    wallet.sweep(forecourt.at(400))
    sold = forecourt.sell(9_000, started=420)
    wallet.sweep(forecourt.at(1_000))
    item = _only(wallet, kind="sale_without_visit")
    assert wallet.reviewing.item(item.id, "li", forecourt.at(1_000)).row.suggestion == PLATE
    done = answer(item.id, "confirm", seconds=1_001)
    assert (done.ended_as, done.sale_id, done.moved_fen) == ("sale_settled", sold.sale_id, 9_000)
    assert forecourt.total_fen(account) == 91_000


def test_a_stay_that_has_paid_does_not_pay_again(wallet, forecourt, answer):
    account = forecourt.customer(PLATE)
    forecourt.arrive(PLATE)
    forecourt.sell(9_000)
    forecourt.sell(8_000, started=200)
    wallet.sweep(forecourt.at(1_000))
    assert answer(_only(wallet).id, "confirm", seconds=1_001).code == "stay_has_paid"
    assert forecourt.total_fen(account) == 91_000


@pytest.fixture
def another_car(wallet, forecourt):
    """A customer at pump 1, then a stranger's car, then a sale; gives the account and the item."""
    account = forecourt.customer(PLATE)
    forecourt.arrive(PLATE)
    forecourt.arrive("京Z99999", seconds=20)
    forecourt.sell(9_000, started=40)
    return account, _only(wallet)


@pytest.mark.parametrize("hold_is_freed", [False, True])
def test_it_was_our_car_after_all(wallet, forecourt, answer, another_car, hold_is_freed):
    account, item = another_car
    assert item.kind == "another_car_at_pump"
    if hold_is_freed:
        wallet.commands.void(item.visit_id, "gone", key="v", actor="li", now=forecourt.at(150))
    done = answer(item.id, "confirm", seconds=200)
    assert (done.ended_as, done.moved_fen) == ("sale_settled", 9_000)
    assert forecourt.total_fen(account) == 91_000
    assert wallet.balance(account).held_fen == 0


def test_it_was_the_other_car(wallet, forecourt, answer, another_car):
    account, item = another_car
    assert answer(item.id, "correct", None, seconds=200).ended_as == "nobodys_plate"
    assert forecourt.total_fen(account) == 100_000


def test_of_two_cars_at_one_pump_a_person_says_which(wallet, forecourt, answer):
    first, second = forecourt.customer(PLATE), forecourt.customer(STRANGER)
    forecourt.arrive(PLATE, seconds=40)
    forecourt.arrive(STRANGER, seconds=50)
    forecourt.sell(9_000, started=30)
    item = _only(wallet)
    assert item.kind == "cars_at_one_pump"
    assert answer(item.id, "confirm", seconds=200).code == "action_not_possible"
    assert answer(item.id, "correct", STRANGER, seconds=200).ended_as == "sale_settled"
    assert (forecourt.total_fen(first), forecourt.total_fen(second)) == (100_000, 91_000)


# Debits that were wrong -------------------------------------------------------------------------------------


@pytest.fixture
def captured(wallet, forecourt):
    """A customer who has paid 9,000 fen; gives account and visit."""
    account = forecourt.customer(PLATE)
    visit = forecourt.arrive(PLATE).visit
    forecourt.sell(9_000)
    return account, visit.id


def _reverse(wallet, visit_id, forecourt, by="li", key=None, seconds=300, **more):
    given = Given("reverse", **more)
    key = key or f"reverse-{next(NUMBERS)}"
    return wallet.reviewing.reverse_visit(visit_id, given, key=key, actor=by, now=forecourt.at(seconds))


def test_a_reversal_happens_once_however_often_it_is_clicked(wallet, forecourt, captured):
    account, visit_id = captured
    first = _reverse(wallet, visit_id, forecourt, key="click")
    assert (first.ended_as, first.moved_fen) == ("reversed", 9_000)
    assert forecourt.total_fen(account) == 100_000
    assert [_reverse(wallet, visit_id, forecourt, key="click") for _ in range(4)] == [first] * 4
    assert _reverse(wallet, visit_id, forecourt).code == "already_reversed"
    assert forecourt.total_fen(account) == 100_000


def test_ten_people_who_click_at_once_give_the_money_back_once(wallet, forecourt, captured):
    account, visit_id = captured
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda n: _reverse(wallet, visit_id, forecourt, by=f"p{n}"), range(10)))
    assert [type(one) for one in answers].count(Reviewed) == 1
    assert {one.code for one in answers if isinstance(one, Rejected)} == {"already_reversed"}
    assert forecourt.total_fen(account) == 100_000


def test_only_what_is_left_goes_back(wallet, forecourt, captured):
    account, visit_id = captured
    wallet.commands.refund(4_000, "dry", visit_id=visit_id, key="r", actor="li", now=forecourt.at(200))
    assert _reverse(wallet, visit_id, forecourt).moved_fen == 5_000
    assert forecourt.total_fen(account) == 100_000


def test_a_visit_that_took_nothing_cannot_be_reversed(wallet, forecourt):
    forecourt.customer(PLATE)
    visit = forecourt.arrive(PLATE).visit
    assert _reverse(wallet, visit.id, forecourt).code == "nothing_captured"
    assert wallet.reviews() == []
    with pytest.raises(VisitUnknown):
        _reverse(wallet, "none", forecourt)


def test_what_was_above_the_hold_can_be_let_go_or_given_back(wallet, forecourt, answer):
    for number, (action, end) in enumerate((("reject", "rejected"), ("reverse", "reversed"))):
        plate, pump = f"粤B1000{number}", str(number + 3)
        account = forecourt.customer(plate, 10_000)
        forecourt.arrive(plate, pump)
        forecourt.sell(15_000, pump)
        item = _only(wallet, kind="amount_above_hold")
        assert wallet.reviewing.item(item.id, "li", forecourt.at(99)).allowed == ("reject", "reverse")
        assert answer(item.id, action, seconds=100).ended_as == end
        assert forecourt.total_fen(account) == (10_000 if action == "reverse" else 0)


# Two people -------------------------------------------------------------------------------------------------


@pytest.fixture
def strict(database_url, engine, forecourt):
    """The same station with two people above 50 yuan."""
    wallet = open_wallet(database_url, Rules(two_person_fen=5_000), engine=engine)
    forecourt.wallet = wallet
    return wallet


def test_two_different_people_must_agree_and_the_second_answers_blind(strict, forecourt, answer):
    account = forecourt.customer(PLATE)
    item = _doubtful(forecourt)
    first = answer(item.id, "confirm", by="li")
    assert (first.state, first.ended_as) == ("waiting", None)
    assert strict.balance(account).held_fen == 0
    assert answer(item.id, "confirm", by="li").code == "already_answered"
    seen = strict.reviewing.item(item.id, "wang", forecourt.at(61))
    assert (seen.people_needed, seen.answers, seen.row.answers_in) == (2, (), 1)
    assert len(strict.reviewing.item(item.id, "li", forecourt.at(61)).answers) == 1
    assert answer(item.id, "confirm", by="wang").ended_as == "visit_opened"
    assert strict.balance(account).held_fen == 40_000


def test_who_disagrees_sends_it_to_a_third_who_sees_both(strict, forecourt, answer):
    account = forecourt.customer(PLATE)
    item = _doubtful(forecourt)
    answer(item.id, "confirm", by="li")
    assert answer(item.id, "reject", by="wang").state == "disputed"
    shown = strict.reviewing.item(item.id, "chen", forecourt.at(61)).answers
    assert [(one.answered_by, one.given.action) for one in shown] == [("li", "confirm"), ("wang", "reject")]
    assert answer(item.id, "correct", None, by="chen").state == "disputed"
    assert answer(item.id, "reject", by="zhou").ended_as == "rejected"
    assert strict.balance(account).held_fen == 0


def test_a_large_reversal_waits_for_a_second_person(strict, forecourt, answer):
    account = forecourt.customer(PLATE)
    visit = forecourt.arrive(PLATE).visit
    forecourt.sell(9_000)
    assert _reverse(strict, visit.id, forecourt).state == "waiting"
    assert forecourt.total_fen(account) == 91_000
    item = _only(strict, kind="wrong_debit")
    assert answer(item.id, "reverse", by="wang", seconds=400).ended_as == "reversed"
    assert forecourt.total_fen(account) == 100_000


def test_a_large_sale_makes_the_confirmation_of_its_car_need_two(wallet, forecourt, answer):
    forecourt.customer(PLATE, 100_000)
    item = _doubtful(forecourt)
    forecourt.sell(60_000)
    assert answer(item.id, "confirm", seconds=120).state == "waiting"
    assert answer(item.id, "confirm", by="wang", seconds=121).moved_fen == 60_000


def test_of_two_reviewers_at_once_one_wins_and_the_other_is_told(wallet, forecourt, answer):
    account = forecourt.customer(PLATE)
    item = _doubtful(forecourt)
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda who: answer(item.id, "confirm", by=who), ("li", "wang")))
    assert sorted(type(one).__name__ for one in both) == ["Rejected", "Reviewed"]
    assert [one.code for one in both if isinstance(one, Rejected)] == ["already_decided"]
    assert wallet.balance(account).held_fen == 40_000


def test_the_same_key_means_the_same_person_and_answer(wallet, forecourt, answer):
    forecourt.customer(PLATE)
    item = _doubtful(forecourt)
    first = answer(item.id, "confirm", key="k")
    assert answer(item.id, "confirm", key="k", seconds=99) == first
    for other in ({"by": "wang"}, {"reason": "because"}):
        with pytest.raises(KeyReused):
            answer(item.id, "confirm", key="k", **other)


def test_what_makes_no_sense_is_refused(wallet, forecourt, answer):
    forecourt.customer(PLATE)
    item = _doubtful(forecourt)
    with pytest.raises(InvalidFact):
        answer(item.id, "delete")
    with pytest.raises(InvalidFact):
        answer(item.id, "confirm", PLATE)
    with pytest.raises(ReviewUnknown):
        answer("none", "reject")


# The clock --------------------------------------------------------------------------------------------------


def test_the_queue_is_sorted_by_what_is_due_first(wallet, forecourt):
    forecourt.customer(PLATE)
    forecourt.sell(9_000, pump="2", started=0, ended=0)
    wallet.sweep(forecourt.at(301))
    forecourt.arrive(None, pump="1", seconds=900)
    forecourt.arrive(None, pump="3", seconds=1_000)
    now = forecourt.at(1_100)
    rows = wallet.reviewing.queue("li", now)
    assert [row.review.kind for row in rows] == ["sighting", "sighting", "sale_without_visit"]
    assert [row.due_at for row in rows] == sorted(row.due_at for row in rows)
    assert wallet.reviewing.waiting(forecourt.at(1_030)) == {"sale_without_visit": (1, 0), "sighting": (2, 1)}
    pages = [row.review.id for row in wallet.reviewing.queue("li", now, limit=2)]
    pages += [row.review.id for row in wallet.reviewing.queue("li", now, limit=2, after=pages[-1])]
    assert pages == [row.review.id for row in rows]
    assert [row.review.kind for row in wallet.reviewing.queue("li", now, kind="sale_without_visit")] == [
        "sale_without_visit"
    ]
    assert wallet.reviewing.queue("li", now, station="elsewhere") == []
    with pytest.raises(ReviewUnknown):
        wallet.reviewing.queue("li", now, after="none")


def test_an_item_shows_reading_suggestion_runner_up_and_margin(wallet, forecourt):
    forecourt.customer(PLATE)
    forecourt.customer(OTHER)
    item = _doubtful(forecourt, text="粤B0000I")
    shown = wallet.reviewing.item(item.id, "li", forecourt.at(9))
    row = shown.row
    assert (row.text, row.suggestion, row.runner_up, row.margin_ppm) == ("粤B0000I", PLATE, OTHER, 860_000)
    assert shown.allowed == ("confirm", "correct", "reject")
    assert shown.candidates == ((PLATE, 900_000), (OTHER, 40_000))
    assert len(shown.sighting.positions) == 7


# What a person may decide, and what not ---------------------------------------------------------------------


def test_a_person_who_looked_tells_registered_look_alikes_apart(database_url, engine, forecourt, answer):
    alike = {"1": {"7": 90_000}, "7": {"1": 90_000}}
    forecourt.wallet = open_wallet(database_url, engine=engine, alike=alike)
    account, twin = forecourt.customer(PLATE), forecourt.customer(OTHER)
    seen = forecourt.arrive(PLATE)
    assert [reason.code for reason in seen.match.reasons] == ["twin_needs_proof"]
    done = answer(_only(forecourt.wallet).id, "confirm")
    assert (done.ended_as, done.account_id) == ("visit_opened", account)
    assert forecourt.wallet.balance(twin).held_fen == 0


def test_a_limit_of_the_customer_holds_for_people_too(wallet, forecourt, answer):
    account = forecourt.customer(PLATE)
    by = {"actor": "li", "now": forecourt.at(0)}
    wallet.limits.set_limits(account, PLATE, Limits(grades=("95",)), key="l1", **by)
    item = _doubtful(forecourt)
    forecourt.sell(9_000)
    wallet.sweep(forecourt.at(800))
    assert answer(item.id, "confirm", seconds=900).code == "grade_not_allowed"
    assert (forecourt.total_fen(account), wallet.balance(account).held_fen) == (100_000, 0)
    wallet.limits.set_limits(account, PLATE, Limits(amount_per_fill_fen=4_000), key="l2", **by)
    done = answer(item.id, "confirm", seconds=901)
    assert (done.ended_as, done.moved_fen) == ("sale_settled", 4_000)
    assert [one.kind for one in wallet.reviews(state="open")] == ["outside_limits"]


def test_a_frozen_plate_gets_no_hold_from_a_person_either(wallet, forecourt, answer):
    account = forecourt.customer(PLATE)
    item = _doubtful(forecourt)
    wallet.limits.freeze(PLATE, "stolen", key="f", actor="li", now=forecourt.at(20))
    assert answer(item.id, "confirm").code == "frozen"
    assert wallet.balance(account).held_fen == 0
    assert answer(item.id, "reject").ended_as == "rejected"
