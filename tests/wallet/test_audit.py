"""The audit finds a row that was edited by hand, and names it."""

from __future__ import annotations

import pytest

from wallet.audit import PROOFS
from wallet.review_facts import Given
from wallet.store.database import make_engine


@pytest.fixture
def day(wallet, forecourt):
    """A day with every kind of row, to be spoiled."""
    forecourt.spoiled = True
    forecourt.customer("粤B00001")
    forecourt.customer("粤B00002")
    forecourt.arrive("粤B00001", pump="1", sighting_id="s1")
    forecourt.sell(20_000, pump="1")
    forecourt.arrive("粤B00002", pump="2", sighting_id="s2")
    forecourt.arrive("粤B00001", pump="1", seconds=9_000, sighting_id="s3")
    forecourt.sell(90_000, pump="1", started=9_010)
    _commands(forecourt)
    _reviews(forecourt)
    _fees(forecourt)
    forecourt.must_add_up()
    return forecourt


def _commands(forecourt):
    """One of each command, for a customer of their own."""
    commands, numbers = forecourt.wallet.commands, iter(range(100))
    account_id = forecourt.customer("粤B00009", 50_000)
    visit = forecourt.arrive("粤B00009", pump="9").visit

    def by(actor="wang"):
        return {"key": f"k{next(numbers)}", "actor": actor, "now": forecourt.at(9_500)}

    commands.void(visit.id, "asked", **by())
    # One part pays for the first charge, which is its own transfer, and both for the second.
    commands.charge(account_id, "demo", 1_200, "car wash", **by())
    granted = commands.give_bonus(account_id, 3_000, "spring", **by())
    charged = commands.charge(account_id, "demo", 5_000, "car wash", **by())
    commands.refund(1_000, "too much", charge_id=charged.charge_id, **by())
    again = commands.give_bonus(account_id, 700, "spring", **by())
    commands.reverse(again.transfer_id, "not his", **by())
    proposed = commands.propose_adjustment(account_id, "principal", -250, "counted", **by())
    commands.decide_adjustment(proposed.adjustment_id, approve=True, **by("li"))
    assert granted.balance_fen == 51_800


def _reviews(forecourt):
    """A debit of 800 yuan that two people gave back."""
    reviewing, given = forecourt.wallet.reviewing, Given("reverse")
    by = {"now": forecourt.at(9_600)}
    (visit,) = [one for one in forecourt.wallet.visits(state="captured") if one.captured_fen == 80_000]
    waiting = reviewing.reverse_visit(visit.id, given, key="r1", actor="wang", **by)
    assert reviewing.answer(waiting.review_id, given, key="r2", actor="li", **by).moved_fen == 80_000


def _fees(forecourt):
    """What the sales of the day cost the station, settled."""
    fees, by = forecourt.wallet.fees, {"actor": "wang"}
    fees.set_terms("demo", 6_000, "contract", key="f1", now=forecourt.at(0), **by)
    forecourt.wallet.proving.seal(b"key", everything=True)
    settled = fees.settle(key="f2", now=forecourt.at(9_700), **by)
    assert (settled.debits, settled.refunds, settled.base_fen) == (4, 2, 25_200)


