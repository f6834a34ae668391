"""What a grade is by its name: petrol, diesel, or nothing we know of.

Names as pumps in China use them (GB 17930 petrol 89, 92, 95, 98; GB 19147 diesel 5, 0, -10, -20, -35, -50).
"""

from __future__ import annotations

from wallet.limit_facts import Fuel

_PETROL = frozenset({"89", "90", "92", "93", "95", "97", "98", "101"})
_DIESEL = frozenset({"5", "0", "-10", "-20", "-35", "-50"})


def fuel_of(grade: str) -> Fuel | None:
    """Petrol or diesel; None where the name says neither, so that nothing follows from it."""
    plain = grade.strip().upper().removesuffix("#").removesuffix("号").replace("−", "-")
    if "DIESEL" in plain or "柴" in plain:
        return "diesel"
    if "PETROL" in plain or "GASOLINE" in plain or "汽" in plain:
        return "petrol"
    plain = plain.removeprefix("E")
    if plain in _PETROL:
        return "petrol"
    return "diesel" if plain in _DIESEL else None
