"""Commands that make no sense are refused by the name of what is wrong, whatever else is right with them."""

from __future__ import annotations

import pytest

from wallet.command_facts import Adjusted, Granted, Proposed, Refunded, Reversed
from wallet.errors import InvalidAmount, InvalidFact

PLATE = "粤B12345"
SENSELESS_FEN = [0, -1, 1.0, True, "1", None, 10**12 + 1]


@pytest.mark.parametrize("amount_fen", SENSELESS_FEN)
def test_an_amount_that_makes_no_sense_is_refused_by_every_command(wallet, forecourt, by, paid, amount_fen):
    account_id, visit_id = paid
    commands = wallet.commands
    for ask in (
        lambda: commands.refund(amount_fen, "r", visit_id=visit_id, **by()),
        lambda: commands.give_bonus(account_id, amount_fen, "c", **by()),
        lambda: commands.charge(account_id, "demo", amount_fen, "wash", **by()),
    ):
        with pytest.raises(InvalidAmount) as caught:
            ask()
        assert caught.value.what == "amount_fen"
    if amount_fen != -1:
        with pytest.raises(InvalidAmount) as caught:
            commands.propose_adjustment(account_id, "bonus", amount_fen, "r", **by())
        assert caught.value.what == "change_fen"


@pytest.mark.parametrize("words", ["", "  ", "x" * 201, "a\nb"])
def test_words_that_make_no_sense_are_refused_by_name(wallet, forecourt, by, paid, words):
    account_id, visit_id = paid
    (line, *_) = [line for line in wallet.statement(account_id) if line.kind == "capture"]
    asked = wallet.commands.propose_adjustment(account_id, "bonus", 1, "counted", **by()).adjustment_id
    commands, fees = wallet.commands, wallet.fees
    for what, ask in (
        ("reason", lambda: commands.refund(1, words, visit_id=visit_id, **by())),
        ("reason", lambda: commands.reverse(line.id, words, **by())),
        ("reason", lambda: commands.void(visit_id, words, **by())),
        ("reason", lambda: commands.propose_adjustment(account_id, "bonus", 1, words, **by())),
        ("proposed_by", lambda: commands.propose_adjustment(account_id, "bonus", 1, "r", **by(actor=words))),
        ("decided_by", lambda: commands.decide_adjustment(asked, approve=True, **by(actor=words))),
        ("campaign", lambda: commands.give_bonus(account_id, 1, words, **by())),
        ("reason", lambda: fees.set_terms("demo", 1, words, **by())),
        ("actor", lambda: fees.set_terms("demo", 1, "r", **by(actor=words))),
        ("station", lambda: fees.set_terms(words, 1, "r", **by())),
        ("actor", lambda: fees.settle(**by(actor=words))),
        ("station", lambda: fees.settle(station=words, **by())),
        ("key", lambda: commands.void(visit_id, "r", **{**by(), "key": words * 2})),
    ):
        with pytest.raises(InvalidFact) as caught:
            ask()
        assert caught.value.what == what


def test_names_and_words_one_character_too_long_are_refused(wallet, by, paid):
    _, visit_id = paid
    for what, ask in (
        ("key", lambda: wallet.commands.void(visit_id, "r", **{**by(), "key": "k" * 256})),
        ("actor", lambda: wallet.fees.set_terms("demo", 1, "r", **by(actor="x" * 101))),
        ("actor", lambda: wallet.fees.settle(**by(actor="x" * 101))),
        ("station", lambda: wallet.fees.funds("x" * 65)),
    ):
        with pytest.raises(InvalidFact) as caught:
            ask()
        assert caught.value.what == what


def test_words_as_long_as_may_be_are_taken(wallet, forecourt, by, paid):
    account_id, visit_id = paid
    commands, longest = wallet.commands, "x" * 200
    assert isinstance(commands.refund(1, longest, visit_id=visit_id, **by()), Refunded)
    assert isinstance(commands.give_bonus(account_id, 1, longest, **by()), Granted)
    proposed = commands.propose_adjustment(account_id, "bonus", 1, longest, **by(actor="x" * 100))
    assert isinstance(proposed, Proposed)
    done = commands.decide_adjustment(proposed.adjustment_id, approve=True, **by(actor="y" * 100))
    assert isinstance(done, Adjusted)
    line = next(line for line in wallet.statement(account_id) if line.kind == "capture")
    assert isinstance(commands.reverse(line.id, longest, **by()), Reversed)
    wallet.fees.set_terms("x" * 64, 1_000_000, longest, **by(actor="x" * 100))
    assert wallet.fees.settle(station="x" * 64, **{**by(actor="x" * 100), "key": "k" * 255}).settlements == 0


def test_a_refund_is_of_a_visit_or_a_charge_and_never_of_both(wallet, forecourt, by, paid):
    account_id, visit_id = paid
    charge_id = wallet.commands.charge(account_id, "demo", 3_000, "wash", **by()).charge_id
    for given, both in (
        (repr(visit_id), {"visit_id": visit_id, "charge_id": charge_id}),
        ("None", {}),
    ):
        with pytest.raises(InvalidFact) as caught:
            wallet.commands.refund(1, "r", **both, **by())
        assert (caught.value.what, caught.value.given) == ("visit_id", given)


@pytest.mark.parametrize(
    ("how", "what"),
    [
        ({"rate_ppm": -1}, "rate_ppm"),
        ({"rate_ppm": 1_000_001}, "rate_ppm"),
        ({"rate_ppm": True}, "rate_ppm"),
        ({"rate_ppm": 1, "fixed_fen": -1}, "fixed_fen"),
        ({"rate_ppm": 1, "station": "a/b"}, "station"),
    ],
)
def test_terms_out_of_range_are_refused_by_name(wallet, by, how, what):
    with pytest.raises((InvalidFact, InvalidAmount)) as caught:
        wallet.fees.set_terms(**{"station": "demo", "reason": "r", **how, **by()})
    assert caught.value.what == what
