"""Fills a database for the benchmark with wallets and past transfers, as fast as its own statements can."""

from __future__ import annotations

from sqlalchemy import Connection, Engine, text

OPENED_FEN = 1_000_000_000_000
STEP = 500_000
REVENUE = (
    "INSERT INTO ledger_accounts (id, kind) VALUES ('revenue\\:bench', 'revenue') ON CONFLICT DO NOTHING"
)

# {series}: numbers from {low} to below {high}, as n.
WALLETS = (
    "INSERT INTO accounts (id, name, created_at) SELECT 'a' || n, 'bench', {moment} FROM {series}",
    "INSERT INTO wallets (account_id, principal_fen, bonus_fen, held_fen, version)"
    " SELECT 'a' || n, {opened}, 0, 0, 0 FROM {series}",
    "INSERT INTO ledger_accounts (id, kind, account_id)"
    " SELECT 'wallet\\:a' || n || '\\:principal', 'principal', 'a' || n FROM {series}",
)
# Past debits as they are stored, one row each. They are marked as rejected: all the weight of a debit, in the
# table and in its indexes, that leaves the balances of the benchmark alone.
PAST = (
    "INSERT INTO charges (id, account_id, station, purpose, amount_fen, bonus_fen, principal_fen, charged_at,"
    " idempotency_key, body_hash, actor, code, said)"
    " SELECT '0' || n, 'a' || (n % {wallets}), 'bench', 'bench', 1, 0, 0, {moment}, 'past\\:' || n,"
    " '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef', 'bench', 'past', 'past'"
    " FROM {series}",
)


def add_wallets(engine: Engine, low: int, high: int) -> None:
    """Accounts with rich wallets, numbered from `low` to below `high`."""
    with _writing(engine) as connection, connection.begin():
        connection.execute(text(REVENUE))
    _fill(engine, WALLETS, low, high, wallets=high)


def add_past(engine: Engine, low: int, high: int, wallets: int) -> None:
    """Debits of earlier times, numbered from `low` to below `high`."""
    _fill(engine, PAST, low, high, wallets=wallets)


def settle(engine: Engine) -> None:
    """Statistics, and everything on disk, before anything is measured."""
    if engine.dialect.name == "sqlite":
        with _writing(engine) as connection, connection.begin():
            connection.execute(text("ANALYZE"))
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for statement in ("VACUUM ANALYZE", "CHECKPOINT"):
            connection.execute(text(statement))


def _fill(engine: Engine, statements: tuple[str, ...], low: int, high: int, *, wallets: int) -> None:
    for start in range(low, high, STEP):
        end = min(high, start + STEP)
        with _writing(engine) as connection, connection.begin():
            if engine.dialect.name == "postgresql":
                # The rows are made to fit: looking each parent up again would take most of the time.
                connection.execute(text("SET LOCAL session_replication_role = replica"))
                series, moment = f"generate_series({start}, {end - 1}) n", "now()"
            else:
                series = (
                    f"(WITH RECURSIVE c (n) AS (SELECT {start} UNION ALL SELECT n + 1 FROM c"  # noqa: S608
                    f" WHERE n < {end - 1}) SELECT n FROM c)"
                )
                moment = "'2026-01-01 00\\:00\\:00.000000'"
            for statement in statements:
                filled = statement.format(series=series, moment=moment, opened=OPENED_FEN, wallets=wallets)
                connection.execute(text(filled))


def _writing(engine: Engine) -> Connection:
    return engine.connect().execution_options(platepay_writes=True)
