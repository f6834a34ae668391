"""Rows of operators, sessions, devices, nonces, camera status and looks at evidence."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from wallet.identities import CameraStatus, Device, EvidenceLook, EvidenceRead, Operator, Session
from wallet.store.statements import Statement, add, insert_new
from wallet.tables import (
    camera_status,
    devices,
    evidence_looks,
    evidence_reads,
    nonces,
    operators,
    sessions,
)


def add_operator(connection: Connection, operator: Operator) -> bool:
    """Adds the operator unless the name is taken; says whether it did."""
    return insert_new(connection, operators, **asdict(operator))


def find_operator(connection: Connection, name: str, *, lock: bool = False) -> Operator | None:
    """The operator of this name."""
    query = select(operators).where(operators.c.name == name)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else _operator(row)


def list_operators(connection: Connection) -> list[Operator]:
    """All operators by name."""
    return [_operator(row) for row in connection.execute(select(operators).order_by(operators.c.name))]


def set_password(connection: Connection, name: str, password_hash: str) -> bool:
    """Replaces the hash, unlocks, and removes the operator's sessions.

    Says whether there is such an operator.
    """
    operator = find_operator(connection, name, lock=True)
    if operator is None:
        return False
    _change_operator(connection, operator, password_hash=password_hash, failures=0, locked_until=None)
    connection.execute(delete(sessions).where(sessions.c.operator_id == operator.id))
    return True


def disable_operator(connection: Connection, name: str, now: datetime) -> bool:
    """Disables the operator and removes the sessions; says whether there is such an operator."""
    operator = find_operator(connection, name, lock=True)
    if operator is None:
        return False
    _change_operator(connection, operator, disabled_at=operator.disabled_at or now)
    connection.execute(delete(sessions).where(sessions.c.operator_id == operator.id))
    return True


def count_failure(
    connection: Connection, name: str, most: int, locked_until: datetime, now: datetime
) -> Operator | None:
    """One wrong password more; the count starts anew once a lock has run out."""
    operator = find_operator(connection, name, lock=True)
    if operator is None:
        return None
    if operator.locked_until is not None and operator.locked_until > now:
        return operator
    failures = 1 if operator.locked_until is not None else operator.failures + 1
    locked = locked_until if failures >= most else None
    _change_operator(connection, operator, failures=failures, locked_until=locked)
    return find_operator(connection, name)


def forget_failures(connection: Connection, name: str) -> None:
    """The right password came."""
    connection.execute(
        update(operators).where(operators.c.name == name).values(failures=0, locked_until=None)
    )


def _change_operator(connection: Connection, operator: Operator, **values: Any) -> None:
    connection.execute(update(operators).where(operators.c.id == operator.id).values(**values))


def add_session(
    connection: Connection, operator_id: str, token_hash: str, now: datetime, expires_at: datetime
) -> None:
    """Writes a login."""
    add(
        connection,
        sessions,
        token_hash=token_hash,
        operator_id=operator_id,
        created_at=now,
        expires_at=expires_at,
        ended_at=None,
    )


def find_session(connection: Connection, token_hash: str, now: datetime) -> Session | None:
    """The login of this token while it holds and its operator is not disabled."""
    query = (
        select(sessions, operators.c.name, operators.c.role)
        .join(operators, operators.c.id == sessions.c.operator_id)
        .where(
            sessions.c.token_hash == token_hash,
            sessions.c.expires_at > now,
            sessions.c.ended_at.is_(None),
            operators.c.disabled_at.is_(None),
        )
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return Session(row.operator_id, row.name, row.role, row.created_at, row.expires_at)


def end_session(connection: Connection, token_hash: str, now: datetime) -> None:
    """Ends a login."""
    connection.execute(
        update(sessions)
        .where(sessions.c.token_hash == token_hash, sessions.c.ended_at.is_(None))
        .values(ended_at=now)
    )


def add_device(connection: Connection, device: Device) -> bool:
    """Adds the device unless its id is taken; says whether it did."""
    return insert_new(connection, devices, **asdict(device))


def find_device(connection: Connection, device_id: str) -> Device | None:
    """The device of this id."""
    row = connection.execute(select(devices).where(devices.c.id == device_id)).one_or_none()
    return None if row is None else _device(row)


def list_devices(connection: Connection) -> list[Device]:
    """All devices by id."""
    return [_device(row) for row in connection.execute(select(devices).order_by(devices.c.id))]


def renew_device_key(connection: Connection, device_id: str) -> Device | None:
    """The device with its next key version."""
    row = connection.execute(
        update(devices)
        .where(devices.c.id == device_id)
        .values(key_version=devices.c.key_version + 1)
        .returning(devices)
    ).one_or_none()
    return None if row is None else _device(row)


def disable_device(connection: Connection, device_id: str, now: datetime) -> bool:
    """Disables the device; says whether there is such a device."""
    statement = update(devices).where(devices.c.id == device_id).values(disabled_at=now)
    return connection.execute(statement).rowcount == 1


def _take_nonce(known_device: bool) -> Statement:
    """Writes down a nonce that is new or has expired; known_device: only of a device that is as it was."""

    def written(insert: Any) -> Any:
        columns = ("device_id", "nonce", "expires_at")
        given = [bindparam(name, type_=nonces.c[name].type) for name in columns]
        if known_device:
            device = select(*given).where(
                devices.c.id == bindparam("device_id"),
                devices.c.key_version == bindparam("key_version"),
                devices.c.disabled_at.is_(None),
            )
            statement = insert(nonces).from_select(columns, device)
        else:
            statement = insert(nonces).values(dict(zip(columns, given, strict=True)))
        return statement.on_conflict_do_update(
            index_elements=[nonces.c.device_id, nonces.c.nonce],
            set_={"expires_at": statement.excluded.expires_at},
            where=nonces.c.expires_at <= bindparam("now", type_=nonces.c.expires_at.type),
        ).inline()

    return Statement({"sqlite": written(sqlite.insert), "postgresql": written(postgresql.insert)})


_USE_NONCE = _take_nonce(known_device=False)
_ADMIT = _take_nonce(known_device=True)


def use_nonce(
    connection: Connection, device_id: str, nonce: str, now: datetime, expires_at: datetime
) -> bool:
    """Writes the nonce down unless it is known; says whether it was new."""
    used = _USE_NONCE.run(connection, device_id=device_id, nonce=nonce, now=now, expires_at=expires_at)
    return used == 1


def admit(
    connection: Connection,
    device_id: str,
    key_version: int,
    nonce: str,
    now: datetime,
    expires_at: datetime,
) -> bool:
    """The same for a device whose signature was checked with this version of its key.

    False too where the device has another key by now, is disabled or unknown.
    """
    used = _ADMIT.run(
        connection,
        device_id=device_id,
        key_version=key_version,
        nonce=nonce,
        now=now,
        expires_at=expires_at,
    )
    return used == 1


def forget_expired(connection: Connection, now: datetime) -> int:
    """Removes expired nonces and sessions; says how many."""
    removed = connection.execute(delete(nonces).where(nonces.c.expires_at <= now)).rowcount
    return removed + connection.execute(delete(sessions).where(sessions.c.expires_at <= now)).rowcount


def save_camera_status(connection: Connection, status: CameraStatus) -> None:
    """Writes the status unless a newer one is there."""
    values = asdict(status)
    if insert_new(connection, camera_status, **values):
        return
    connection.execute(
        update(camera_status)
        .where(
            camera_status.c.station == status.station,
            camera_status.c.camera == status.camera,
            camera_status.c.reported_at <= status.reported_at,
        )
        .values(**values)
    )


def list_camera_status(connection: Connection, station: str | None) -> list[CameraStatus]:
    """The last status of every camera, of one station or all."""
    query = select(camera_status).order_by(camera_status.c.station, camera_status.c.camera)
    if station is not None:
        query = query.where(camera_status.c.station == station)
    return [CameraStatus(**row._mapping) for row in connection.execute(query)]


def add_read(connection: Connection, read: EvidenceRead) -> None:
    """Writes that somebody reads evidence."""
    add(connection, evidence_reads, **asdict(read))


def reads_of(connection: Connection, subject: str | None, most: int) -> list[EvidenceRead]:
    """Who read this (None: anything), newest first."""
    query = select(evidence_reads).order_by(evidence_reads.c.id.desc()).limit(most)
    if subject is not None:
        query = query.where(evidence_reads.c.subject == subject)
    return [EvidenceRead(**row._mapping) for row in connection.execute(query)]


def looks_at(connection: Connection, sha256: str) -> list[EvidenceLook]:
    """Looks at this picture by operators, oldest first; those of before evidence_reads too."""
    query = select(evidence_looks).where(evidence_looks.c.sha256 == sha256)
    looks = [EvidenceLook(**row._mapping) for row in connection.execute(query)]
    reads = select(evidence_reads).where(evidence_reads.c.subject == sha256)
    looks += [
        EvidenceLook(row.id, row.subject, row.operator_id or "", row.purpose, row.read_at)
        for row in connection.execute(reads)
    ]
    return sorted(looks, key=lambda look: look.id)


def _operator(row: Row[tuple[object, ...]]) -> Operator:
    return Operator(**row._mapping)


def _device(row: Row[tuple[object, ...]]) -> Device:
    return Device(**row._mapping)
