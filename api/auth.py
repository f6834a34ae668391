"""Who is speaking: operators by password and opaque token, cameras and pumps by signature."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from api.errors import (
    BadSignature,
    LockedOut,
    NotSignedIn,
    ReplayedRequest,
    StaleTimestamp,
    UnknownDevice,
    UnsignedRequest,
    WrongPassword,
    WrongRole,
    WrongStation,
)
from api.keys import device_key
from api.nonces import NonceStore
from api.passwords import Passwords
from api.settings import Settings
from cameras import signing
from wallet.access import Access, Device, Operator, Session
from wallet.errors import InvalidFact

WINDOW_S = 300
DEVICE = re.compile(r"[ -~]{1,100}")
NONCE = re.compile(r"[0-9a-f]{32}")
TIMESTAMP = re.compile(r"[0-9]{1,12}")

Clock = Callable[[], datetime]


def token_hash(token: str) -> str:
    """What is stored of a session's token: 256 bits of chance need no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


class Operators:
    """Logins and sessions of the people who run the service."""

    def __init__(self, access: Access, passwords: Passwords, settings: Settings, clock: Clock) -> None:
        self._access = access
        self._passwords = passwords
        self._settings = settings
        self._clock = clock
        self._strangers = Strangers()

    def add(self, name: str, password: str, role: str = "admin") -> Operator:
        """Create an operator. Raises InvalidFact for a short password, NameTaken."""
        return self._access.add_operator(name, role, self._passwords.make(password), self._clock())

    def login(self, name: str, password: str) -> tuple[str, datetime]:
        """A new session's token and when it ends. Raises WrongPassword, LockedOut, TooBusy.

        An unknown name takes as long as a wrong password and gets the same answers, the lock-out too.
        """
        now = self._clock()
        operator = self._access.operator(name)
        self._refuse_locked(name, operator, now)
        stored = operator.password_hash if operator and operator.disabled_at is None else None
        if not self._passwords.fits(stored, password) or operator is None:
            self._count_failure(name, operator, now)
            raise WrongPassword()
        # Others may have failed while this password was worked out: a lock holds for the right one too.
        self._refuse_locked(name, self._access.operator(name), now)
        self._access.login_succeeded(name)
        token = secrets.token_urlsafe(32)
        expires_at = now + timedelta(seconds=self._settings.session_s)
        self._access.start_session(operator.id, token_hash(token), now, expires_at)
        return token, expires_at

    def of_token(self, token: str | None) -> Session:
        """The session of this token. Raises NotSignedIn."""
        session = self._access.session(token_hash(token), self._clock()) if token else None
        if session is None:
            raise NotSignedIn()
        return session

    def logout(self, token: str) -> None:
        """End a session; ending it again does nothing."""
        self._access.end_session(token_hash(token), self._clock())

    def _refuse_locked(self, name: str, operator: Operator | None, now: datetime) -> None:
        until = operator.locked_until if operator else self._strangers.locked_until(name)
        if until is not None and until > now:
            raise LockedOut(retry_after_s=_seconds_up(until - now))

    def _count_failure(self, name: str, operator: Operator | None, now: datetime) -> None:
        most, until = self._settings.login_attempts, now + timedelta(seconds=self._settings.login_lock_s)
        if operator is None:
            self._strangers.failed(name, most, until, now)
        else:
            self._access.login_failed(name, most, until, now)


