"""Whole fen and whole millilitres: the only place where text becomes money, or money text."""

from __future__ import annotations

import re

from wallet.errors import InvalidAmount

# Far above any wallet or tank, far below the 64 bits of a database integer even when two are multiplied.
LARGEST_FEN = 10**12
LARGEST_MILLILITRES = 10**9
MILLION = 1_000_000

_YUAN = re.compile(r"(-?)(\d{1,10})(?:\.(\d{1,2}))?", re.ASCII)
_LITRES = re.compile(r"(\d{1,6})(?:\.(\d{1,3}))?", re.ASCII)


def fen(amount: object, *, least: int = 0, what: str = "amount_fen") -> int:
    """`amount` itself, once it is known to be a whole number of fen of at least `least`.

    Raises InvalidAmount for anything else: a float, a bool, text, a number out of range.
    """
    if isinstance(amount, bool) or not isinstance(amount, int):
        raise InvalidAmount(what, repr(amount), "must be a whole number of fen")
    if amount < least or amount > LARGEST_FEN:
        raise InvalidAmount(what, str(amount), f"must be from {least} to {LARGEST_FEN} fen")
    return amount


def parse_yuan(text: str) -> int:
    """Fen of an amount written in yuan ("200", "199.9", "-0.05"); raises InvalidAmount."""
    found = _YUAN.fullmatch(text)
    if found is None:
        raise InvalidAmount("yuan", repr(text), "must be yuan with at most two decimals")
    sign, whole, part = found.groups()
    amount_fen = int(whole) * 100 + int((part or "").ljust(2, "0"))
    return -amount_fen if sign else amount_fen


def format_yuan(amount_fen: int) -> str:
    """Yuan with two decimals: 24531 is "245.31"."""
    yuan, rest_fen = divmod(abs(amount_fen), 100)
    return f"{'-' if amount_fen < 0 else ''}{yuan}.{rest_fen:02d}"


def parse_litres(text: str) -> int:
    """Millilitres of a volume written in litres ("31.25"); raises InvalidAmount."""
    found = _LITRES.fullmatch(text)
    if found is None:
        raise InvalidAmount("litres", repr(text), "must be litres, zero or more, with at most three decimals")
    whole, part = found.groups()
    return int(whole) * 1000 + int((part or "").ljust(3, "0"))


def format_litres(volume_ml: int) -> str:
    """Litres with three decimals: 31250 is "31.250"."""
    litres, rest_ml = divmod(volume_ml, 1000)
    return f"{litres}.{rest_ml:03d}"


def price_of(volume_ml: int, unit_price_fen: int) -> int:
    """Fen for a volume at a price per litre, half a fen rounded up."""
    return (volume_ml * unit_price_fen * 2 + 1000) // 2000


def share_up(amount_fen: int, chance_ppm: int) -> int:
    """`chance_ppm` millionths of an amount, rounded up: an expected loss is never made smaller."""
    return -(-amount_fen * chance_ppm // MILLION)


def times_up(amount: int, part: int, whole: int) -> int:
    """`amount` times `part` for each `whole`, rounded up; `whole` above zero."""
    return -(-amount * part // whole)


def share_down(amount_fen: int, part_fen: int, whole_fen: int) -> int:
    """`part_fen` of `whole_fen` of an amount, rounded down."""
    return amount_fen * part_fen // whole_fen
