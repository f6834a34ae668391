"""Accounts and their vehicles.

Every request that makes something carries a key; the same again gets the first answer.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from wallet.errors import AccountUnknown, InvalidFact, PlateAlreadyBound, VehicleUnknown
from wallet.facts import COLOURS, Account, Balance, StatementLine, Vehicle
from wallet.fingerprint import body_hash
from wallet.sales import NewId
from wallet.store import balances, history
from wallet.store import people as rows
from wallet.wording import check_text


def open_account(
    connection: Connection, name: str, phone: str | None, key: str, new_id: NewId, now: datetime
) -> Account:
    """A new account, or the one made first under the same key and body."""
    check_text("name", name, 200)
    if phone is not None:
        check_text("phone", phone, 40)
    check_text("key", key, 255)
    account = Account(new_id(), name, phone, now)
    first = rows.claim_key(
        connection, "account", key, body_hash({"name": name, "phone": phone}), account.id, now
    )
    if first is not None:
        return find(connection, first)
    rows.add_account(connection, account)
    return account


def find(connection: Connection, account_id: str) -> Account:
    """The account; raises AccountUnknown."""
    account = rows.find_account(connection, account_id)
    if account is None:
        raise AccountUnknown(account_id)
    return account


def find_open(connection: Connection, account_id: str) -> Account:
    """The account; raises AccountUnknown for one that was deleted, too."""
    account = find(connection, account_id)
    if rows.is_deleted(connection, account_id):
        raise AccountUnknown(account_id)
    return account


def bind_vehicle(
    connection: Connection, account_id: str, plate: str, colour: str, key: str, new_id: NewId, now: datetime
) -> Vehicle:
    """A new binding, or the one made first under the same key and body."""
    check_text("key", key, 255)
    if not 7 <= len(plate) <= 8 or not plate.isalnum():
        raise InvalidFact("plate", repr(plate), "must have 7 or 8 characters, letters and digits")
    if colour not in COLOURS:
        raise InvalidFact("colour", repr(colour), f"must be one of {', '.join(COLOURS)}")
    find_open(connection, account_id)
    vehicle = Vehicle(new_id(), account_id, plate, colour, now, None)
    body = body_hash({"account_id": account_id, "plate": plate, "colour": colour})
    first = rows.claim_key(connection, "vehicle", key, body, vehicle.id, now)
    if first is not None:
        known = rows.find_vehicle(connection, first)
        if known is None:
            raise RuntimeError(f"key {key} names vehicle {first}, which is not there")
        return known
    if not rows.bind(connection, vehicle):
        raise PlateAlreadyBound(plate)
    return vehicle


def unbind_vehicle(connection: Connection, plate: str, now: datetime) -> Vehicle:
    """The binding that has ended now; raises VehicleUnknown."""
    bound = rows.bound_vehicles(connection, [plate]).get(plate)
    if bound is None:
        raise VehicleUnknown(plate)
    # An arrival of this car holds the same lock: either it comes first, or it finds the plate unbound.
    balances.lock_wallet(connection, bound.account_id)
    current = rows.find_vehicle(connection, bound.id)
    if current is None or current.unbound_at is not None:
        raise VehicleUnknown(plate)
    rows.unbind(connection, bound.id, now)
    return Vehicle(bound.id, bound.account_id, bound.plate, bound.colour, bound.bound_at, now)


def vehicles(connection: Connection, account_id: str) -> list[Vehicle]:
    """Every binding of the account; raises AccountUnknown."""
    find(connection, account_id)
    return rows.vehicles_of(connection, account_id)


def statement(
    connection: Connection, account_id: str, limit: int, before: str | None, at: datetime | None
) -> list[StatementLine]:
    """Transfers of the wallet, up to a moment where one is given; raises AccountUnknown."""
    find(connection, account_id)
    version = None if at is None else history.version_at(connection, account_id, at)
    return balances.statement(connection, account_id, limit, before, version)


def balance_at(connection: Connection, account_id: str, at: datetime) -> Balance:
    """The wallet at that moment; raises AccountUnknown."""
    find(connection, account_id)
    return history.balance_at(connection, account_id, at)
