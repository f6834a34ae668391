"""Rows of accounts, vehicles, the keys of their plates, and the keys of requests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from wallet.errors import KeyReused
from wallet.facts import Account, Candidate, Vehicle
from wallet.plates import keys_of
from wallet.store.statements import Statement, add, insert_new
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


_VEHICLE = Statement(select(vehicles).where(vehicles.c.id == bindparam("vehicle_id")))


def find_vehicle(connection: Connection, vehicle_id: str) -> Vehicle | None:
    """The binding with this id, ended or not."""
    row = _VEHICLE.first(connection, vehicle_id=vehicle_id)
    return None if row is None else _vehicle(row)


def bound_vehicles(connection: Connection, plates: Iterable[str]) -> dict[str, Vehicle]:
    """The vehicles bound now under these plates, by plate."""
    wanted = list(plates)
    if not wanted:
        return {}
    rows = _bound(_variants(len(wanted))).all(connection, **_filled(wanted))
    return {row.plate: _vehicle(row) for row in rows}


def _variants(count: int) -> int:
    """The next power of two: few statements serve lists of every length."""
    return 1 << (count - 1).bit_length()


def _filled(texts: Sequence[str]) -> dict[str, str]:
    """A value for each place of a list: what is too many repeats the last."""
    return {f"text_{place}": texts[min(place, len(texts) - 1)] for place in range(_variants(len(texts)))}


@lru_cache(maxsize=16)
def _bound(count: int) -> Statement:
    wanted = [bindparam(f"text_{place}", type_=vehicles.c.plate.type) for place in range(count)]
    return Statement(select(vehicles).where(vehicles.c.plate.in_(wanted), vehicles.c.unbound_at.is_(None)))


@lru_cache(maxsize=16)
def _near(count: int) -> Statement:
    keys = [bindparam(f"text_{place}", type_=plate_keys.c.plate_key.type) for place in range(count)]
    return Statement(
        select(vehicles)
        .distinct()
        .join(plate_keys, plate_keys.c.vehicle_id == vehicles.c.id)
        .where(plate_keys.c.plate_key.in_(keys), vehicles.c.unbound_at.is_(None))
        .order_by(vehicles.c.plate)
    )


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
    keys = keys_of(texts[0])
    near = {row.plate: _vehicle(row) for row in _near(_variants(len(keys))).all(connection, **_filled(keys))}
    # The first text is one of those near it: alone it needs no look-up of its own.
    exact = bound_vehicles(connection, texts) if len(texts) > 1 else near
    found = [exact[text] for text in texts if text in exact]
    first = {vehicle.plate for vehicle in found}
    found += [vehicle for plate, vehicle in near.items() if plate not in first]
    return [Candidate(vehicle.plate, vehicle.colour, vehicle.id, vehicle.account_id) for vehicle in found]


def _account(row: Row[tuple[object, ...]]) -> Account:
    return Account(row.id, row.name, row.phone, row.created_at)


def _vehicle(row: Row[tuple[object, ...]]) -> Vehicle:
    return Vehicle(row.id, row.account_id, row.plate, row.colour, row.bound_at, row.unbound_at)
