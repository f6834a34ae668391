"""What a sale takes from the hold of its visit, and what becomes of the rest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import starmap

from sqlalchemy import Connection

from wallet.facts import Reason, Review, Sale, SaleResult, Visit
from wallet.ledger import Capture, Wallet, capture, release, reserve, revenue, take
from wallet.limits import Within
from wallet.money import format_yuan
from wallet.store import balances, events, forecourt, selling
from wallet.store.balances import Hold

NewId = Callable[[], str]


def settle(
    connection: Connection,
    sale: Sale,
    visit: Visit,
    new_id: NewId,
    now: datetime,
    within: Within = Within(None),  # noqa: B008  frozen
    wallet: Wallet | None = None,
    body: str | None = None,
) -> SaleResult:
    """Takes the amount of a sale from the hold of a visit whose wallet is locked; frees the rest.

    A hold that is live is raised where the wallet has more. One that has expired is not: what it guaranteed
    is taken of what is available now. within: what the owner's limits leave of the sale. wallet: as it stands
    since it was locked, where the caller has it. body: as in selling.settle_sale; the sale is written before
    anything else is, so that nothing is done where SaleKnown is raised.
    """
    if sale.amount_fen == 0:
        why = Reason("zero_sale", "Nothing was sold; the hold is released.")
        is_open = visit.state == "open"
        visit_id = visit.id if is_open else None
        result = selling.settle_sale(connection, sale, "void", visit_id, 0, (why,), now, body)
        if is_open:
            void(connection, visit, "zero_sale", sale.ended_at, now)
        return result
    wallet = wallet or balances.lock_wallet(connection, visit.account_id)
    hold = balances.hold_of(connection, visit.id)
    most_fen = sale.amount_fen if within.most_fen is None else min(sale.amount_fen, within.most_fen)
    name = f"capture:{sale.station}/{sale.sale_id}"
    if hold.state == "live":
        hold_fen = hold.amount_fen + min(max(0, most_fen - hold.amount_fen), wallet.available_fen)
        taken_fen = min(most_fen, hold_fen)
    else:
        hold_fen = hold.amount_fen
        taken_fen = min(most_fen, hold_fen, wallet.available_fen)
    reasons = _reasons(sale, visit, hold.amount_fen, taken_fen, within)
    kind = "outside_limits" if within.reasons else "amount_above_hold"
    if taken_fen <= 0:
        return to_review(connection, sale, kind, reasons[0], visit, new_id, now, body)
    result = selling.settle_sale(connection, sale, "captured", visit.id, taken_fen, reasons, now, body)
    if hold.state == "live":
        held = wallet
        if hold_fen > hold.amount_fen:
            held = reserve(wallet, hold_fen - hold.amount_fen)
            balances.raise_hold(connection, hold, hold_fen)
        done = capture(held, name, sale.station, hold_fen, taken_fen)
    else:
        done = take(wallet, name, "capture", revenue(sale.station), taken_fen)
    _write(connection, sale, visit, hold, wallet, done, new_id, now)
    if taken_fen < sale.amount_fen:
        _ask(connection, sale, kind, sale.amount_fen - taken_fen, visit, reasons, new_id, now)
    return result


def _write(
    connection: Connection,
    sale: Sale,
    visit: Visit,
    hold: Hold,
    wallet: Wallet,
    done: Capture,
    new_id: NewId,
    now: datetime,
) -> None:
    """Writes a capture: hold, visit, wallet, transfers, and the event."""
    taken_fen = done.bonus_fen + done.principal_fen
    if hold.state == "live":
        balances.close_hold(connection, hold, taken_fen, now)
    else:
        balances.capture_expired(connection, hold, taken_fen)
    forecourt.change_visit(
        connection, visit.id, state="captured", ended_by="captured", settled_at=sale.ended_at
    )
    balances.save_wallet(connection, wallet, done.wallet)
    balances.add_capture(
        connection, hold, sale.station, sale.sale_id, done.bonus_fen, done.principal_fen, now
    )
    balances.add_transfers(
        connection,
        done.transfers,
        starmap(new_id, [()] * len(done.transfers)),
        now,
        visit_id=visit.id,
        station=sale.station,
        sale_id=sale.sale_id,
    )
    events.tell(
        connection,
        "captured",
        {
            "visit_id": visit.id,
            "account_id": visit.account_id,
            "station": sale.station,
            "sale_id": sale.sale_id,
            "amount_fen": sale.amount_fen,
            "captured_fen": taken_fen,
            "balance_fen": done.wallet.total_fen,
        },
        now,
    )


def _reasons(sale: Sale, visit: Visit, hold_fen: int, taken_fen: int, within: Within) -> tuple[Reason, ...]:
    found = list(within.reasons)
    if visit.state != "open":
        found.append(Reason("hold_expired", "The hold had expired; what it had guaranteed counts."))
    if sale.amount_fen > hold_fen and not within.reasons:
        amount, hold = format_yuan(sale.amount_fen), format_yuan(hold_fen)
        above = f"The sale of {amount} yuan is above the hold of {hold} yuan"
        missing = format_yuan(sale.amount_fen - taken_fen)
        found.append(
            Reason("hold_raised", f"{above}; the wallet covered it.")
            if taken_fen == sale.amount_fen
            else Reason("amount_above_hold", f"{above}; {missing} yuan is missing.")
        )
    elif taken_fen < sale.amount_fen and not within.reasons:
        missing = format_yuan(sale.amount_fen - taken_fen)
        found.append(Reason("amount_above_hold", f"{missing} yuan is missing."))
    return tuple(found)


def void(connection: Connection, visit: Visit, ended_by: str, settled_at: datetime, now: datetime) -> None:
    """Ends an open visit without money; its whole hold becomes available again."""
    wallet = balances.lock_wallet(connection, visit.account_id)
    hold = balances.hold_of(connection, visit.id)
    balances.close_hold(connection, hold, 0, now)
    balances.save_wallet(connection, wallet, release(wallet, hold.amount_fen))
    forecourt.change_visit(connection, visit.id, state="voided", ended_by=ended_by, settled_at=settled_at)
    events.tell(
        connection,
        "voided",
        {
            "visit_id": visit.id,
            "account_id": visit.account_id,
            "released_fen": hold.amount_fen,
            "end": ended_by,
        },
        now,
    )


def to_review(
    connection: Connection,
    sale: Sale,
    kind: str,
    why: Reason,
    visit: Visit | None,
    new_id: NewId,
    now: datetime,
    body: str | None = None,
) -> SaleResult:
    """Hands a waiting sale to a person; no money moves by itself any more. body: as in settle."""
    if sale.amount_fen == 0:
        nothing = Reason("nothing_sold", "Nothing was sold and no visit is known; there is nothing to do.")
        return selling.settle_sale(connection, sale, "void", None, 0, (nothing,), now, body)
    result = selling.settle_sale(connection, sale, "review", None, 0, (why,), now, body)
    _ask(connection, sale, kind, sale.amount_fen, visit, (why,), new_id, now)
    return result


def _ask(
    connection: Connection,
    sale: Sale,
    kind: str,
    amount_fen: int,
    visit: Visit | None,
    reasons: tuple[Reason, ...],
    new_id: NewId,
    now: datetime,
) -> None:
    item = Review(
        id=new_id(),
        kind=kind,
        state="open",
        subject=f"{sale.station}/{sale.sale_id}",
        station=sale.station,
        sighting_id=None,
        sale_id=sale.sale_id,
        visit_id=visit.id if visit else None,
        account_id=visit.account_id if visit else None,
        amount_fen=amount_fen,
        reasons=reasons,
        created_at=now,
        closed_at=None,
    )
    events.ask_for_review(connection, item)
    if kind == "outside_limits":
        events.tell(
            connection,
            kind,
            {
                "account_id": item.account_id,
                "visit_id": item.visit_id,
                "station": sale.station,
                "sale_id": sale.sale_id,
                "amount_fen": amount_fen,
                "reasons": [reason.code for reason in reasons],
            },
            now,
        )
