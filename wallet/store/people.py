"""Rows of accounts, vehicles, and the keys of requests."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import cache

from sqlalchemy import Connection, Row, bindparam, select, text, union_all, update

from wallet import near_plates
from wallet.errors import KeyReused
from wallet.facts import Account, Vehicle
from wallet.plates import LONG, SHORT, is_neighbour, neighbours
from wallet.store.lists import statement_among
from wallet.store.statements import Statement, add, insert_new
from wallet.tables import accounts, idempotency_keys, vehicles, wallets


def claim_key(
    connection: Connection, scope: str, key: str, body: str, answer_id: str, now: datetime
) -> str | None:
    """None where the key is new, else the id of the first answer; raises KeyReused for another body."""
    if insert_new(
        connection,
        idempotency_keys,
        scope=scope,
        idempotency_key=key,
        body_hash=body,
        answer_id=answer_id,
        created_at=now,
    ):
        return None
    known = connection.execute(
        select(idempotency_keys.c.body_hash, idempotency_keys.c.answer_id).where(
            idempotency_keys.c.scope == scope, idempotency_keys.c.idempotency_key == key
        )
    ).one()
    if known.body_hash != body:
        raise KeyReused(scope, key, body)
    return str(known.answer_id)


def add_account(connection: Connection, account: Account) -> None:
    """The account with its empty wallet."""
    add(
        connection,
        accounts,
        id=account.id,
        name=account.name,
        phone=account.phone,
        created_at=account.created_at,
    )
    add(connection, wallets, account_id=account.id, principal_fen=0, bonus_fen=0, held_fen=0, version=0)


def find_account(connection: Connection, account_id: str) -> Account | None:
    """The account with this id."""
    row = connection.execute(select(accounts).where(accounts.c.id == account_id)).one_or_none()
    return None if row is None else _account(row)


def is_deleted(connection: Connection, account_id: str) -> bool:
    """Whether the account was deleted; its ledger is still there."""
    query = select(accounts.c.erasure_id).where(accounts.c.id == account_id)
    return connection.execute(query).scalar_one_or_none() is not None


def list_accounts(connection: Connection, limit: int, after: str | None) -> list[Account]:
    """Accounts in the order they were opened."""
    query = select(accounts).order_by(accounts.c.id).limit(limit)
    if after is not None:
        query = query.where(accounts.c.id > after)
    return [_account(row) for row in connection.execute(query)]


def bind(connection: Connection, vehicle: Vehicle) -> bool:
    """Adds the binding unless the plate is bound now; says whether it did."""
    return insert_new(
        connection,
        vehicles,
        id=vehicle.id,
        account_id=vehicle.account_id,
        plate=vehicle.plate,
        colour=vehicle.colour,
        bound_at=vehicle.bound_at,
        unbound_at=None,
    )


def unbind(connection: Connection, vehicle_id: str, now: datetime) -> None:
    """Ends the binding; the row stays as history."""
    connection.execute(update(vehicles).where(vehicles.c.id == vehicle_id).values(unbound_at=now))


_VEHICLE = Statement(select(vehicles).where(vehicles.c.id == bindparam("vehicle_id")))


def find_vehicle(connection: Connection, vehicle_id: str) -> Vehicle | None:
    """The binding with this id, ended or not."""
    row = _VEHICLE.first(connection, vehicle_id=vehicle_id)
    return None if row is None else _vehicle(row)


def is_still_bound(connection: Connection, vehicle_id: str) -> bool:
    """Whether a binding that was seen in this transaction has not ended while its wallet was waited for.

    SQLite lets one writer in at a time: nobody else can have ended it.
    """
    if connection.dialect.name == "sqlite":
        return True
    vehicle = find_vehicle(connection, vehicle_id)
    return vehicle is not None and vehicle.unbound_at is None


_BOUND = statement_among(
    lambda among: select(vehicles).where(among, vehicles.c.unbound_at.is_(None)), vehicles.c.plate, "plates"
)


_BOUND_ONE = Statement(
    select(vehicles).where(vehicles.c.plate == bindparam("plate"), vehicles.c.unbound_at.is_(None))
)


def bound_vehicles(connection: Connection, plates: Iterable[str]) -> dict[str, Vehicle]:
    """The vehicles bound now under any of these plates, by plate: each is one look into an index."""
    wanted = list(plates)
    if len(wanted) <= 1:
        return {
            plate: _vehicle(row)
            for plate in wanted
            if (row := _BOUND_ONE.first(connection, plate=plate)) is not None
        }
    return {row.plate: _vehicle(row) for row in _BOUND.all(connection, plates=wanted)}


@cache
def _near(length: int) -> Statement:
    """The vehicles bound under a text of this length, or under a plate one step away."""
    return Statement(
        union_all(
            *(
                select(vehicles).where(text(condition), vehicles.c.unbound_at.is_(None))
                for condition in near_plates.conditions(length)
            )
        )
    )


def bound_near(connection: Connection, read: str) -> dict[str, Vehicle]:
    """The vehicles bound now under this text and under all plates one step away, by plate."""
    if len(read) not in (SHORT, LONG):
        return bound_vehicles(connection, [read, *neighbours(read)])
    found = _near(len(read)).all(connection, **near_plates.values_of(read))
    return {row.plate: _vehicle(row) for row in found if row.plate == read or is_neighbour(read, row.plate)}


def vehicles_of(connection: Connection, account_id: str) -> list[Vehicle]:
    """Every binding of the account, ended ones too, oldest first."""
    query = select(vehicles).where(vehicles.c.account_id == account_id).order_by(vehicles.c.id)
    return [_vehicle(row) for row in connection.execute(query)]


def bound_after(connection: Connection, plate: str, limit: int) -> list[Vehicle]:
    """So many of the vehicles bound now, in the order of their plates, after `plate`."""
    query = (
        select(vehicles)
        .where(vehicles.c.plate > plate, vehicles.c.unbound_at.is_(None))
        .order_by(vehicles.c.plate)
        .limit(limit)
    )
    return [_vehicle(row) for row in connection.execute(query)]


def _account(row: Row[tuple[object, ...]]) -> Account:
    return Account(row.id, row.name, row.phone, row.created_at)


def _vehicle(row: Row[tuple[object, ...]]) -> Vehicle:
    return Vehicle(row.id, row.account_id, row.plate, row.colour, row.bound_at, row.unbound_at)
