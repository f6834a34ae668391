"""A charge is one row: the command, its answer and the transfer.

Rows of the version before stay as they are: their columns are null, their answers stand in `commands`, their
transfers in `transfers`. While services are replaced one after the other, a charge that the new version has
answered is refused to the old one by a trigger; it cannot be taken twice.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from api.migrations import WouldLoseRows
from api.migrations.functions_0003 import FUNCTIONS

revision = "0003"
down_revision = "0002"

# What the version before cannot keep or read.
UNKNOWN_BEFORE = (("charges", "idempotency_key IS NOT NULL"), ("blocks", "format > 1"))

CHECKS_BEFORE = (
    ("not_negative", "amount_fen > 0 AND bonus_fen >= 0 AND principal_fen >= 0"),
    ("parts_make_the_whole", "bonus_fen + principal_fen = amount_fen"),
)
BEFORE = (
    "id", "account_id", "station", "purpose", "amount_fen", "bonus_fen", "principal_fen", "charged_at",
)  # fmt: skip

TRANSFERS_VIEW = """
CREATE VIEW ledger_transfers AS SELECT id, name, kind, from_account, to_account, amount_fen, account_id,
 wallet_version, wallet_after_fen, visit_id, station, sale_id, recharge_order_id, recorded_at, charge_id,
 refund_id, adjustment_id, reverses_id FROM transfers UNION ALL SELECT id, 'charge:' || id || ':' || part,
 'charge', 'wallet:' || account_id || ':' || part, 'revenue:' || station, amount_fen, account_id,
 wallet_version, wallet_after_fen, NULL, station, NULL, NULL, charged_at, id, NULL, NULL, NULL FROM charges
 WHERE part IS NOT NULL
"""
ENTRIES_VIEW = """
CREATE VIEW entries AS SELECT id AS transfer_id, from_account AS ledger_account, -amount_fen AS amount_fen,
 recorded_at FROM {transfers} UNION ALL SELECT id AS transfer_id, to_account AS ledger_account,
 amount_fen AS amount_fen, recorded_at FROM {transfers}
