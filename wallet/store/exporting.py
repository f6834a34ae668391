"""Everything that is kept of one customer, out of every table that names the account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table, select

from wallet.chain import plain
from wallet.tables import accounts, evidence_reads, matches, metadata, visits

Export = Mapping[str, list[dict[str, Any]]]

# Named by something that belongs to the account, not by the account itself.
_BY_SIGHTING = ("sightings", "sighting_readings", "decision_inputs", "departures")
# How the machinery works, not what it knows of a person.
_LEFT_OUT = frozenset({"ledger_accounts"})


def everything_of(connection: Connection, account_id: str) -> Export | None:
    """Rows by table, every column as it is kept; None where there is no such account."""
    found = _rows(connection, accounts, "id", [account_id])
    if not found:
        return None
    told: dict[str, list[dict[str, Any]]] = {"accounts": found}
    for table in metadata.sorted_tables:
        if "account_id" in table.c and table.name not in _LEFT_OUT:
            told[table.name] = _rows(connection, table, "account_id", [account_id])
    seen = [row["sighting_id"] for row in told[matches.name]]
    for name in _BY_SIGHTING:
        table = metadata.tables[name]
        told[name] = _rows(connection, table, "id" if name == "sightings" else "sighting_id", seen)
    stayed = [row["id"] for row in told[visits.name]]
    pictures = [row[f"evidence_{kind}"] for row in told["sightings"] for kind in ("frame", "crop")]
    subjects = [account_id, *stayed, *seen, *(one for one in pictures if one is not None)]
    told[evidence_reads.name] = _rows(connection, evidence_reads, "subject", subjects)
    return {name: rows for name, rows in sorted(told.items()) if rows}


def _rows(connection: Connection, table: Table, column: str, values: list[Any]) -> list[dict[str, Any]]:
    return [
        {name: plain(value) for name, value in row._mapping.items()}
        for start in range(0, len(values), 500)
        for row in connection.execute(
            select(table).where(table.c[column].in_(values[start : start + 500])).order_by(*table.primary_key)
        )
    ]
