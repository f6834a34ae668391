"""Fills a SQLite wallet with registered plates for `bench decide`, as fast as SQLite can."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from wallet import near_plates
from wallet.habits import REGISTERED
from wallet.store.database import create_schema, make_engine

# A tail is a number written with these: as many tails as a prefix really has (7.06 million) and a few more.
TAIL: Final = "0123456789ABCDEFGHJKLMNP"
TAILS: Final = len(TAIL) ** 5
# Prime to TAILS: numbers are scattered over the tails, and no two share one.
SCATTER: Final = 3_141_593
OFFICES: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ"
# So many plates a prefix, as in a large city, before the next one is taken.
A_PREFIX: Final = 1_000_000
ACCOUNTS: Final = 1_000
STEP: Final = 1_000_000
# So many customers are regulars, with four stays each.
STAYS: Final = 20_000
REGULARS_APART: Final = 7_919
CARS, CUSTOMERS = 27_000, 5_400
STATION: Final = "bench"
BOUND_AT: Final = "2026-01-01 00:00:00.000000"
STAYED_AT: Final = "2026-05-15 08:00:00.000000"
INDEXES: Final = (
    "uq_vehicles_bound_plate",
    "ix_vehicles_account_id",
    *(str(index.name) for index in near_plates.indexes()),
)


def plate_of(number: int) -> str:
    """The plate of the registered vehicle with this number."""
    scattered = number % A_PREFIX * SCATTER % TAILS
    tail = "".join(TAIL[scattered // len(TAIL) ** place % len(TAIL)] for place in range(5))
    return f"粤{OFFICES[number // A_PREFIX]}{tail}"


def regular(number: int, plates: int) -> str:
    """The plate of a customer who came four times."""
    return plate_of(number % (STAYS // 4) * REGULARS_APART % plates)


def fill(path: Path, plates: int) -> None:
    """A wallet's database with so many registered plates and some stays that were paid for.

    Raises ValueError for more plates than there are prefixes for.
    """
    if plates > A_PREFIX * len(OFFICES):
        raise ValueError(f"there are plates for {A_PREFIX * len(OFFICES)} vehicles, not for {plates}")
    engine = make_engine(f"sqlite:///{path}")
    create_schema(engine)
    engine.dispose()
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for setting in ("foreign_keys=OFF", "synchronous=OFF", "cache_size=-200000", "temp_store=FILE"):
            database.execute(f"PRAGMA {setting}")
        made_by = {name: _made_by(database, name) for name in INDEXES}
        for name in INDEXES:
            database.execute(f"DROP INDEX {name}")
        database.execute(
            "INSERT INTO accounts (id, name, created_at) "
            "WITH RECURSIVE c (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < ?) "
            "SELECT 'a' || n, 'bench', ? FROM c",
            (ACCOUNTS - 1, BOUND_AT),
        )
        for low in range(0, plates, STEP):
            database.execute(_VEHICLES, {"low": low, "high": min(plates, low + STEP) - 1})
        for statement in made_by.values():
            database.execute(statement)
        database.execute(_STAYS, {"stays": STAYS, "plates": plates})
        _count_traffic(database, plates)
        database.execute("ANALYZE")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _count_traffic(database: sqlite3.Connection, plates: int) -> None:
    """The nightly counts as a station in that city would have them."""
    prefixes = -(-plates // A_PREFIX)
    rows = [(STATION, "", CARS, CUSTOMERS, STAYED_AT)]
    rows += [
        (STATION, f"粤{OFFICES[number]}", CARS // prefixes, CUSTOMERS // prefixes, STAYED_AT)
        for number in range(prefixes)
    ]
    database.executemany("INSERT INTO station_traffic VALUES (?, ?, ?, ?, ?)", rows)
    database.execute("INSERT INTO nightly_counts VALUES (?, ?, ?)", (REGISTERED, plates, STAYED_AT))


def _made_by(database: sqlite3.Connection, index: str) -> str:
    return str(database.execute("SELECT sql FROM sqlite_master WHERE name = ?", (index,)).fetchone()[0])


_PLACES: Final = " || ".join(
    f"substr('{TAIL}', scattered / {len(TAIL) ** place} % {len(TAIL)} + 1, 1)" for place in range(5)
)
# Ids as long as real ones, so that the tables are as large.
_VEHICLES: Final = f"""
    INSERT INTO vehicles (id, account_id, plate, colour, bound_at)
    WITH RECURSIVE c (n) AS (SELECT :low UNION ALL SELECT n + 1 FROM c WHERE n < :high),
    spread AS (SELECT n, n % {A_PREFIX} * {SCATTER} % {TAILS} AS scattered FROM c)
    SELECT printf('%036d', n), 'a' || (n % {ACCOUNTS}),
        '粤' || substr('{OFFICES}', n / {A_PREFIX} + 1, 1) || {_PLACES}, 'blue', '{BOUND_AT}'
    FROM spread
"""  # noqa: S608
_STAYS: Final = f"""
    INSERT INTO visits (id, station, account_id, vehicle_id, plate, state, ended_by, opened_at, last_seen_at,
        left_at, settled_at, recorded_at, first_sighting_id, last_sighting_id)
    WITH RECURSIVE c (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < :stays - 1)
    SELECT 'v' || n, '{STATION}', account_id, id, plate, 'captured', 'captured', '{STAYED_AT}', '{STAYED_AT}',
        '{STAYED_AT}', '{STAYED_AT}', '{STAYED_AT}', 's' || n, 's' || n
    FROM c JOIN vehicles ON vehicles.id = printf('%036d', n / 4 * {REGULARS_APART} % :plates)
"""  # noqa: S608
