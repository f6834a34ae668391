"""What text a request may carry: something, not endless, and nothing that cannot be printed or stored."""

from __future__ import annotations

from wallet.errors import InvalidFact


def check_text(what: str, text: str, longest: int = 64) -> None:
    """Raises InvalidFact for text that is empty, blank or too long, or holds control characters."""
    if not text.strip() or len(text) > longest or not text.isprintable():
        raise InvalidFact(what, repr(text[:longest]), f"must have 1 to {longest} printable characters")


def check_name(what: str, text: str, longest: int = 64) -> None:
    """Raises InvalidFact for text that could not stand before a slash in the name of something else."""
    check_text(what, text, longest)
    if "/" in text:
        raise InvalidFact(what, repr(text), "must not have a slash in it")


def check_whole(what: str, number: object, least: int, most: int) -> None:
    """Raises InvalidFact for anything but a whole number in this range."""
    if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
        raise InvalidFact(what, repr(number), f"must be a whole number from {least} to {most}")
