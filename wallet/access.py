"""Who may speak to the service: operators, sessions, devices, nonces; and who looked at what.

Password hashes and token hashes arrive ready-made. Counting failures and locking out happens here, in the
database, so that it holds across processes.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection

from wallet.errors import DeviceUnknown, InvalidFact, NameTaken, OperatorUnknown
from wallet.identities import CameraStatus, Device, DeviceRole, EvidenceLook, EvidenceRead, Operator, Session
from wallet.store import doors
from wallet.store.database import Store
from wallet.wording import check_name, check_text

T = TypeVar("T")

__all__ = [
    "Access",
    "CameraStatus",
    "Device",
    "DeviceRole",
    "EvidenceLook",
    "EvidenceRead",
    "NotAdmitted",
    "Operator",
    "Session",
]


class NotAdmitted(Exception):  # noqa: N818
    """A nonce that was used, or a device that is not as it was when its signature was checked."""


class Access:
    """Operators, sessions, devices, nonces, camera status and looks at evidence."""

    def __init__(self, store: Store, new_id: Callable[[], str]) -> None:
        self._store = store
        self._new_id = new_id

    # Operators ----------------------------------------------------------------------------------------------

    def add_operator(self, name: str, role: str, password_hash: str, now: datetime) -> Operator:
        """A new operator; raises NameTaken."""
        check_text("name", name, 100)
        operator = Operator(self._new_id(), name, role, password_hash, 0, None, now, None)
        if not self._store.write(lambda connection: doors.add_operator(connection, operator)):
            raise NameTaken("operator", name)
        return operator

    def operator(self, name: str) -> Operator | None:
        """The operator of this name."""
        return self._store.read(lambda connection: doors.find_operator(connection, name))

    def operators(self) -> list[Operator]:
        """All operators by name."""
        return self._store.read(doors.list_operators)

    def set_password(self, name: str, password_hash: str) -> None:
        """Replaces the password hash, and ends every session of the operator."""
        if not self._store.write(lambda connection: doors.set_password(connection, name, password_hash)):
            raise OperatorUnknown(name)

    def disable_operator(self, name: str, now: datetime) -> None:
        """No more logins; every session ends."""
        if not self._store.write(lambda connection: doors.disable_operator(connection, name, now)):
            raise OperatorUnknown(name)

    def login_failed(self, name: str, most: int, locked_until: datetime, now: datetime) -> Operator | None:
        """Counts a wrong password; after `most` in a row the operator is locked until `locked_until`."""
        return self._store.write(
            lambda connection: doors.count_failure(connection, name, most, locked_until, now)
        )

    def login_succeeded(self, name: str) -> None:
        """Forgets the wrong passwords."""
        self._store.write(lambda connection: doors.forget_failures(connection, name))

    # Sessions -----------------------------------------------------------------------------------------------

    def start_session(self, operator_id: str, token_hash: str, now: datetime, expires_at: datetime) -> None:
        """A login under the hash of its token."""
        self._store.write(
            lambda connection: doors.add_session(connection, operator_id, token_hash, now, expires_at)
        )

    def session(self, token_hash: str, now: datetime) -> Session | None:
        """The login of this token, where it still holds."""
        return self._store.read(lambda connection: doors.find_session(connection, token_hash, now))

    def end_session(self, token_hash: str, now: datetime) -> None:
        """Logs out."""
        self._store.write(lambda connection: doors.end_session(connection, token_hash, now))

    # Devices ------------------------------------------------------------------------------------------------

    def add_device(self, device_id: str, role: DeviceRole, station: str, now: datetime) -> Device:
        """A new device with key version 1; raises NameTaken."""
        check_text("device_id", device_id, 100)
        check_name("station", station)
        if role not in ("camera", "pump"):
            raise InvalidFact("role", repr(role), "must be camera or pump")
        device = Device(device_id, role, station, 1, now, None)
        if not self._store.write(lambda connection: doors.add_device(connection, device)):
            raise NameTaken("device", device_id)
        return device

    def device(self, device_id: str) -> Device | None:
        """The device of this id, disabled ones too."""
        return self._store.read(lambda connection: doors.find_device(connection, device_id))

    def devices(self) -> list[Device]:
        """All devices by id."""
        return self._store.read(doors.list_devices)

    def renew_device_key(self, device_id: str) -> Device:
        """The device with the next key version: its old key stops working."""
        renewed = self._store.write(lambda connection: doors.renew_device_key(connection, device_id))
        if renewed is None:
            raise DeviceUnknown(device_id)
        return renewed

    def disable_device(self, device_id: str, now: datetime) -> None:
        """Nothing of this device is accepted any more."""
        if not self._store.write(lambda connection: doors.disable_device(connection, device_id, now)):
            raise DeviceUnknown(device_id)

    def use_nonce(self, device_id: str, nonce: str, now: datetime, expires_at: datetime) -> bool:
        """True the first time; False where this device has used the nonce before and it has not expired."""
        return self._store.write(
            lambda connection: doors.use_nonce(connection, device_id, nonce, now, expires_at)
        )

    def submit_admitted(
        self,
        device: Device,
        nonce: str,
        now: datetime,
        expires_at: datetime,
        work: Callable[[], T],
    ) -> Future[T]:
        """What `work` returns, once it is on disk together with the nonce, all or nothing.

        device: whose signature was checked with this version of its key. Raises NotAdmitted where the nonce
        was used, or the device has another key by now or is disabled.
        """

        def admitted(connection: Connection) -> T:
            if not doors.admit(connection, device.id, device.key_version, nonce, now, expires_at):
                raise NotAdmitted()
            return work()

        return self._store.submit_whole(admitted)

    def forget_expired(self, now: datetime) -> int:
        """Removes expired nonces and sessions; says how many."""
        return self._store.write(lambda connection: doors.forget_expired(connection, now))

    # Cameras and evidence -----------------------------------------------------------------------------------

    def report_camera(self, status: CameraStatus) -> None:
        """Keeps the newest status of a camera; an older report changes nothing."""
        self._store.write(lambda connection: doors.save_camera_status(connection, status))

    def cameras(self, station: str | None = None) -> list[CameraStatus]:
        """The last status of every camera."""
        return self._store.read(lambda connection: doors.list_camera_status(connection, station))

    def record_read(
        self, kind: str, subject: str, purpose: str, actor: str, now: datetime, operator_id: str | None = None
    ) -> EvidenceRead:
        """Writes down who reads evidence and why, before it is shown; raises InvalidFact without purpose."""
        check_text("purpose", purpose, 200)
        check_text("actor", actor, 100)
        read = EvidenceRead(self._new_id(), actor, operator_id, kind, subject, purpose, now)
        self._store.write(lambda connection: doors.add_read(connection, read))
        return read

    def record_look(self, sha256: str, operator_id: str, purpose: str, now: datetime) -> EvidenceLook:
        """The same for a picture that an operator looks at."""
        read = self.record_read("picture", sha256, purpose, operator_id, now, operator_id)
        return EvidenceLook(read.id, sha256, operator_id, purpose, now)

    def reads(self, subject: str | None = None, limit: int = 100) -> list[EvidenceRead]:
        """Who read evidence, newest first."""
        return self._store.read(lambda connection: doors.reads_of(connection, subject, limit))

    def looks(self, sha256: str) -> list[EvidenceLook]:
        """Who looked at this picture, oldest first."""
        return self._store.read(lambda connection: doors.looks_at(connection, sha256))