"""
# Name, table, when it is asked, what must be there, what it says.
NEW_ROWS = (
    (
        "charges_hold_together",
        "charges",
        "",
        "NEW.amount_fen > 0 AND NEW.bonus_fen >= 0 AND NEW.principal_fen >= 0"
        " AND NEW.bonus_fen + NEW.principal_fen = CASE WHEN NEW.code IS NULL THEN NEW.amount_fen ELSE 0 END"
        " AND (NEW.part IS NULL) = (NEW.wallet_version IS NULL)"
        " AND CASE NEW.part WHEN 'principal' THEN NEW.principal_fen = NEW.amount_fen"
        " WHEN 'bonus' THEN NEW.bonus_fen = NEW.amount_fen ELSE NEW.part IS NULL END",
        "parts_make_the_whole",
    ),
    (
        "transfers_reverse_what_is_there",
        "transfers",
        "NEW.reverses_id IS NOT NULL",
        "EXISTS (SELECT 1 FROM ledger_transfers WHERE id = NEW.reverses_id)",
        "what it reverses is not there",
    ),
    (
        "commands_charge_answered_once",
        "commands",
        "NEW.scope = 'charge'",
        "NOT EXISTS (SELECT 1 FROM charges WHERE idempotency_key = NEW.idempotency_key)",
        "idempotency_key: this charge was answered before",
    ),
)


def upgrade() -> None:
    """To this version."""
    dialect = op.get_bind().dialect.name
    _run("DROP VIEW entries")
    if dialect == "sqlite":
        _rebuild_transfers(with_key=False)
        _rebuild_charges(_columns() + _new_columns(), is_new=True)
    else:
        _expand_postgresql()
    _run(TRANSFERS_VIEW)
    _run(ENTRIES_VIEW.format(transfers="ledger_transfers"))
    for guard in NEW_ROWS:
        for statement in _new_row(dialect, *guard):
            _run(statement)
    if dialect == "postgresql":
        for function in FUNCTIONS:
            _run(function)


def downgrade() -> None:
    """Back to the version before, where no row would be lost by it."""
    for table, unknown in UNKNOWN_BEFORE:
        rows = sa.select(sa.func.count()).select_from(sa.table(table)).where(sa.text(unknown))
        count = op.get_bind().execute(rows).scalar_one()
        if count:
            raise WouldLoseRows("0002", table, count)
    dialect = op.get_bind().dialect.name
    for name, table, *_ in NEW_ROWS:
        _run(f"DROP TRIGGER {name}" + (f" ON {table}" if dialect == "postgresql" else ""))
    _run("DROP VIEW entries")
    _run("DROP VIEW ledger_transfers")
    if dialect == "sqlite":
        _rebuild_transfers(with_key=True)
        _rebuild_charges(_columns(), is_new=False)
        op.create_index("ix_charges_account_id", "charges", ["account_id"], unique=False)
    else:
        _contract_postgresql()
    _run(ENTRIES_VIEW.format(transfers="transfers"))


def _run(statement: str) -> None:
    op.get_bind().exec_driver_sql(" ".join(statement.split("\n ")).strip())


def _new_columns() -> list[sa.Column[object]]:
    return [
        sa.Column("idempotency_key", sa.String(length=255), nullable=True),
        sa.Column("body_hash", sa.String(length=64), nullable=True),
        sa.Column("actor", sa.String(length=100), nullable=True),
        sa.Column("code", sa.String(length=40), nullable=True),
        sa.Column("said", sa.String(length=200), nullable=True),
        sa.Column("part", sa.String(length=10), nullable=True),
        sa.Column("wallet_version", sa.BigInteger(), nullable=True),
        sa.Column("wallet_after_fen", sa.BigInteger(), nullable=True),
    ]


def _expand_postgresql() -> None:
    for column in _new_columns():
        op.add_column("charges", column)
    op.drop_constraint(op.f("fk_charges_account_id"), "charges", type_="foreignkey")
    op.drop_index("ix_charges_account_id", table_name="charges")
    op.create_unique_constraint(op.f("uq_charges_idempotency_key"), "charges", ["idempotency_key"])
    op.create_unique_constraint(
        op.f("uq_charges_account_id_wallet_version"), "charges", ["account_id", "wallet_version"]
    )
    for name, _ in CHECKS_BEFORE:
        op.drop_constraint(op.f(f"ck_charges_{name}"), "charges", type_="check")
    op.drop_constraint(op.f("fk_transfers_reverses_id"), "transfers", type_="foreignkey")


def _contract_postgresql() -> None:
    for name in ("platepay_charges", "platepay_charge", *(f"platepay_{name}" for name, *_ in NEW_ROWS)):
        _run(f"DROP FUNCTION {name}")
    for name, check in CHECKS_BEFORE:
        op.create_check_constraint(op.f(f"ck_charges_{name}"), "charges", check)
    for column in _new_columns():
        op.drop_column("charges", column.name)
    op.create_index("ix_charges_account_id", "charges", ["account_id"], unique=False)
    op.create_foreign_key(op.f("fk_charges_account_id"), "charges", "accounts", ["account_id"], ["id"])
    op.create_foreign_key(op.f("fk_transfers_reverses_id"), "transfers", "transfers", ["reverses_id"], ["id"])


# SQLite changes no constraint: the table is made anew with the same rows, its triggers and indexes too.


def _columns() -> list[sa.Column[object]]:
    return [
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.String(length=64), nullable=False),
        sa.Column("station", sa.String(length=64), nullable=False),
        sa.Column("purpose", sa.String(length=200), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("bonus_fen", sa.BigInteger(), nullable=False),
        sa.Column("principal_fen", sa.BigInteger(), nullable=False),
        sa.Column("charged_at", sa.DateTime(timezone=True), nullable=False),
    ]


def _rebuild_charges(columns: list[sa.Column[object]], *, is_new: bool) -> None:
    also = _made("charges", "trigger")
    keys: list[sa.Constraint] = (
        [
            sa.UniqueConstraint(
                "account_id", "wallet_version", name=op.f("uq_charges_account_id_wallet_version")
            ),
            sa.UniqueConstraint("idempotency_key", name=op.f("uq_charges_idempotency_key")),
        ]
        if is_new
        else [
            sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_charges_account_id")),
            *(sa.CheckConstraint(check, name=op.f(f"ck_charges_{name}")) for name, check in CHECKS_BEFORE),
        ]
    )
    op.create_table("charges_new", *columns, *keys, sa.PrimaryKeyConstraint("id", name=op.f("pk_charges")))
    listed = ", ".join(BEFORE)
    _run(f"INSERT INTO charges_new ({listed}) SELECT {listed} FROM charges")  # noqa: S608
    _run("DROP TABLE charges")
    _run("ALTER TABLE charges_new RENAME TO charges")
    for statement in also:
        _run(statement)


def _rebuild_transfers(*, with_key: bool) -> None:
    key = ",\n\tCONSTRAINT fk_transfers_reverses_id FOREIGN KEY(reverses_id) REFERENCES transfers (id)"
    (made,) = _made("transfers", "table")
    also = [*_made("transfers", "index"), *_made("transfers", "trigger")]
    _, body = made.split("(", 1)
    if with_key:
        body = body.rstrip()[:-1].rstrip() + key + "\n)"
    else:
        lines = [line for line in body.split("\n") if "fk_transfers_reverses_id" not in line]
        body = "\n".join(lines).rstrip().removesuffix(")").rstrip().rstrip(",") + "\n)"
    listed = ", ".join(row[1] for row in op.get_bind().exec_driver_sql("PRAGMA table_info(transfers)"))
    for statement in (
        f"CREATE TABLE transfers_new ({body}",
        f"INSERT INTO transfers_new ({listed}) SELECT {listed} FROM transfers",  # noqa: S608
        "DROP TABLE transfers",
        "ALTER TABLE transfers_new RENAME TO transfers",
        *also,
    ):
        op.get_bind().exec_driver_sql(statement)


def _made(table: str, kind: str) -> list[str]:
    """The statements that made a table, or what belongs to it, as SQLite keeps them."""
    query = sa.text(
        "SELECT sql FROM sqlite_master WHERE tbl_name = :table AND type = :kind AND sql IS NOT NULL"
    )
    return list(op.get_bind().execute(query, {"table": table, "kind": kind}).scalars())


def _new_row(dialect: str, name: str, table: str, when: str, unless: str, says: str) -> list[str]:
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER {name} BEFORE INSERT ON {table} FOR EACH ROW"
            f" WHEN {when or '1 = 1'} AND NOT ({unless})"
            f" BEGIN SELECT RAISE(ABORT, '{table}: {says}'); END"
        ]
    return [
        f"CREATE FUNCTION platepay_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN IF ({unless}) THEN RETURN NEW; END IF; "
        "RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', "
        f"MESSAGE = '{table}: {says}'; END $$",
        f"CREATE TRIGGER {name} BEFORE INSERT ON {table} FOR EACH ROW"
        + (f" WHEN ({when})" if when else "")
        + f" EXECUTE FUNCTION platepay_{name}()",
    ]
