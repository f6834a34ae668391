"""Money taken without a hold: the price is known, the car need not fuel."""

from __future__ import annotations

from sqlalchemy import Connection

from wallet.command_facts import Charged, Rejected
from wallet.ledger import Wallet, revenue, take
from wallet.money import fen, format_yuan
from wallet.once import Command, once
from wallet.store import balances, debits, events
from wallet.store.debits import Debit
from wallet.wording import check_name, check_text


def charge(
    connection: Connection, command: Command, account_id: str, station: str, amount_fen: int, purpose: str
) -> Charged | Rejected:
    """Takes the amount, bonus first, or nothing. Raises AccountUnknown, InvalidAmount, InvalidFact."""
    fen(amount_fen, least=1)
    check_name("station", station)
    check_text("purpose", purpose, 200)

    def work() -> Charged | Rejected:
        wallet = balances.lock_wallet(connection, account_id)
        if wallet.available_fen < amount_fen:
            return insufficient(wallet, amount_fen)
        return _charge(connection, command, wallet, station, amount_fen, purpose)

    return once(connection, command, work)


def insufficient(wallet: Wallet, amount_fen: int) -> Rejected:
    """The rejection where a wallet has not as much."""
    available, wanted = format_yuan(wallet.available_fen), format_yuan(amount_fen)
    return Rejected("insufficient_balance", f"{wanted} yuan were asked for; {available} yuan are available.")


def _charge(
    connection: Connection, command: Command, wallet: Wallet, station: str, amount_fen: int, purpose: str
) -> Charged:
    charge_id = command.new_id()
    done = take(wallet, f"charge:{charge_id}", "charge", revenue(station), amount_fen)
    debit = Debit(
        None, charge_id, None, wallet.account_id, station, amount_fen, done.bonus_fen, done.principal_fen
    )
    debits.add_charge(connection, charge_id, debit, purpose, command.now)
    balances.save_wallet(connection, wallet, done.wallet)
    balances.add_transfers(
        connection,
        done.transfers,
        [command.new_id() for _ in done.transfers],
        command.now,
        station=station,
        charge_id=charge_id,
    )
    answer = Charged(
        charge_id=charge_id,
        account_id=wallet.account_id,
        station=station,
        amount_fen=amount_fen,
        bonus_fen=done.bonus_fen,
        principal_fen=done.principal_fen,
        balance_fen=done.wallet.total_fen,
    )
    events.tell_answer(connection, "charged", answer, command.now)
    return answer
