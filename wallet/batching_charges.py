"""Many direct charges decided at once: pure, in the order they came, each as if it were alone.

A charge that is too large does not stop a smaller one behind it, and the same charge twice is taken once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from wallet.charges import insufficient
from wallet.command_facts import Answer, Charged, Rejected
from wallet.errors import AccountUnknown, KeyReused
from wallet.fingerprint import body_hash
from wallet.ledger import Transfer, Wallet, revenue, take
from wallet.money import fen
from wallet.once import Command
from wallet.wording import check_name, check_text

SCOPE = "charge"


@dataclass(frozen=True, slots=True)
class ChargeCommand:
    """A direct charge that was checked, with every id it may need.

    transfer_ids: one for each part, used where both pay; else the charge is its own transfer.
    """

    key: str
    body_hash: str
    account_id: str
    station: str
    amount_fen: int
    purpose: str
    actor: str
    now: datetime
    charge_id: str
    transfer_ids: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Answered:
    """What a command of this name was answered first."""

    body_hash: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Taken:
    """A charge that is new, its answer, and the transfers that make it so (none where it was rejected)."""

    command: ChargeCommand
    answer: Charged | Rejected
    transfers: tuple[Transfer, ...]


@dataclass(slots=True)
class Decided:
    """answers: one for each command, in order. taken: what is new. wallets: as they are afterwards."""

    answers: list[Charged | Rejected | Exception] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    wallets: dict[str, Wallet] = field(default_factory=dict)


def checked(command: Command, account_id: str, station: str, amount_fen: int, purpose: str) -> ChargeCommand:
    """The charge, ready for any batch. Raises InvalidAmount, InvalidFact."""
    check_text("key", command.key, 255)
    check_text("account_id", account_id)
    fen(amount_fen, least=1)
    check_name("station", station)
    check_text("purpose", purpose, 200)
    new_id = command.new_id
    return ChargeCommand(
        key=command.key,
        body_hash=body_hash(command.body),
        account_id=account_id,
        station=station,
        amount_fen=amount_fen,
        purpose=purpose,
        actor=command.actor,
        now=command.now,
        charge_id=new_id(),
        transfer_ids=(new_id(), new_id()),
    )


def decide_charges(
    commands: Iterable[ChargeCommand], wallets: Mapping[str, Wallet], known: Mapping[str, Answered]
) -> Decided:
    """What each command comes to.

    wallets: of all accounts that exist, locked. known: commands of these names answered before.
    """
    decided = Decided()
    before = dict(known)
    now = dict(wallets)
    for command in commands:
        first = before.get(command.key)
        if first is not None:
            decided.answers.append(_again(command, first))
            continue
        wallet = now.get(command.account_id)
        if wallet is None:
            decided.answers.append(AccountUnknown(command.account_id))
            continue
        after, taken = _take(command, wallet)
        if after is not wallet:
            now[command.account_id] = decided.wallets[command.account_id] = after
        decided.taken.append(taken)
        decided.answers.append(taken.answer)
        before[command.key] = Answered(command.body_hash, taken.answer)
    return decided


def _again(command: ChargeCommand, first: Answered) -> Charged | Rejected | Exception:
    if first.body_hash != command.body_hash:
        return KeyReused(SCOPE, command.key, command.body_hash)
    return cast("Charged | Rejected", first.answer)


def _take(command: ChargeCommand, wallet: Wallet) -> tuple[Wallet, Taken]:
    amount_fen = command.amount_fen
    if wallet.available_fen < amount_fen:
        return wallet, Taken(command, insufficient(wallet, amount_fen), ())
    done = take(wallet, f"charge:{command.charge_id}", "charge", revenue(command.station), amount_fen)
    answer = Charged(
        charge_id=command.charge_id,
        account_id=wallet.account_id,
        station=command.station,
        amount_fen=amount_fen,
        bonus_fen=done.bonus_fen,
        principal_fen=done.principal_fen,
        balance_fen=done.wallet.total_fen,
    )
    return done.wallet, Taken(command, answer, done.transfers)
