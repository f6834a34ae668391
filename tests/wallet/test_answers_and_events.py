"""What a command answers, what it tells the outbox and which transfers it writes: every field, exactly."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text

from wallet.command_facts import (
    Adjusted,
    Declined,
    Granted,
    Proposed,
    Refunded,
    Rejected,
    Reversed,
    Voided,
)
from wallet.fee_facts import FeesSettled
from wallet.tables import ledger_transfers

KEY = b"the key of this service"
PLATE = "粤B12345"
COLUMNS = [
    *("name", "kind", "from_account", "to_account", "amount_fen", "recorded_at"),
    *("account_id", "wallet_version", "wallet_after_fen"),
    *("visit_id", "station", "sale_id", "charge_id", "refund_id", "adjustment_id", "reverses_id"),
]


def _moved(wallet, *kinds):
    """The transfers of these kinds, oldest first, each as the columns that say what it is about."""
    table = ledger_transfers.c
    with wallet.engine.connect() as connection:
        query = select(*[table[name] for name in COLUMNS]).where(table.kind.in_(kinds))
        rows = connection.execute(query.order_by(table.account_id, table.wallet_version, table.id)).all()
    return [
        {name: value for name, value in zip(COLUMNS, row, strict=True) if value is not None} for row in rows
    ]


# A sale -----------------------------------------------------------------------------------------------------


def test_a_capture_tells_whose_it_was_what_it_took_and_what_is_left(wallet, forecourt, paid, told):
    account_id, visit_id = paid
    assert told("captured") == [
        (
            "captured",
            {
                "visit_id": visit_id,
                "account_id": account_id,
                "station": "demo",
                "sale_id": "s1",
                "amount_fen": 20_000,
                "captured_fen": 20_000,
                "balance_fen": 85_000,
            },
        )
    ]
    both = {
        "kind": "capture",
        "to_account": "revenue:demo",
        "account_id": account_id,
        "visit_id": visit_id,
        "station": "demo",
        "sale_id": "s1",
        "recorded_at": forecourt.at(95),
    }
    assert _moved(wallet, "capture") == [
        {
            "name": "capture:demo/s1:bonus",
            "from_account": f"wallet:{account_id}:bonus",
            "amount_fen": 5_000,
            "wallet_version": 3,
            "wallet_after_fen": 100_000,
            **both,
        },
        {
            "name": "capture:demo/s1:principal",
            "from_account": f"wallet:{account_id}:principal",
            "amount_fen": 15_000,
            "wallet_version": 4,
            "wallet_after_fen": 85_000,
            **both,
        },
    ]
    with wallet.engine.connect() as connection:
        kept = connection.execute(text("SELECT * FROM captures")).mappings().one()
    assert (kept["bonus_fen"], kept["principal_fen"], kept["amount_fen"]) == (5_000, 15_000, 20_000)
    visit = wallet.visit(visit_id)
    assert (visit.state, visit.end, visit.settled_at) == ("captured", "captured", forecourt.at(90))


# Refunds and reversals --------------------------------------------------------------------------------------


def test_a_refund_answers_tells_and_writes_the_same(wallet, forecourt, by, paid, told):
    account_id, visit_id = paid
    first = wallet.commands.refund(4_000, "spilled", visit_id=visit_id, **by(500))
    done = wallet.commands.refund(1_000, "again", visit_id=visit_id, **by(501))
    assert done == Refunded(
        refund_id=done.refund_id,
        account_id=account_id,
        visit_id=visit_id,
        charge_id=None,
        amount_fen=1_000,
        bonus_fen=250,
        principal_fen=750,
        refunded_fen=5_000,
        debited_fen=20_000,
        balance_fen=90_000,
    )
    bodies = [body for _, body in told("refunded")]
    assert [body["refund_id"] for body in bodies] == [first.refund_id, done.refund_id]
    assert bodies[1] == {name: getattr(done, name) for name in bodies[1]}
    assert len(bodies[1]) == 10
    about = {"visit_id": visit_id, "station": "demo", "sale_id": "s1", "account_id": account_id}
    common = {"kind": "refund", "from_account": "revenue:demo", **about}
    rows = _moved(wallet, "refund")
    assert rows[2:] == [
        {
            "name": f"refund:{done.refund_id}:{part}",
            "to_account": f"wallet:{account_id}:{part}",
            "amount_fen": amount_fen,
            "wallet_version": version,
            "wallet_after_fen": after_fen,
            "refund_id": done.refund_id,
            "recorded_at": forecourt.at(501),
            **common,
        }
        for part, amount_fen, version, after_fen in (("bonus", 250, 7, 89_250), ("principal", 750, 8, 90_000))
    ]
    with wallet.engine.connect() as connection:
        kept = connection.execute(text("SELECT * FROM refunds ORDER BY number")).mappings().all()
    assert [(row["number"], row["reason"], row["kind"]) for row in kept] == [
        (1, "spilled", "refund"),
        (2, "again", "refund"),
    ]


def test_a_refund_of_a_charge_names_the_charge(wallet, forecourt, by):
    account_id = forecourt.customer(PLATE)
    charge_id = wallet.commands.charge(account_id, "north", 3_000, "wash", **by(1)).charge_id
    done = wallet.commands.refund(1_000, "dry", charge_id=charge_id, **by(2))
    assert (done.charge_id, done.visit_id, done.debited_fen) == (charge_id, None, 3_000)
    [row] = _moved(wallet, "refund")
    assert (row["charge_id"], row["station"], row["from_account"]) == (charge_id, "north", "revenue:north")
    assert "visit_id" not in row
    assert "sale_id" not in row


def test_a_reversal_of_a_capture_names_each_transfer_it_takes_back(wallet, forecourt, by, paid, told):
    account_id, visit_id = paid
    taken = {line.part: line.id for line in wallet.statement(account_id) if line.kind == "capture"}
    wallet.commands.refund(4_000, "spilled", visit_id=visit_id, **by(500))
    done = wallet.commands.reverse(taken["bonus"], "wrong car", **by(600))
    back = {line.part: line.id for line in wallet.statement(account_id) if line.kind == "reversal"}
    assert done == Reversed(
        transfer_ids=(back["bonus"], back["principal"]),
        reversed_ids=(taken["bonus"], taken["principal"]),
        account_id=account_id,
        amount_fen=16_000,
        refund_id=done.refund_id,
        balance_fen=105_000,
    )
    [(_, body)] = told("reversed")
    assert body == {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in ((name, getattr(done, name)) for name in body)
    }
    rows = _moved(wallet, "reversal")
    assert [(row["reverses_id"], row["amount_fen"]) for row in rows] == [
        (taken["bonus"], 4_000),
        (taken["principal"], 12_000),
    ]
    assert {(row["visit_id"], row["sale_id"], row["refund_id"]) for row in rows} == {
        (visit_id, "s1", done.refund_id)
    }
    with wallet.engine.connect() as connection:
        kept = connection.execute(text("SELECT * FROM refunds WHERE kind = 'reversal'")).mappings().one()
    assert (kept["reason"], kept["number"], kept["amount_fen"]) == ("wrong car", 2, 16_000)


def test_a_reversal_of_a_debit_that_one_part_paid_names_that_part_only(wallet, forecourt, by):
    account_id = forecourt.customer(PLATE)
    charge_id = wallet.commands.charge(account_id, "demo", 3_000, "wash", **by(1)).charge_id
    done = wallet.commands.reverse(charge_id, "wrong car", **by(2))
    assert done.reversed_ids == (charge_id,)
    assert len(done.transfer_ids) == 1
    again = wallet.commands.reverse(charge_id, "wrong car", **by(3))
    assert again.code == "already_reversed"
    assert f"charge:{charge_id}" in again.text


@pytest.mark.parametrize(("change_fen", "after_fen"), [(700, 100_000), (-700, 100_000)])
def test_a_reversal_of_an_adjustment_writes_its_opposite(wallet, forecourt, by, change_fen, after_fen, told):
    account_id = forecourt.customer(PLATE)
    proposed = wallet.commands.propose_adjustment(account_id, "principal", change_fen, "counted", **by(1))
    wallet.commands.decide_adjustment(proposed.adjustment_id, approve=True, **by(2, actor="li"))
    [row] = _moved(wallet, "adjustment")
    line = wallet.statement(account_id, limit=1)[0]
    done = wallet.commands.reverse(line.id, "wrong", **by(3))
    [back] = _moved(wallet, "reversal")
    assert done == Reversed(done.transfer_ids, (line.id,), account_id, 700, None, after_fen)
    assert back == {
        **row,
        "name": f"reversal:{row['name']}",
        "kind": "reversal",
        "from_account": row["to_account"],
        "to_account": row["from_account"],
        "wallet_version": row["wallet_version"] + 1,
        "wallet_after_fen": after_fen,
        "reverses_id": line.id,
        "recorded_at": forecourt.at(3),
    }
    [(_, body)] = told("reversed")
    assert (body["reversed_ids"], body["amount_fen"], body["refund_id"]) == ([line.id], 700, None)


def test_a_reversal_takes_the_last_fen_that_is_free_and_not_one_that_is_held(wallet, forecourt, by):
    account_id = forecourt.customer(PLATE, 40_000)
    granted = [wallet.commands.give_bonus(account_id, 300, "spring", **by(1)).transfer_id for _ in range(2)]
    wallet.commands.charge(account_id, "demo", 300, "wash", **by(2))
    forecourt.arrive(PLATE)
    assert wallet.balance(account_id).available_fen == 300
    assert isinstance(wallet.commands.reverse(granted[0], "ended", **by(3)), Reversed)
    refused = wallet.commands.reverse(granted[1], "ended", **by(4))
    assert refused.code == "insufficient_balance"


# Bonus, adjustment, void ------------------------------------------------------------------------------------


def test_a_bonus_answers_tells_and_writes_the_same(wallet, forecourt, by, told):
    account_id = forecourt.customer(PLATE, 1_000)
    done = wallet.commands.give_bonus(account_id, 1, "spring", **by(7))
    assert done == Granted(done.transfer_id, account_id, 1, 1_001)
    [(_, body)] = told("bonus_granted")
    assert body == {name: getattr(done, name) for name in body}
    assert _moved(wallet, "bonus") == [
        {
            "name": f"bonus:{done.transfer_id}",
            "kind": "bonus",
            "from_account": "marketing",
            "to_account": f"wallet:{account_id}:bonus",
            "amount_fen": 1,
            "account_id": account_id,
            "wallet_version": 2,
            "wallet_after_fen": 1_001,
            "recorded_at": forecourt.at(7),
        }
    ]


@pytest.mark.parametrize(("part", "other"), [("principal", "adjustment"), ("bonus", "marketing")])
def test_an_adjustment_tells_who_proposed_what_and_what_came_of_it(wallet, forecourt, by, part, other, told):
    account_id = forecourt.customer(PLATE, 1_000)
    proposed = wallet.commands.propose_adjustment(account_id, part, 1, "counted", **by(7))
    assert proposed == Proposed(proposed.adjustment_id, account_id, part, 1)
    done = wallet.commands.decide_adjustment(proposed.adjustment_id, approve=True, **by(8, actor="li"))
    assert done == Adjusted(proposed.adjustment_id, account_id, part, 1, 1_001)
    second = wallet.commands.propose_adjustment(account_id, part, -1, "counted", **by(9))
    declined = wallet.commands.decide_adjustment(second.adjustment_id, approve=False, **by(10, actor="li"))
    assert declined == Declined(second.adjustment_id)
    assert told("adjustment_proposed", "adjusted", "adjustment_declined") == [
        ("adjustment_proposed", {**_members(proposed)}),
        ("adjusted", {**_members(done)}),
        ("adjustment_proposed", {**_members(second)}),
        ("adjustment_declined", {"adjustment_id": second.adjustment_id}),
    ]
    [row] = _moved(wallet, "adjustment")
    assert (row["from_account"], row["to_account"]) == (other, f"wallet:{account_id}:{part}")
    assert (row["adjustment_id"], row["amount_fen"]) == (proposed.adjustment_id, 1)
    kept = wallet.commands.adjustment(second.adjustment_id)
    assert (kept.decision, kept.decided_by, kept.decided_at) == ("declined", "li", forecourt.at(10))
    assert (kept.reason, kept.proposed_by, kept.proposed_at) == ("counted", "wang", forecourt.at(9))
    refused = wallet.commands.decide_adjustment(second.adjustment_id, approve=True, **by(11, actor="zhao"))
    assert refused == Rejected("already_decided", "It was declined by li.")


def _members(answer):
    return {name: getattr(answer, name) for name in answer.__slots__}


def test_a_hold_that_is_released_by_hand_is_told_as_such(wallet, forecourt, by, told):
    account_id = forecourt.customer(PLATE)
    visit = forecourt.arrive(PLATE).visit
    assert wallet.commands.void(visit.id, "asked", **by(8)) == Voided(visit.id, account_id, 40_000)
    body = {"visit_id": visit.id, "account_id": account_id, "released_fen": 40_000}
    assert told("voided") == [("voided", {**body, "end": "voided_by_operator"})]
    ended = wallet.visit(visit.id)
    assert (ended.state, ended.end, ended.settled_at) == ("voided", "voided_by_operator", forecourt.at(8))


# Fees -------------------------------------------------------------------------------------------------------


def test_a_settlement_of_fees_answers_tells_and_writes_the_same(wallet, forecourt, by, told):
    account_id = forecourt.customer(PLATE)
    agreed = [
        wallet.fees.set_terms("demo", 100_000, "contract", fixed_fen=3, **by(1)),
        wallet.fees.set_terms("demo", 200_000, "dearer", **by(50)),
    ]
    charges = [
        wallet.commands.charge(account_id, "demo", amount_fen, "wash", **by(second)).charge_id
        for amount_fen, second in ((1_000, 10), (2_000, 60))
    ]
    wallet.commands.refund(400, "dry", charge_id=charges[0], **by(70))
    wallet.proving.seal(KEY, everything=True)
    head = wallet.proving.head().number
    how = by(100)
    done = wallet.fees.settle(**how)
    # 63 of what is left of the first, 400 of the second.
    assert done == FeesSettled(head, 1, 2, 1, 2_600, 463)
    assert told("fee_terms_set", "fees_settled") == [
        ("fee_terms_set", {"terms_id": agreed[0].terms_id, "station": "demo"}),
        ("fee_terms_set", {"terms_id": agreed[1].terms_id, "station": "demo"}),
        ("fees_settled", {"station": "demo", "number": 1, "base_fen": 2_600, "fee_fen": 463}),
    ]
    (kept,) = wallet.fees.settlements("demo")
    assert (kept.number, kept.after_block, kept.to_block) == (1, None, head)
    assert (kept.debits, kept.refunds, kept.debited_fen, kept.refunded_fen) == (2, 1, 3_000, 400)
    assert (kept.latest_at, kept.recorded_at) == (forecourt.at(60), forecourt.at(100))
    assert (kept.command_key, kept.actor, kept.station) == (how["key"], "wang", "demo")
    lines = {line.terms_id: line for line in kept.lines}
    counted = {
        terms: (line.debits, line.refunds, line.debited_fen, line.refunded_fen, line.fee_fen)
        for terms, line in lines.items()
    }
    assert counted == {agreed[0].terms_id: (1, 1, 1_000, 400, 63), agreed[1].terms_id: (1, 0, 2_000, 0, 400)}
    assert _moved(wallet, "fee") == [
        {
            "name": "fee:demo/1",
            "kind": "fee",
            "from_account": "revenue:demo",
            "to_account": "fee:demo",
            "amount_fen": 463,
            "station": "demo",
            "recorded_at": forecourt.at(100),
        }
    ]
    assert [(one.rate_ppm, one.reason, one.actor) for one in wallet.fees.terms("demo")] == [
        (200_000, "dearer", "wang"),
        (100_000, "contract", "wang"),
    ]
    # A settlement of nothing but what comes back goes the other way; the next one begins where it ended.
    wallet.commands.refund(1_000, "dry", charge_id=charges[1], **by(200))
    wallet.proving.seal(KEY, everything=True)
    assert wallet.fees.settle(**by(300)).fee_fen == -200
    second = wallet.fees.settlements("demo")[0]
    assert (second.number, second.after_block, second.latest_at) == (2, head, forecourt.at(60))
    row = _moved(wallet, "fee")[1]
    assert (row["from_account"], row["to_account"], row["amount_fen"]) == ("fee:demo", "revenue:demo", 200)
