"""A transfer taken back, once, however often it is asked for."""

from __future__ import annotations

from sqlalchemy import Connection

from wallet.charges import insufficient
from wallet.command_facts import Rejected, Reversed
from wallet.errors import TransferUnknown
from wallet.ledger import Part, Wallet, credit, debit
from wallet.once import Command, once
from wallet.refunds import pay_back
from wallet.store import balances, debits, events
from wallet.store.balances import TransferRow
from wallet.store.debits import Debit
from wallet.wording import check_text


def reverse(connection: Connection, command: Command, transfer_id: str, reason: str) -> Reversed | Rejected:
    """Takes back the whole of what a transfer belongs to; of a capture or charge, what is left of it.

    Raises TransferUnknown.
    """
    check_text("reason", reason, 200)

    def work() -> Reversed | Rejected:
        transfer = balances.find_transfer(connection, transfer_id)
        if transfer is None:
            raise TransferUnknown(transfer_id)
        match transfer.kind:
            case "capture" | "charge":
                return reverse_debit(connection, command, _debit_of(connection, transfer), reason)
            case "bonus" | "adjustment":
                return _reverse_credit(connection, command, transfer)
            case kind:
                return Rejected("not_reversible", f"A {kind} is not taken back by a reversal.")

    return once(connection, command, work)


def _already(name: str) -> Rejected:
    return Rejected("already_reversed", f"Transfer {name} was taken back before.")


def reverse_debit(connection: Connection, command: Command, taken: Debit, reason: str) -> Reversed | Rejected:
    """Gives back all that is left of what was taken, once, in the transaction that is open."""
    balances.lock_wallet(connection, taken.account_id)
    before = debits.given_back(connection, taken)
    if before.is_reversed:
        return _already(taken.name)
    left_fen = taken.amount_fen - before.refunded_fen
    if left_fen == 0:
        return Rejected("nothing_left", "All of it was refunded before.")
    sides = debits.transfers_of(connection, taken)
    refunded, ids = pay_back(connection, command, taken, before, left_fen, reason, "reversal", sides)
    moved = [part for part, fen in _moved(refunded.bonus_fen, refunded.principal_fen) if fen]
    return _tell(
        connection,
        command,
        Reversed(
            transfer_ids=ids,
            reversed_ids=tuple(sides[part] for part in moved),
            account_id=taken.account_id,
            amount_fen=left_fen,
            refund_id=refunded.refund_id,
            balance_fen=refunded.balance_fen,
        ),
    )


def _moved(bonus_fen: int, principal_fen: int) -> tuple[tuple[Part, int], ...]:
    return (("bonus", bonus_fen), ("principal", principal_fen))


def _debit_of(connection: Connection, transfer: TransferRow) -> Debit:
    found = (
        debits.find_charge(connection, transfer.charge_id)
        if transfer.charge_id is not None
        else debits.find_capture(connection, transfer.visit_id or "")
    )
    if found is None:
        raise RuntimeError(f"transfer {transfer.id} belongs to no capture and no charge")
    return found


def _reverse_credit(connection: Connection, command: Command, transfer: TransferRow) -> Reversed | Rejected:
    """The opposite of a bonus or an adjustment, where the wallet still has as much."""
    if transfer.account_id is None:
        raise RuntimeError(f"transfer {transfer.id} touches no wallet")
    wallet = balances.lock_wallet(connection, transfer.account_id)
    if balances.is_reversed(connection, transfer.id):
        return _already(transfer.id)
    name = f"reversal:{transfer.name}"
    fen, part = transfer.amount_fen, transfer.part
    if transfer.is_incoming:
        if not can_take(wallet, part, fen):
            return insufficient(wallet, fen)
        after, opposite = debit(wallet, name, "reversal", transfer.other_account, part, fen, transfer.id)
    else:
        after, opposite = credit(wallet, name, "reversal", transfer.other_account, part, fen, transfer.id)
    balances.save_wallet(connection, wallet, after)
    new_id = command.new_id()
    balances.add_transfers(
        connection, (opposite,), (new_id,), command.now, adjustment_id=transfer.adjustment_id
    )
    return _tell(
        connection,
        command,
        Reversed((new_id,), (transfer.id,), wallet.account_id, fen, None, after.total_fen),
    )


def can_take(wallet: Wallet, part: Part, amount_fen: int) -> bool:
    """Whether a part of a wallet has as much, and nothing of it is held."""
    in_part = wallet.principal_fen if part == "principal" else wallet.bonus_fen
    return amount_fen <= min(in_part, wallet.available_fen)


def _tell(connection: Connection, command: Command, answer: Reversed) -> Reversed:
    events.tell_answer(connection, "reversed", answer, command.now)
    return answer
