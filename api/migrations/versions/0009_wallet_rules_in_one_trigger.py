"""On PostgreSQL one trigger looks at each row of a wallet, in the place of three CHECKs and another trigger.

The rules are the same; the version before goes on working. On SQLite nothing changes.
"""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"

RULES = (
    ("not_negative", "{0}principal_fen >= 0 AND {0}bonus_fen >= 0 AND {0}held_fen >= 0"),
    ("available_not_negative", "{0}principal_fen + {0}bonus_fen - {0}held_fen >= 0"),
    ("version_not_negative", "{0}version >= 0"),
)
WHICH = " ".join(f"WHEN NOT ({rule.format('NEW.')}) THEN '{name}'" for name, rule in RULES)
FUNCTION = (
    "CREATE OR REPLACE FUNCTION platepay_wallets_hold_together() RETURNS trigger LANGUAGE plpgsql AS $$ "
    f"BEGIN IF {' AND '.join(rule.format('NEW.') for _, rule in RULES)}"
    " AND NEW.version >= COALESCE(OLD.version, 0)"
    " THEN RETURN NEW; END IF; RAISE EXCEPTION USING ERRCODE = 'check_violation', "
    f"MESSAGE = 'wallets: ' || CASE {WHICH} ELSE 'a wallet never goes back' END; END $$"
)
TRIGGER = (
    "CREATE TRIGGER wallets_hold_together BEFORE INSERT OR UPDATE ON wallets"
    " FOR EACH ROW EXECUTE FUNCTION platepay_wallets_hold_together()"
)
TRIGGER_BEFORE = (
    "CREATE TRIGGER wallets_version_grows BEFORE UPDATE ON wallets FOR EACH ROW"
    " WHEN (NEW.version < OLD.version) EXECUTE FUNCTION platepay_refuse('a wallet never goes back')"
)


def upgrade() -> None:
    """To this version. Tables made by it without a history have it already: then again."""
    if op.get_bind().dialect.name != "postgresql":
        return
    _run(FUNCTION)
    _run("DROP TRIGGER IF EXISTS wallets_hold_together ON wallets")
    _run(TRIGGER)
    _run("DROP TRIGGER IF EXISTS wallets_version_grows ON wallets")
    for name, _ in RULES:
        _run(f"ALTER TABLE wallets DROP CONSTRAINT IF EXISTS ck_wallets_{name}")


def downgrade() -> None:
    """Back to the version before; every row is looked at once more."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for name, rule in RULES:
        _run(f"ALTER TABLE wallets ADD CONSTRAINT ck_wallets_{name} CHECK ({rule.format('')})")
    _run(TRIGGER_BEFORE)
    _run("DROP TRIGGER wallets_hold_together ON wallets")
    _run("DROP FUNCTION platepay_wallets_hold_together")


def _run(statement: str) -> None:
    op.get_bind().exec_driver_sql(statement)
