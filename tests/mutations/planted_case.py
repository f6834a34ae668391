"""What one planted mutation is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Planted:
    """A check that is taken out: `old` stands once in the file and becomes `new`. tests: what must fail.

    only: which of them are run, as pytest's -k has it.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    only: str = "not postgresql"


def wallet_tests(*names: str) -> tuple[str, ...]:
    """Files of tests beside the wallet, by their names."""
    return tuple(f"tests/wallet/test_{name}.py" for name in names)
