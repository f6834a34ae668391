"""Money given back: in parts and in parallel, never above what was taken, each part to where it came from."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import Connection

from wallet.command_facts import Refunded, Rejected
from wallet.errors import ChargeUnknown, InvalidFact, VisitUnknown
from wallet.ledger import Part, Transfer, bonus_share, give_back, revenue
from wallet.money import fen, format_yuan
from wallet.once import Command, once
from wallet.store import balances, debits, events, forecourt
from wallet.store.debits import Debit, GivenBack, RefundRow
from wallet.wording import check_text


def refund(
    connection: Connection,
    command: Command,
    amount_fen: int,
    reason: str,
    *,
    visit_id: str | None = None,
    charge_id: str | None = None,
) -> Refunded | Rejected:
    """Gives back a part of what a visit or a charge took.

    Raises VisitUnknown, ChargeUnknown, InvalidAmount, InvalidFact.
    """
    fen(amount_fen, least=1)
    check_text("reason", reason, 200)
    if (visit_id is None) == (charge_id is None):
        raise InvalidFact("visit_id", repr(visit_id), "or charge_id must be given, and not both")

    def work() -> Refunded | Rejected:
        debit = _find(connection, visit_id, charge_id)
        if debit is None:
            return Rejected("nothing_captured", f"Nothing was taken for visit {visit_id}.")
        balances.lock_wallet(connection, debit.account_id)
        before = debits.given_back(connection, debit)
        left_fen = debit.amount_fen - before.refunded_fen
        if amount_fen > left_fen:
            left, wanted = format_yuan(left_fen), format_yuan(amount_fen)
            return Rejected("refund_above_captured", f"{wanted} yuan were asked for; {left} yuan are left.")
        refunded, _ = pay_back(connection, command, debit, before, amount_fen, reason)
        return refunded

    return once(connection, command, work)


def _find(connection: Connection, visit_id: str | None, charge_id: str | None) -> Debit | None:
    if charge_id is not None:
        charge = debits.find_charge(connection, charge_id)
        if charge is None:
            raise ChargeUnknown(charge_id)
        return charge
    named = visit_id or ""
    capture = debits.find_capture(connection, named)
    if capture is None and forecourt.find_visit(connection, named) is None:
        raise VisitUnknown(named)
    return capture


def pay_back(
    connection: Connection,
    command: Command,
    debit: Debit,
    before: GivenBack,
    amount_fen: int,
    reason: str,
    kind: Literal["refund", "reversal"] = "refund",
    reverses: dict[Part, str] | None = None,
) -> tuple[Refunded, tuple[str, ...]]:
    """Gives back `amount_fen` of a debit whose wallet is locked; also the ids of the transfers."""
    refunded_fen = before.refunded_fen + amount_fen
    bonus_fen = bonus_share(debit.bonus_fen, debit.amount_fen, refunded_fen) - before.bonus_fen
    row = RefundRow(
        id=command.new_id(),
        kind=kind,
        number=before.count + 1,
        bonus_fen=bonus_fen,
        principal_fen=amount_fen - bonus_fen,
        refunded_fen=refunded_fen,
        reason=reason,
    )
    wallet = balances.lock_wallet(connection, debit.account_id)
    name = f"{kind}:{row.id}"
    done = give_back(wallet, name, kind, revenue(debit.station), row.bonus_fen, row.principal_fen, reverses)
    debits.add_refund(connection, debit, row, command.now)
    balances.save_wallet(connection, wallet, done.wallet)
    ids = tuple(command.new_id() for _ in done.transfers)
    _add_transfers(connection, command, debit, row, done.transfers, ids)
    answer = Refunded(
        refund_id=row.id,
        account_id=debit.account_id,
        visit_id=debit.visit_id,
        charge_id=debit.charge_id,
        amount_fen=amount_fen,
        bonus_fen=row.bonus_fen,
        principal_fen=row.principal_fen,
        refunded_fen=refunded_fen,
        debited_fen=debit.amount_fen,
        balance_fen=done.wallet.total_fen,
    )
    events.tell_answer(connection, "refunded", answer, command.now)
    return answer, ids


def _add_transfers(
    connection: Connection,
    command: Command,
    debit: Debit,
    row: RefundRow,
    moved: tuple[Transfer, ...],
    ids: tuple[str, ...],
) -> None:
    balances.add_transfers(
        connection,
        moved,
        ids,
        command.now,
        visit_id=debit.visit_id,
        station=debit.station,
        sale_id=debit.sale_id,
        charge_id=debit.charge_id,
        refund_id=row.id,
    )
