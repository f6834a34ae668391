"""Double entry as arithmetic: wallets, holds, transfers and their fold. Knows no database.

A transfer is one row with two legs: the amount leaves one ledger account and enters another. A hold moves no
money: it only makes part of a wallet unavailable. A capture uses the bonus first and the driver's own money
last, because the principal is what can be paid back longest. A refund gives each part back in the proportion
in which it was taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from wallet.money import share_down

Part = Literal["principal", "bonus"]
Kind = Literal[
    "recharge", "bonus", "capture", "suspense", "charge", "refund", "reversal", "adjustment", "fee"
]

SUSPENSE = "suspense"
MARKETING = "marketing"
ADJUSTMENT = "adjustment"


def wallet_side(account_id: str, part: Part) -> str:
    """Ledger account of one part of a wallet."""
    return f"wallet:{account_id}:{part}"


def clearing(channel: str) -> str:
    """Ledger account of the money a payment channel owes us."""
    return f"clearing:{channel}"


def revenue(station: str) -> str:
    """Ledger account of what a station has sold."""
    return f"revenue:{station}"


def fee(station: str) -> str:
    """Ledger account of what the operator of the service keeps of a station's sales."""
    return f"fee:{station}"


def counterpart(part: Part) -> str:
    """Ledger account against which a part is put right: marketing's for a bonus."""
    return MARKETING if part == "bonus" else ADJUSTMENT


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
    afterwards. reverses_id: the transfer it takes back.
    """

    name: str
    kind: Kind
    from_account: str
    to_account: str
    amount_fen: int
    account_id: str | None = None
    wallet_version: int | None = None
    wallet_after_fen: int | None = None
    reverses_id: str | None = None

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
    wallet: Wallet,
    name: str,
    kind: Kind,
    source: str,
    part: Part,
    amount_fen: int,
    reverses_id: str | None = None,
) -> tuple[Wallet, Transfer]:
    """The wallet with money more in one part, and the transfer that brought it."""
    after = _changed(wallet, part, amount_fen)
    side = wallet_side(wallet.account_id, part)
    return after, _transfer(after, name, kind, source, side, amount_fen, reverses_id)


def debit(
    wallet: Wallet,
    name: str,
    kind: Kind,
    sink: str,
    part: Part,
    amount_fen: int,
    reverses_id: str | None = None,
) -> tuple[Wallet, Transfer]:
    """The wallet with money less in one part, and the transfer that took it; ValueError where it has less."""
    after = _changed(wallet, part, -amount_fen)
    side = wallet_side(wallet.account_id, part)
    return after, _transfer(after, name, kind, side, sink, amount_fen, reverses_id)


def _changed(wallet: Wallet, part: Part, change_fen: int) -> Wallet:
    field = "principal_fen" if part == "principal" else "bonus_fen"
    return replace(wallet, version=wallet.version + 1, **{field: getattr(wallet, field) + change_fen})


def _transfer(
    after: Wallet, name: str, kind: Kind, source: str, sink: str, amount_fen: int, reverses_id: str | None
) -> Transfer:
    return Transfer(
        name=name,
        kind=kind,
        from_account=source,
        to_account=sink,
        amount_fen=amount_fen,
        account_id=after.account_id,
        wallet_version=after.version,
        wallet_after_fen=after.total_fen,
        reverses_id=reverses_id,
    )


def capture(wallet: Wallet, name: str, station: str, hold_fen: int, amount_fen: int) -> Capture:
    """Takes `amount_fen` under a hold of `hold_fen`, bonus first, and frees the rest of the hold."""
    if not 0 < amount_fen <= hold_fen:
        raise ValueError(f"capture {name} of {amount_fen} fen under a hold of {hold_fen} fen")
    # The hold is freed first: what it reserved is exactly what may now be taken.
    return take(release(wallet, hold_fen), name, "capture", revenue(station), amount_fen)


def take(wallet: Wallet, name: str, kind: Kind, sink: str, amount_fen: int) -> Capture:
    """Takes `amount_fen`, bonus first; ValueError where less is available."""
    if not 0 < amount_fen <= wallet.available_fen:
        raise ValueError(f"{kind} {name} of {amount_fen} fen where {wallet.available_fen} are available")
    bonus_fen = min(wallet.bonus_fen, amount_fen)
    after = wallet
    transfers = []
    for part, part_fen in _parts(bonus_fen, amount_fen - bonus_fen):
        after, transfer = debit(after, f"{name}:{part}", kind, sink, part, part_fen)
        transfers.append(transfer)
    return Capture(after, tuple(transfers), bonus_fen, amount_fen - bonus_fen)


def give_back(
    wallet: Wallet,
    name: str,
    kind: Kind,
    source: str,
    bonus_fen: int,
    principal_fen: int,
    reverses: Mapping[Part, str] | None = None,
) -> Capture:
    """The wallet with both parts more, and the transfers that brought them.

    reverses: for a reversal, the ids of the transfers taken back, by part.
    """
    after = wallet
    transfers = []
    for part, part_fen in _parts(bonus_fen, principal_fen):
        taken_id = None if reverses is None else reverses[part]
        after, transfer = credit(after, f"{name}:{part}", kind, source, part, part_fen, taken_id)
        transfers.append(transfer)
    return Capture(after, tuple(transfers), bonus_fen, principal_fen)


def _parts(bonus_fen: int, principal_fen: int) -> list[tuple[Part, int]]:
    both: tuple[tuple[Part, int], ...] = (("bonus", bonus_fen), ("principal", principal_fen))
    return [(part, part_fen) for part, part_fen in both if part_fen]


def bonus_share(bonus_fen: int, debited_fen: int, refunded_fen: int) -> int:
    """How much bonus belongs to the first `refunded_fen` given back of a debit with `bonus_fen` of bonus.

    In proportion, rounded down: of an odd fen the driver's own money comes back first, and the last refund
    brings exactly what is left of each part.
    """
    return share_down(bonus_fen, refunded_fen, debited_fen)


def fold(transfers: Iterable[Transfer]) -> Mapping[str, int]:
    """Balance of every ledger account, from nothing but the transfers; they always add up to zero."""
    balances: dict[str, int] = {}
    for transfer in transfers:
        balances[transfer.from_account] = balances.get(transfer.from_account, 0) - transfer.amount_fen
        balances[transfer.to_account] = balances.get(transfer.to_account, 0) + transfer.amount_fen
    return balances
