"""Rows of accounts, vehicles, the keys of their plates, and the keys of requests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, Row, delete, insert, select, update

from wallet.errors import KeyReused
from wallet.facts import Account, Candidate, Vehicle
from wallet.plates import keys_of
from wallet.store.database import add, insert_new
from wallet.tables import accounts, idempotency_keys, plate_keys, vehicles, wallets


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


def list_accounts(connection: Connection, limit: int, after: str | None) -> list[Account]:
    """Accounts in the order they were opened."""
    query = select(accounts).order_by(accounts.c.id).limit(limit)
    if after is not None:
        query = query.where(accounts.c.id > after)
    return [_account(row) for row in connection.execute(query)]


def bind(connection: Connection, vehicle: Vehicle) -> bool:
    """Adds the binding unless the plate is bound now; says whether it did."""
    added = insert_new(
        connection,
        vehicles,
        id=vehicle.id,
        account_id=vehicle.account_id,
        plate=vehicle.plate,
        colour=vehicle.colour,
        bound_at=vehicle.bound_at,
        unbound_at=None,
    )
    if added:
        rows = [{"plate_key": key, "vehicle_id": vehicle.id} for key in keys_of(vehicle.plate)]
        connection.execute(insert(plate_keys), rows)
    return added


def unbind(connection: Connection, vehicle_id: str, now: datetime) -> None:
    """Ends the binding; the row stays as history, its keys go."""
    connection.execute(update(vehicles).where(vehicles.c.id == vehicle_id).values(unbound_at=now))
    connection.execute(delete(plate_keys).where(plate_keys.c.vehicle_id == vehicle_id))


def find_vehicle(connection: Connection, vehicle_id: str) -> Vehicle | None:
    """The binding with this id, ended or not."""
    row = connection.execute(select(vehicles).where(vehicles.c.id == vehicle_id)).one_or_none()
    return None if row is None else _vehicle(row)


def bound_vehicles(connection: Connection, plates: Iterable[str]) -> dict[str, Vehicle]:
    """The vehicles bound now under these plates, by plate."""
    wanted = list(plates)
    if not wanted:
        return {}
    query = select(vehicles).where(vehicles.c.plate.in_(wanted), vehicles.c.unbound_at.is_(None))
    return {row.plate: _vehicle(row) for row in connection.execute(query)}


def vehicles_of(connection: Connection, account_id: str) -> list[Vehicle]:
    """Every binding of the account, ended ones too, oldest first."""
    query = select(vehicles).where(vehicles.c.account_id == account_id).order_by(vehicles.c.id)
    return [_vehicle(row) for row in connection.execute(query)]


def candidates_among(connection: Connection, texts: Sequence[str]) -> list[Candidate]:
    """Bound plates among `texts`, in that order, then those one position away from the first text.

    Two look-ups by index, however many plates are registered.
    """
    if not texts:
        return []
    exact = bound_vehicles(connection, texts)
    found = [exact[text] for text in texts if text in exact]
    near = connection.execute(
        select(vehicles)
        .distinct()
        .join(plate_keys, plate_keys.c.vehicle_id == vehicles.c.id)
        .where(plate_keys.c.plate_key.in_(keys_of(texts[0])), vehicles.c.unbound_at.is_(None))
        .order_by(vehicles.c.plate)
    )
    found += [_vehicle(row) for row in near if row.plate not in exact]
    return [Candidate(vehicle.plate, vehicle.colour, vehicle.id, vehicle.account_id) for vehicle in found]


def _account(row: Row[tuple[object, ...]]) -> Account:
    return Account(row.id, row.name, row.phone, row.created_at)


def _vehicle(row: Row[tuple[object, ...]]) -> Vehicle:
    return Vehicle(row.id, row.account_id, row.plate, row.colour, row.bound_at, row.unbound_at)
