"""What a wallet was at any past moment is what it said then; and stays end by the clock of the database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from wallet.errors import AccountUnknown
from wallet.facts import Balance
from wallet.store.clock import database_time


def test_the_past_of_a_wallet_is_what_it_said_at_the_time(wallet, forecourt):
    """After every step the balance is written down; at the end each of them is told again."""
    account_id = forecourt.customer("粤B12345", 0)
    said = {}

    def look(seconds):
        said[forecourt.at(seconds)] = (wallet.balance(account_id), wallet.statement(account_id))

    look(-1)
    forecourt.recharge(account_id, 60_000)
    look(0)
    by = {"actor": "wang", "now": forecourt.at(10)}
    wallet.commands.give_bonus(account_id, 700, "spring", key="b", **by)
    look(10)
    forecourt.arrive("粤B12345", seconds=20)
    look(25)
    charged = wallet.commands.charge(
        account_id, "demo", 1_000, "wash", key="c", actor="w", now=forecourt.at(30)
    )
    look(30)
    # Above the hold: what is available is taken as well, in the moment of the capture.
    forecourt.sell(50_000, started=40)
    look(100)
    later = {"actor": "wang", "now": forecourt.at(200)}
    wallet.commands.refund(400, "late", charge_id=charged.charge_id, key="r", **later)
    look(200)
    assert len({balance for balance, _ in said.values()}) == 7
    for moment, (balance, lines) in said.items():
        assert wallet.balance_at(account_id, moment) == balance, moment
        assert wallet.statement(account_id, at=moment) == lines, moment
    assert wallet.balance_at(account_id, forecourt.at(24)).held_fen == 40_000
    assert wallet.balance_at(account_id, forecourt.at(22)).held_fen == 0


def test_before_its_first_transfer_a_wallet_was_empty(wallet, forecourt):
    account_id = forecourt.customer("粤B12345")
    before = forecourt.at(-100)
    assert wallet.balance_at(account_id, before) == Balance(0, 0, 0, 0)
    assert wallet.statement(account_id, at=before) == []
    with pytest.raises(AccountUnknown):
        wallet.balance_at("nobody", before)


def test_pages_of_a_past_statement_lead_to_its_beginning(wallet, forecourt):
    account_id = forecourt.customer("粤B12345", 1)
    for amount in range(2, 8):
        forecourt.recharge(account_id, amount)
    now = forecourt.at(0)
    page = wallet.statement(account_id, 4, at=now)
    page += wallet.statement(account_id, 4, page[-1].id, at=now)
    assert [line.amount_fen for line in page] == [7, 6, 5, 4, 3, 2, 1]


def test_the_clock_of_the_database_is_a_clock(wallet):
    before = wallet.store.read(database_time)
    after = wallet.store.read(database_time)
    assert before.tzinfo is UTC
    assert before <= after
    assert abs(after - datetime.now(UTC)) < timedelta(minutes=5)


def test_stays_end_by_the_clock_of_the_database_whatever_the_service_thinks(wallet, forecourt):
    """A service three days ahead frees nothing; a stay that is over by the database's clock ends."""
    now = datetime.now(UTC)
    account_id = forecourt.customer("粤B00001")
    seconds = int((now - forecourt.at(0)).total_seconds())
    recent = forecourt.arrive("粤B00001", seconds=seconds, now=now).visit
    forecourt.customer("粤B00002")
    old = forecourt.arrive("粤B00002", pump="2", seconds=seconds - 90_000, now=now - timedelta(days=1)).visit
    ended = wallet.expire()
    assert [visit.id for visit in ended] == [old.id]
    assert (wallet.visit(recent.id).state, wallet.balance(account_id).held_fen) == ("open", 40_000)
