"""Double entry as arithmetic: wallets, holds, transfers and their fold. Knows no database.

A transfer is one row with two legs: the amount leaves one ledger account and enters another. A hold moves no
money: it only makes part of a wallet unavailable. A capture uses the bonus first and the driver's own money
last, because the principal is what can be paid back longest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

Part = Literal["principal", "bonus"]
Kind = Literal["recharge", "bonus", "capture", "suspense"]

SUSPENSE = "suspense"
MARKETING = "marketing"


def wallet_side(account_id: str, part: Part) -> str:
    """Ledger account of one part of a wallet."""
    return f"wallet:{account_id}:{part}"


def clearing(channel: str) -> str:
    """Ledger account of the money a payment channel owes us."""
    return f"clearing:{channel}"


def revenue(station: str) -> str:
    """Ledger account of what a station has sold."""
    return f"revenue:{station}"


@dataclass(frozen=True, slots=True)
class Wallet:
    """The live balance. version counts the transfers that touched it."""

    account_id: str
    principal_fen: int
    bonus_fen: int
    held_fen: int
    version: int

    def __post_init__(self) -> None:
        if min(self.principal_fen, self.bonus_fen, self.held_fen, self.available_fen, self.version) < 0:
            raise ValueError(f"a wallet below zero: {self!r}")

    @property
    def total_fen(self) -> int:
        """Everything in the wallet, held or not."""
        return self.principal_fen + self.bonus_fen

    @property
    def available_fen(self) -> int:
        """What a new hold may take."""
        return self.total_fen - self.held_fen


@dataclass(frozen=True, slots=True)
class Transfer:
    """Money on its way from one ledger account to another.

    name: chosen by whoever starts it, unique for ever.
    account_id, wallet_version, wallet_after_fen: the wallet it touches, its number there, and the total
    afterwards.
    """

    name: str
    kind: Kind
    from_account: str
    to_account: str
    amount_fen: int
    account_id: str | None = None
    wallet_version: int | None = None
    wallet_after_fen: int | None = None

    def __post_init__(self) -> None:
        if self.amount_fen <= 0:
            raise ValueError(f"transfer {self.name} of {self.amount_fen} fen")
        if self.from_account == self.to_account:
            raise ValueError(f"transfer {self.name} goes nowhere")


@dataclass(frozen=True, slots=True)
class Capture:
    """A wallet after a capture, the transfers that made it so, and how the amount was split."""

    wallet: Wallet
    transfers: tuple[Transfer, ...]
    bonus_fen: int
    principal_fen: int


def reserve(wallet: Wallet, amount_fen: int) -> Wallet:
    """The wallet with `amount_fen` more held; ValueError where less is available."""
    if amount_fen <= 0:
        raise ValueError(f"a hold of {amount_fen} fen")
    return replace(wallet, held_fen=wallet.held_fen + amount_fen)


def release(wallet: Wallet, amount_fen: int) -> Wallet:
    """The wallet with `amount_fen` less held; ValueError where less was held."""
    if amount_fen <= 0:
        raise ValueError(f"a release of {amount_fen} fen")
    return replace(wallet, held_fen=wallet.held_fen - amount_fen)


def credit(
    wallet: Wallet, name: str, kind: Kind, source: str, part: Part, amount_fen: int
) -> tuple[Wallet, Transfer]:
    """The wallet with money more in one part, and the transfer that brought it."""
    field = "principal_fen" if part == "principal" else "bonus_fen"
    after = replace(wallet, version=wallet.version + 1, **{field: getattr(wallet, field) + amount_fen})
    transfer = Transfer(
        name=name,
        kind=kind,
        from_account=source,
        to_account=wallet_side(wallet.account_id, part),
        amount_fen=amount_fen,
        account_id=wallet.account_id,
        wallet_version=after.version,
        wallet_after_fen=after.total_fen,
    )
    return after, transfer


def capture(wallet: Wallet, name: str, station: str, hold_fen: int, amount_fen: int) -> Capture:
    """Takes `amount_fen` under a hold of `hold_fen`, bonus first, and frees the rest of the hold."""
    if not 0 < amount_fen <= hold_fen:
        raise ValueError(f"capture {name} of {amount_fen} fen under a hold of {hold_fen} fen")
    # The hold is freed first: what it reserved is exactly what may now be taken.
    after = release(wallet, hold_fen)
    bonus_fen = min(after.bonus_fen, amount_fen)
    transfers = []
    parts: tuple[tuple[Part, int], ...] = (("bonus", bonus_fen), ("principal", amount_fen - bonus_fen))
    for part, part_fen in parts:
        if part_fen == 0:
            continue
        field = "principal_fen" if part == "principal" else "bonus_fen"
        after = replace(after, version=after.version + 1, **{field: getattr(after, field) - part_fen})
        transfers.append(
            Transfer(
                name=f"{name}:{part}",
                kind="capture",
                from_account=wallet_side(wallet.account_id, part),
                to_account=revenue(station),
                amount_fen=part_fen,
                account_id=wallet.account_id,
                wallet_version=after.version,
                wallet_after_fen=after.total_fen,
            )
        )
    return Capture(after, tuple(transfers), bonus_fen, amount_fen - bonus_fen)


def fold(transfers: Iterable[Transfer]) -> Mapping[str, int]:
    """Balance of every ledger account, from nothing but the transfers; they always add up to zero."""
    balances: dict[str, int] = {}
    for transfer in transfers:
        balances[transfer.from_account] = balances.get(transfer.from_account, 0) - transfer.amount_fen
        balances[transfer.to_account] = balances.get(transfer.to_account, 0) + transfer.amount_fen
    return balances
