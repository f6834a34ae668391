"""Money bugs that other plate-pay, billing and ledger projects had, as tests of ours.

Their names are those of the project and thread where the bug was described. Those of refunds, reversals and
corrections are in test_known_money_bugs.py.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from wallet.errors import KeyReused
from wallet.facts import ChannelPayment, PaymentAlreadyApplied, PaymentRefused

LATER = 40 * 24 * 3_600


def test_fifty_reads_of_one_car_are_one_hold(wallet, forecourt):
    """Rekor sends up to fifty reads a car; supervision #2578 makes 97 tracks of 7 things."""
    account_id = forecourt.customer("粤B12345", 1_000_000 // 4)
    for second in range(50):
        forecourt.arrive("粤B12345", seconds=second)
    assert (wallet.balance(account_id).held_fen, len(wallet.visits())) == (40_000, 1)


def test_a_plate_that_changes_after_it_was_reported_is_refused(wallet, forecourt):
    """Axis changes the plate of an event after NEW."""
    forecourt.customer("粤B12345")
    victim = forecourt.customer("粤B12346")
    forecourt.arrive("粤B12345", sighting_id="s1")
    with pytest.raises(KeyReused):
        forecourt.arrive("粤B12346", sighting_id="s1")
    assert wallet.balance(victim).held_fen == 0


def test_a_neighbour_at_one_character_never_pays(wallet, forecourt):
    """Frigate's match_distance 1: with 100,000 customers in a city, 79 % of plates have such a neighbour."""
    victims = [forecourt.customer(f"粤B1234{digit}") for digit in range(4)]
    for chance in (999_999, 900_000, 400_000):
        arrival = forecourt.arrive("粤B12349", seconds=chance % 97, candidates=(("粤B12340", chance),))
        assert arrival.match.outcome == "review"
    forecourt.sell(20_000)
    wallet.sweep(forecourt.at(100_000))
    assert [forecourt.total_fen(victim) for victim in victims] == [100_000] * 4


def test_a_key_does_not_expire(wallet, forecourt):
    """Qonto forgets a key after 30 minutes, Stripe after 24 hours: a late retry then moves money again."""
    account_id = forecourt.customer("粤B12345", 0)
    order = wallet.create_recharge_order(account_id, 20_000, "sandbox", "k", forecourt.at(0))
    payment = ChannelPayment("sandbox", "t1", order.id, 20_000, forecourt.at(1))
    wallet.channel_paid(payment, forecourt.at(1))
    assert (
        wallet.create_recharge_order(account_id, 20_000, "sandbox", "k", forecourt.at(LATER)).id == order.id
    )
    assert isinstance(wallet.channel_paid(payment, forecourt.at(LATER)), PaymentAlreadyApplied)
    forecourt.arrive("粤B12345")
    sale = forecourt.sale(5_000)
    wallet.record_sale(sale, forecourt.at(95))
    forecourt.arrive("粤B12345", seconds=LATER)
    assert wallet.record_sale(sale, forecourt.at(LATER)).repeated
    assert forecourt.total_fen(account_id) == 15_000


def test_an_answer_lost_after_the_commit_is_given_again(wallet, forecourt):
    """Kill Bill #1015, Medusa #16681: a time-out is taken for a failure and the work is done again."""
    account_id = forecourt.customer("粤B12345", 100_000)
    for _ in range(3):
        forecourt.arrive("粤B12345", sighting_id="s1")
    sale = forecourt.sale(20_000)
    answers = [wallet.record_sale(sale, forecourt.at(95 + second)) for second in range(3)]
    assert {(answer.state, answer.captured_fen, answer.visit_id) for answer in answers} == {
        ("captured", 20_000, wallet.visits()[0].id)
    }
    assert forecourt.total_fen(account_id) == 80_000


def test_a_hold_that_was_refused_cannot_be_captured(wallet, forecourt):
    """Blnk: a rejected inflight transaction could be committed."""
    account_id = forecourt.customer("粤B12345", 4_999)
    forecourt.arrive("粤B12345")
    assert forecourt.sell(4_000).state == "waiting"
    forecourt.recharge(account_id, 100_000)
    wallet.sweep(forecourt.at(100_000))
    assert forecourt.total_fen(account_id) == 104_999


def test_a_capture_is_never_above_its_hold(wallet, forecourt):
    """Blnk #62, #181: a commit could be larger than what was held."""
    account_id = forecourt.customer("粤B12345", 40_000)
    forecourt.arrive("粤B12345")
    assert forecourt.sell(40_001).captured_fen == 40_000
    assert forecourt.total_fen(account_id) == 0
    with pytest.raises(DBAPIError), wallet.engine.begin() as connection:
        connection.execute(text("UPDATE holds SET captured_fen = amount_fen + 1"))


def test_a_hold_is_released_once(wallet, forecourt):
    """Void twice: the second release would make money available that is not there."""
    account_id = forecourt.customer("粤B12345", 100_000)
    forecourt.arrive("粤B12345", sighting_id="s1")
    forecourt.sell(0)
    assert forecourt.sell(0, started=40).state == "waiting"
    wallet.depart("s1", forecourt.at(100), forecourt.at(100))
    for _ in range(3):
        wallet.sweep(forecourt.at(100_000))
    assert (wallet.balance(account_id).held_fen, wallet.balance(account_id).available_fen) == (0, 100_000)


def test_a_callback_of_another_amount_credits_nobody(wallet, forecourt):
    """Callbacks that trust the amount they carry: pay one fen, get the order."""
    account_id = forecourt.customer("粤B12345", 0)
    order = wallet.create_recharge_order(account_id, 20_000, "sandbox", "k", forecourt.at(0))
    cheap = ChannelPayment("sandbox", "t1", order.id, 1, forecourt.at(1))
    assert wallet.channel_paid(cheap, forecourt.at(1)) == PaymentRefused("amount_differs")
    assert wallet.channel_paid(replace(cheap, amount_fen=20_000), forecourt.at(2)) == PaymentRefused(
        "payment_differs"
    )
    assert forecourt.total_fen(account_id) == 0


def test_a_pump_at_which_another_car_stands_takes_nothing(wallet, forecourt):
    """DeepStream #37, Frigate #22991: the event is given to the wrong one of two cars in the picture."""
    here, there = forecourt.customer("粤B00001"), forecourt.customer("粤B00002")
    forecourt.arrive("粤B00001", pump="3")
    forecourt.arrive("粤B00002", pump="4")
    forecourt.sell(20_000, pump="4")
    assert (forecourt.total_fen(here), forecourt.total_fen(there)) == (100_000, 80_000)


def test_bonus_and_principal_are_never_mixed(wallet, forecourt):
    """A capture is written in parts that name where the money came from, and the parts make the whole."""
    forecourt.customer("粤B12345", 100_000)
    forecourt.arrive("粤B12345")
    forecourt.sell(20_000)
    with wallet.engine.connect() as connection:
        row = connection.execute(text("SELECT amount_fen, bonus_fen, principal_fen FROM captures")).one()
    assert tuple(row) == (20_000, 0, 20_000)