# What somebody with the database's password might do, and the proofs that must notice; the last
# member is what the finding must name.
EDITS = [
    (
        "UPDATE wallets SET principal_fen = principal_fen + 1",
        {"balance_is_fold_of_transfers", "legs_sum_to_zero"},
        "wallet ",
    ),
    (
        "UPDATE transfers SET amount_fen = amount_fen + 1 WHERE kind = 'recharge'",
        {"balance_is_fold_of_transfers", "running_balance_adds_up", "legs_sum_to_zero"},
        "transfer ",
    ),
    (
        "UPDATE transfers SET wallet_after_fen = wallet_after_fen + 1 WHERE kind = 'capture'",
        {"running_balance_adds_up"},
        "capture:demo/",
    ),
    (
        "DELETE FROM transfers WHERE kind = 'capture'",
        {"transfers_have_no_gap", "capture_is_transferred", "balance_is_fold_of_transfers"},
        "wallet ",
    ),
    (
        "UPDATE transfers SET name = 'x' || name WHERE kind = 'recharge'",
        {"payment_is_booked"},
        "payment sandbox/",
    ),
    (
        "UPDATE wallets SET held_fen = held_fen + 1 WHERE held_fen > 0",
        {"held_is_sum_of_live_holds"},
        "wallet ",
    ),
    ("UPDATE wallets SET held_fen = 200000", {"available_not_negative"}, "holds 200000"),
    (
        "DELETE FROM holds WHERE state = 'live'",
        {"one_hold_per_visit", "held_is_sum_of_live_holds"},
        "has 0 holds",
    ),
    (
        "UPDATE visits SET state = 'voided', ended_by = 'zero_sale', settled_at = opened_at"
        " WHERE state = 'open'",
        {"visit_fits_its_hold"},
        "is voided, its hold",
    ),
    (
        "UPDATE captures SET amount_fen = amount_fen + 1, principal_fen = principal_fen + 1",
        {"capture_within_hold", "capture_is_transferred", "sale_fits_its_capture"},
        "capture of visit ",
    ),
    (
        "DELETE FROM captures",
        {"one_capture_per_sale_and_visit", "capture_is_transferred"},
        "nothing was taken",
    ),
    ("UPDATE sales SET captured_fen = captured_fen - 1", {"sale_fits_its_capture"}, "sale demo/"),
    ("DELETE FROM reviews", {"sale_for_review_is_in_the_queue"}, "sale demo/"),
    ("DELETE FROM review_ends", {"closed_review_has_its_end"}, "its end is not there"),
    (
        "UPDATE review_answers SET action = 'reject' WHERE answered_by = 'wang'",
        {"two_people_agreed"},
        "decided by li and wang",
    ),
    (
        "UPDATE review_ends SET moved_fen = moved_fen + 1 WHERE ended_as = 'reversed'",
        {"review_moved_what_it_says"},
        "given back 80000",
    ),
    ("DELETE FROM matches WHERE sighting_id = 's3'", {"sighting_has_its_match"}, "sighting s3"),
    ("UPDATE matches SET plate = 'X' WHERE sighting_id = 's2'", {"match_fits_its_visit"}, "sighting s2"),
    ("UPDATE recharge_orders SET amount_fen = amount_fen + 1", {"paid_order_is_credited_once"}, "order "),
    ("UPDATE channel_payments SET amount_fen = amount_fen + 1", {"payment_is_booked"}, "payment sandbox/"),
    (
        "UPDATE transfers SET to_account = from_account, from_account = to_account WHERE kind = 'bonus'",
        {"balance_is_fold_of_transfers", "running_balance_adds_up"},
        "wallet ",
    ),
    (
        "UPDATE transfers SET to_account = 'marketing' WHERE kind = 'recharge'",
        {"transfer_touches_the_wallet_it_names"},
        "to marketing, not wallet ",
    ),
    (
        "UPDATE visits SET state = 'voided', ended_by = 'zero_sale' WHERE state = 'captured'",
        {"void_moved_nothing"},
        "was voided, but transfer ",
    ),
    ("UPDATE captures SET captured_at = '2026-01-01'", {"capture_is_transferred"}, "belongs to no capture"),
    ("UPDATE charges SET amount_fen = amount_fen + 1", {"charge_is_transferred"}, "charge "),
    (
        "UPDATE charges SET bonus_fen = bonus_fen - 1, principal_fen = principal_fen + 1",
        {"charge_is_transferred", "refunds_add_up"},
        "charge ",
    ),
    ("UPDATE charges SET station = 'other'", {"charge_is_transferred"}, "belongs to no charge"),
    (
        "UPDATE charges SET station = 'other' WHERE part IS NOT NULL",
        {"transfer_is_between_known_accounts"},
        "revenue:other",
    ),
    ("UPDATE refunds SET refunded_fen = refunded_fen + 1", {"refunds_add_up"}, "refund "),
    ("UPDATE refunds SET debited_fen = debited_fen + 1", {"refunds_add_up"}, "refund "),
    (
        "UPDATE refunds SET bonus_fen = bonus_fen + 1, principal_fen = principal_fen - 1",
        {"refunds_add_up"},
        "refund ",
    ),
    ("DELETE FROM refunds", {"refunds_add_up", "answer_has_its_rows"}, "belongs to no refund"),
    (
        "UPDATE transfers SET reverses_id = (SELECT MIN(id) FROM transfers)"
        " WHERE kind = 'reversal' AND refund_id IS NULL",
        {"reversal_takes_back_what_it_names"},
        "does not take back",
    ),
    (
        "UPDATE adjustment_decisions SET decided_by = proposed_by",
        {"adjustment_has_two_people", "answer_has_its_rows"},
        "approved by wang",
    ),
    ("UPDATE adjustments SET change_fen = -251", {"adjustment_has_two_people"}, "adjustment "),
    ("DELETE FROM adjustment_decisions", {"adjustment_has_two_people", "answer_has_its_rows"}, "is open"),
    ("DELETE FROM charges", {"transfers_have_no_gap", "balance_is_fold_of_transfers"}, "is missing"),
    ("UPDATE charges SET actor = NULL WHERE part IS NOT NULL", {"charge_is_answered_once"}, "do not fit"),
    (
        "UPDATE charges SET code = 'x', said = 'y' WHERE part IS NOT NULL",
        {"charge_is_transferred"},
        "its transfers move",
    ),
    ("UPDATE charges SET part = NULL", {"charge_is_transferred", "transfers_have_no_gap"}, "charge "),
    (
        "UPDATE charges SET account_id = 'x' WHERE part IS NOT NULL",
        {"transfer_is_between_known_accounts"},
        "wallet x",
    ),
    (
        "UPDATE charges SET wallet_version = 99 WHERE part IS NOT NULL",
        {"transfers_have_no_gap"},
        "is missing",
    ),
    (
        "UPDATE charges SET wallet_after_fen = wallet_after_fen - 1",
        {"running_balance_adds_up"},
        "the transfers up to it make",
    ),
    (
        "DELETE FROM commands WHERE scope = 'bonus'",
        {"money_moved_by_hand_was_commanded"},
        "was never commanded",
    ),
    ("DELETE FROM vehicles", {"named_answer_is_there"}, "which is not there"),
    (
        "UPDATE fee_lines SET fee_fen = fee_fen + 1",
        {"fee_settlement_is_what_it_covers", "fee_settlement_is_the_sum_of_its_lines"},
        "fee settlement demo/1",
    ),
    ("UPDATE fee_settlements SET number = 2", {"fee_settlements_follow_each_other"}, "settlement demo/2"),
    ("DELETE FROM fee_settlements", {"fee_is_transferred_as_settled"}, "belongs to no fee settlement"),
]


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("statement", "proofs", "names"), EDITS)
def test_an_edit_by_hand_is_found_and_named(wallet, day, statement, proofs, names, by_hand):
    by_hand(wallet, statement)
    wrong = {check.name: check.first_bad for check in wallet.audit().checks if not check.ok}
    assert proofs <= set(wrong)
    assert any(names in found for found in wrong.values()), wrong


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
def test_an_edit_by_hand_is_found_on_postgresql_too(wallet, day, by_hand):
    # The edits that no CHECK of PostgreSQL stops; its superuser cannot switch those off.
    for statement, proof in (
        ("UPDATE wallets SET principal_fen = principal_fen + 1", "balance_is_fold_of_transfers"),
        (
            "UPDATE transfers SET amount_fen = amount_fen + 1 WHERE kind = 'capture'",
            "running_balance_adds_up",
        ),
        ("DELETE FROM matches WHERE sighting_id = 's3'", "sighting_has_its_match"),
    ):
        by_hand(wallet, statement)
        wrong = {check.name: check.first_bad for check in wallet.audit().checks if not check.ok}
        assert proof in wrong


def test_every_proof_is_broken_by_some_edit():
    noticed = set().union(*(proofs for _, proofs, _ in EDITS))
    # The chain has a file of its own: test_chain.py.
    assert noticed == {proof.name for proof in PROOFS}


def test_the_audit_counts_what_it_looked_at(wallet, day):
    counts = {check.name: check.count for check in wallet.audit().checks}
    assert counts["sighting_has_its_match"] == 4
    assert counts["one_hold_per_visit"] == 4
    assert counts["one_capture_per_sale_and_visit"] == 2
    assert counts["running_balance_adds_up"] == 15
    assert counts["answer_has_its_rows"] == 11
    assert counts["charge_is_answered_once"] == 2
    assert wallet.audit().ok


def test_an_empty_ledger_adds_up(wallet):
    assert wallet.audit().ok


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_a_ledger_changed_by_another_process_is_seen_at_once(wallet, day, database_url):
    other = make_engine(database_url)
    with other.connect() as connection:
        raw = connection.connection.driver_connection
        raw.execute("UPDATE wallets SET principal_fen = principal_fen + 7")
    other.dispose()
    assert not wallet.audit().ok
