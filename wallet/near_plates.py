"""Indexes by which the registered plates one step from a text are found in a dozen looks.

Two plates that differ at one place are alike once that place is left out, and a plate with one character more
is the other once it is left out. So a text with each place left out in turn, and the text itself, find every
plate one step away; trying every string one step away would be some 490 looks. The indexes hold nothing that
does not stand in the column, and follow it.

PostgreSQL takes each such look for a two-hundredth of the table, whatever it holds: it would call parallel
workers and compile the plan, which connections of the service leave alone (`wallet/store/database.py`).
"""

from __future__ import annotations

from sqlalchemy import Index, text

from wallet.plates import LONG, SHORT

_BOUND = "unbound_at IS NULL"


def without(place: int) -> str:
    """SQL of a plate without the character at this place, from 0."""
    if place == 0:
        return "substr(plate, 2)"
    return f"substr(plate, 1, {place}) || substr(plate, {place + 2})"


def indexes() -> list[Index]:
    """One for each place of the longest plate, over the plates that are bound now."""
    return [
        Index(
            f"ix_vehicles_bound_without_{place}",
            text(f"({without(place)})"),
            sqlite_where=text(_BOUND),
            postgresql_where=text(_BOUND),
        )
        for place in range(LONG)
    ]


def conditions(length: int) -> list[str]:
    """SQL conditions of a plate: each plate that is a text of that length, or one step from it, fits one.

    Some fit that no reader would take for it. The values asked for are those of `values_of`.
    """
    found = ["plate = :text"]
    found += [f"{without(place)} = :without_{place} AND plate <> :text" for place in range(length)]
    if length == SHORT:
        found += [f"{without(place)} = :text" for place in range(LONG)]
    elif length == LONG:
        found += [f"plate = :without_{place}" for place in range(length)]
    return found


def values_of(read: str) -> dict[str, str]:
    """The values that `conditions` asks for."""
    left_out = {f"without_{place}": read[:place] + read[place + 1 :] for place in range(len(read))}
    return {"text": read, **left_out}