class Strangers:
    """Locks names that no operator has as it would one's, so that a lock does not tell which names exist.

    Kept in the process: losing it gives nothing away. Operators' own failures are counted in the database.
    """

    MOST_NAMES = 2000

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, tuple[int, datetime | None]] = OrderedDict()

    def locked_until(self, name: str) -> datetime | None:
        """When the name opens again, or None."""
        with self._lock:
            return self._failures.get(name, (0, None))[1]

    def failed(self, name: str, most: int, until: datetime, now: datetime) -> None:
        """Count one more; the oldest name is forgotten when there are too many."""
        with self._lock:
            count, locked = self._failures.pop(name, (0, None))
            if locked is not None and locked <= now:
                count = 0
            count += 1
            self._failures[name] = (count, until if count >= most else None)
            if len(self._failures) > self.MOST_NAMES:
                self._failures.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Speaker:
    """A device whose signature was checked."""

    device: Device

    def must_be(self, role: Literal["camera", "pump"]) -> None:
        """Raises WrongRole."""
        if self.device.role != role:
            raise WrongRole(device=self.device.id, role=self.device.role, needed=role)

    def must_speak_for(self, station: str) -> None:
        """Raises WrongStation."""
        if self.device.station != station:
            raise WrongStation(device=self.device.id, own_station=self.device.station, station=station)


class Devices:
    """Checks the signatures of cameras and pumps."""

    def __init__(self, access: Access, nonces: NonceStore, secret: bytes, clock: Clock) -> None:
        self._access = access
        self._nonces = nonces
        self._secret = secret
        self._clock = clock
        # Devices whose signature was checked, each with its key. Whoever uses it asks the database, in the
        # transaction of its work, whether the device is still as it was.
        self._known: dict[str, tuple[Device, bytes]] = {}

    def known(self, device_id: str) -> tuple[Device, bytes] | None:
        """A device that has spoken before, and the key it signed with; it may have another by now."""
        return self._known.get(device_id)

    def forget(self, device_id: str) -> None:
        """Look the device up anew the next time."""
        self._known.pop(device_id, None)

    def add(self, device_id: str, role: Literal["camera", "pump"], station: str) -> str:
        """Register a device and give its key, for its configuration. Raises NameTaken, InvalidFact."""
        if not DEVICE.fullmatch(device_id):
            raise InvalidFact("device_id", repr(device_id), "must be plain ASCII: it travels in a header")
        device = self._access.add_device(device_id, role, station, self._clock())
        return device_key(self._secret, device.id, device.key_version)

    def key_of(self, device_id: str) -> str:
        """The present key of a device. Raises UnknownDevice."""
        device = self._access.device(device_id)
        if device is None:
            raise UnknownDevice(device=device_id)
        return device_key(self._secret, device.id, device.key_version)

    def check(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Speaker:
        """Who signed this request.

        path: with its query, as it stood in the request line. headers: looked up by name in any case.
        The signature is checked before the nonce is kept: a forger cannot use up a device's nonces.
        """
        device_id = _header(headers, signing.DEVICE_HEADER, DEVICE)
        timestamp = int(_header(headers, signing.TIMESTAMP_HEADER, TIMESTAMP))
        nonce = _header(headers, signing.NONCE_HEADER, NONCE)
        given = _header(headers, signing.SIGNATURE_HEADER, re.compile(r"[0-9a-f]{64}"))
        device = self._access.device(device_id)
        if device is None or device.disabled_at is not None:
            raise UnknownDevice(device=device_id)
        key = device_key(self._secret, device.id, device.key_version).encode()
        wanted = signing.signature(key, method, path, body, device_id, timestamp, nonce)
        if not hmac.compare_digest(wanted, given):
            raise BadSignature(device=device_id)
        now = self._clock()
        seconds_off = abs(int(now.timestamp()) - timestamp)
        if seconds_off > WINDOW_S:
            raise StaleTimestamp(device=device_id, seconds_off=seconds_off)
        if not self._nonces.use(device_id, nonce, now):
            raise ReplayedRequest(device=device_id)
        self._known[device_id] = device, key
        return Speaker(device)


def _header(headers: Mapping[str, str], name: str, form: re.Pattern[str]) -> str:
    value = headers.get(name, "")
    if not form.fullmatch(value):
        raise UnsignedRequest(header=name)
    return value


def _seconds_up(time: timedelta) -> int:
    return max(1, -(-time // timedelta(seconds=1)))
