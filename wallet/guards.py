"""Triggers and the view of entries: what a constraint on one row cannot say.

create_all makes them together with the tables.

Rows that are facts are never updated or deleted; rows that carry a state only move forward.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, MetaData, Table, event

from wallet import erasing, wallet_rules
from wallet.charge_functions import FUNCTIONS
from wallet.tables import metadata

FACTS = (
    "transfers",
    "ledger_accounts",
    "captures",
    "sightings",
    "matches",
    "departures",
    "channel_payments",
    "idempotency_keys",
    "evidence_looks",
    "commands",
    "key_conflicts",
    "charges",
    "refunds",
    "adjustments",
    "adjustment_decisions",
    "blocks",
    "seals",
    "audit_proofs",
    "review_answers",
    "review_ends",
    "corrections",
    "known_cases",
    "known_case_answers",
    "deciders",
    "traffic_snapshots",
    "decision_inputs",
    "sighting_readings",
    "erasures",
    "evidence_reads",
    "limits",
    "guarantees",
    "plate_stops",
    "plate_releases",
    "station_prices",
    "station_tariffs",
    "fee_terms",
    "fee_settlements",
    "fee_lines",
)
KEPT = ("accounts", "wallets", "vehicles", "visits", "holds", "sales", "recharge_orders", "reviews")


@dataclass(frozen=True, slots=True)
class Guard:
    """One refusal: this event on a row of this table, always or only `when` (SQL over OLD and NEW)."""

    name: str
    table: str
    event: Literal["UPDATE", "DELETE"]
    when: str | None
    says: str


def _changed(*columns: str) -> str:
    return " OR ".join(f"NEW.{column} <> OLD.{column}" for column in columns)


GUARDS: tuple[Guard, ...] = (
    *(
        Guard(f"{table}_no_update", table, "UPDATE", erasing.unless_erasing(table), "rows are never updated")
        for table in FACTS
    ),
    *(Guard(f"{table}_no_delete", table, "DELETE", None, "rows are never deleted") for table in FACTS + KEPT),
    # A sale that began under a live hold may come after it has expired: it is taken within it, once.
    Guard(
        "holds_closed_for_ever",
        "holds",
        "UPDATE",
        "OLD.state = 'captured' OR (OLD.state = 'voided' AND (NEW.state <> 'captured'"
        " OR NEW.amount_fen <> OLD.amount_fen OR NEW.closed_at <> OLD.closed_at))",
        "a closed hold stays closed",
    ),
    Guard(
        "holds_same_hold",
        "holds",
        "UPDATE",
        _changed("id", "visit_id", "account_id", "placed_at") + " OR NEW.amount_fen < OLD.amount_fen",
        "a hold keeps its visit and never shrinks",
    ),
    Guard(
        "visits_end_once",
        "visits",
        "UPDATE",
        "OLD.state <> 'open' AND NEW.state <> OLD.state AND NOT (NEW.state = 'captured'"
        " AND OLD.ended_by IN ('left_without_sale', 'stayed_too_long'))",
        "a visit that has ended stays ended",
    ),
    Guard(
        "visits_same_visit",
        "visits",
        "UPDATE",
        _changed("id", "station", "account_id", "vehicle_id", "first_sighting_id")
        + f" OR {erasing.changes_plate()}",
        "a visit keeps its vehicle and account",
    ),
    Guard(
        "sales_settle_once",
        "sales",
        "UPDATE",
        "OLD.state NOT IN ('waiting', 'review') OR (OLD.state = 'review' AND NEW.state <> 'captured')",
        "a sale that is settled stays settled",
    ),
    Guard(
        "sales_same_sale",
        "sales",
        "UPDATE",
        _changed("station", "sale_id", "pump", "litres_ml", "unit_price_fen", "amount_fen", "body_hash"),
        "a sale keeps its facts",
    ),
    Guard(
        "reviews_close_once",
        "reviews",
        "UPDATE",
        f"({erasing.is_no_reasons_erasure()}) AND (OLD.state <> 'open' OR "
        + _changed("id", "kind", "subject", "amount_fen", "created_at")
        + ")",
        "a review item is closed once and keeps its facts",
    ),
    Guard(
        "recharge_orders_paid_once",
        "recharge_orders",
        "UPDATE",
        "OLD.state <> 'open' OR " + _changed("id", "account_id", "amount_fen", "channel"),
        "a recharge order is paid once and keeps its facts",
    ),
    Guard(
        "vehicles_unbound_once",
        "vehicles",
        "UPDATE",
        f"({erasing.is_no_plate_erasure()}) AND (OLD.unbound_at IS NOT NULL OR "
        + _changed("id", "account_id", "plate")
        + ")",
        "a binding ends once",
    ),
    Guard(
        "accounts_deleted_once",
        "accounts",
        "UPDATE",
        "OLD.erasure_id IS NOT NULL",
        "an account that was deleted stays as it is",
    ),
)

# A charge that one part of the wallet paid for is its own transfer.
TRANSFERS_VIEW = (
    "CREATE VIEW ledger_transfers AS"
    " SELECT id, name, kind, from_account, to_account, amount_fen, account_id, wallet_version,"
    " wallet_after_fen, visit_id, station, sale_id, recharge_order_id, recorded_at, charge_id, refund_id,"
    " adjustment_id,"
    " reverses_id FROM transfers"
    " UNION ALL"
    " SELECT id, 'charge:' || id || ':' || part, 'charge', 'wallet:' || account_id || ':' || part,"
    " 'revenue:' || station, amount_fen, account_id, wallet_version, wallet_after_fen,"
    " NULL, station, NULL, NULL, charged_at, id, NULL, NULL,"
    " NULL FROM charges WHERE part IS NOT NULL"
)

ENTRIES_VIEW = (
    "CREATE VIEW entries AS"
    " SELECT id AS transfer_id, from_account AS ledger_account, -amount_fen AS amount_fen, "
    "recorded_at FROM ledger_transfers"
    " UNION ALL"
    " SELECT id AS transfer_id, to_account AS ledger_account, amount_fen AS amount_fen, "
    "recorded_at FROM ledger_transfers"
)


@dataclass(frozen=True, slots=True)
class NewRow:
    """One refusal of a new row, unless this holds (SQL over NEW). when: of which rows it is asked."""

    name: str
    table: str
    when: str | None
    unless: str
    says: str


NEW_ROWS = (
    NewRow(
        "charges_hold_together",
        "charges",
        None,
        "NEW.amount_fen > 0 AND NEW.bonus_fen >= 0 AND NEW.principal_fen >= 0"
        " AND NEW.bonus_fen + NEW.principal_fen = CASE WHEN NEW.code IS NULL THEN NEW.amount_fen ELSE 0 END"
        " AND (NEW.part IS NULL) = (NEW.wallet_version IS NULL)"
        " AND CASE NEW.part WHEN 'principal' THEN NEW.principal_fen = NEW.amount_fen"
        " WHEN 'bonus' THEN NEW.bonus_fen = NEW.amount_fen ELSE NEW.part IS NULL END",
        "parts_make_the_whole",
    ),
    NewRow(
        "transfers_reverse_what_is_there",
        "transfers",
        "NEW.reverses_id IS NOT NULL",
        "EXISTS (SELECT 1 FROM ledger_transfers WHERE id = NEW.reverses_id)",
        "what it reverses is not there",
    ),
    # The version before wrote charges so: during an upgrade the two must not answer one name twice.
    NewRow(
        "commands_charge_answered_once",
        "commands",
        "NEW.scope = 'charge'",
        "NOT EXISTS (SELECT 1 FROM charges WHERE idempotency_key = NEW.idempotency_key)",
        "idempotency_key: this charge was answered before",
    ),
)

# On PostgreSQL the trigger of wallet_rules looks at this as well.
_VERSION_GROWS = Guard(
    "wallets_version_grows", "wallets", "UPDATE", "NEW.version < OLD.version", wallet_rules.NEVER_BACK
)

_REFUSE_FUNCTION = (
    "CREATE FUNCTION platepay_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ "
    "BEGIN RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', "
    "MESSAGE = TG_TABLE_NAME || ': ' || TG_ARGV[0]; END $$"
)


def creating(dialect: str) -> list[str]:
    """The statements that make the guards, the views and the functions in this dialect, in order."""
    views = [TRANSFERS_VIEW, ENTRIES_VIEW]
    if dialect == "sqlite":
        recorded = [erasing.sqlite_recorded(table) for table in erasing.TABLES]
        return [
            *map(_sqlite_trigger, (*GUARDS, _VERSION_GROWS)),
            *recorded,
            *map(_sqlite_new_row, NEW_ROWS),
            *views,
        ]
    truncate = [
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION platepay_refuse('rows are never deleted')"
        for table in FACTS + KEPT
    ]
    recorded = [erasing.RECORDED_FUNCTION, *(erasing.postgresql_recorded(table) for table in erasing.TABLES)]
    new_rows = [statement for guard in NEW_ROWS for statement in _postgresql_new_row(guard)]
    made = [_REFUSE_FUNCTION, *map(_postgresql_trigger, GUARDS), *recorded, *truncate, *new_rows]
    return [*made, *wallet_rules.postgresql(), *views, *FUNCTIONS]


# What the service itself clears away: keys of plates that were unbound, and what has expired.
CLEARED = ("plate_keys", "nonces", "sessions", "plate_index", "twins")


def granting(role: str) -> list[str]:
    """PostgreSQL statements that give a role what the service needs of these tables, and take away the rest.

    Facts can be read and added, rows with a state changed as well, nothing about money deleted.
    """
    tables = sorted(metadata.tables)
    facts = [table for table in tables if table in FACTS]
    others = [table for table in tables if table not in FACTS]
    return [
        f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}",
        f"GRANT USAGE ON SCHEMA public TO {role}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}",
        f"GRANT SELECT, INSERT ON {', '.join(facts)} TO {role}",
        f"GRANT SELECT, INSERT, UPDATE ON {', '.join(others)} TO {role}",
        *(
            f"GRANT UPDATE ({', '.join(columns)}) ON {table} TO {role}"
            for table, columns in erasing.ERASED.items()
            if table in FACTS
        ),
        f"GRANT DELETE ON {', '.join(CLEARED)} TO {role}",
        f"GRANT SELECT ON ledger_transfers, entries, alembic_version TO {role}",
    ]


def _sqlite_trigger(guard: Guard) -> str:
    condition = f" WHEN {guard.when}" if guard.when else ""
    return (
        f"CREATE TRIGGER {guard.name} BEFORE {guard.event} ON {guard.table} FOR EACH ROW{condition}"
        f" BEGIN SELECT RAISE(ABORT, '{guard.table}: {guard.says}'); END"
    )


def _postgresql_trigger(guard: Guard) -> str:
    condition = f" WHEN ({guard.when})" if guard.when else ""
    return (
        f"CREATE TRIGGER {guard.name} BEFORE {guard.event} ON {guard.table} FOR EACH ROW{condition}"
        f" EXECUTE FUNCTION platepay_refuse('{guard.says}')"
    )


def _sqlite_new_row(guard: NewRow) -> str:
    return (
        f"CREATE TRIGGER {guard.name} BEFORE INSERT ON {guard.table} FOR EACH ROW"
        f" WHEN {guard.when or '1 = 1'} AND NOT ({guard.unless})"
        f" BEGIN SELECT RAISE(ABORT, '{guard.table}: {guard.says}'); END"
    )


def _postgresql_new_row(guard: NewRow) -> list[str]:
    """A function that looks, since a trigger's own condition cannot; not called for other rows."""
    return [
        f"CREATE FUNCTION platepay_{guard.name}() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN IF ({guard.unless}) THEN RETURN NEW; END IF; "
        "RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation', "
        f"MESSAGE = '{guard.table}: {guard.says}'; END $$",
        f"CREATE TRIGGER {guard.name} BEFORE INSERT ON {guard.table} FOR EACH ROW"
        + (f" WHEN ({guard.when})" if guard.when else "")
        + f" EXECUTE FUNCTION platepay_{guard.name}()",
    ]


@event.listens_for(metadata, "after_create")
def _guard_new_tables(_target: MetaData, connection: Connection, tables: list[Table], **_: Any) -> None:
    if tables:
        for statement in creating(connection.dialect.name):
            # As it stands: the colon of a JSON text in a trigger names no parameter.
            connection.exec_driver_sql(statement)
