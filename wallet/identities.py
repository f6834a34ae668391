"""The frozen values of access.py: operators, sessions, devices, cameras and looks at evidence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

DeviceRole = Literal["camera", "pump"]


@dataclass(frozen=True, slots=True)
class Operator:
    """A person who works with the service.

    locked_until: no login before this time, however right the password.
    """

    id: str
    name: str
    role: str
    password_hash: str
    failures: int
    locked_until: datetime | None
    created_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Session:
    """A login: who, and until when."""

    operator_id: str
    operator_name: str
    role: str
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Device:
    """A camera worker or a pump controller; speaks for one station only."""

    id: str
    role: DeviceRole
    station: str
    key_version: int
    created_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """What a camera worker last said of its camera."""

    station: str
    camera: str
    state: str
    frames: int
    dropped: int
    broken_frames: int
    reconnects: int
    last_frame_at: datetime | None
    width: int | None
    height: int | None
    detail: str | None
    reported_at: datetime


@dataclass(frozen=True, slots=True)
class EvidenceRead:
    """Somebody read evidence: who, what and why.

    actor: a name for people; operator_id: where it was an operator. kind: picture, sighting, dispute_pack or
    export; subject: the picture's SHA-256, else an id.
    """

    id: str
    actor: str
    operator_id: str | None
    kind: str
    subject: str
    purpose: str
    read_at: datetime


@dataclass(frozen=True, slots=True)
class EvidenceLook:
    """Somebody looked at a picture, and why."""

    id: str
    sha256: str
    operator_id: str
    purpose: str
    looked_at: datetime
