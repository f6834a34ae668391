"""Money taken without a hold: the price is known, the car need not fuel."""

from __future__ import annotations

from wallet.command_facts import Rejected
from wallet.ledger import Wallet
from wallet.money import format_yuan


def insufficient(wallet: Wallet, amount_fen: int) -> Rejected:
    """The rejection where a wallet has not as much."""
    available, wanted = format_yuan(wallet.available_fen), format_yuan(amount_fen)
    return Rejected("insufficient_balance", f"{wanted} yuan were asked for; {available} yuan are available.")
