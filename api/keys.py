"""The server secret and the keys derived from it; no device or channel key is stored anywhere."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import tempfile
from pathlib import Path

from api.settings import Settings

SECRET_FILE = "secret.key"  # noqa: S105  # a file's name


def server_secret(settings: Settings) -> bytes:
    """The secret from the settings, or the one in the data folder, made there the first time (mode 0600)."""
    if settings.secret is not None:
        return settings.secret.get_secret_value().encode()
    path = settings.data_dir / SECRET_FILE
    if not path.exists():
        _make_once(path)
    return path.read_bytes().strip()


def _make_once(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # mkstemp gives mode 0600; link fails where another process was first, and then its secret stands.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".secret-")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()


def device_key(secret: bytes, device_id: str, version: int) -> str:
    """The key of one device, 64 hex characters; the device uses the bytes of this text as its HMAC key."""
    return _derive(secret, f"device:{device_id}:{version}")


def channel_key(secret: bytes, channel: str) -> bytes:
    """The key a payment channel signs its callbacks with, where the channel is one of ours (the sandbox)."""
    return _derive(secret, f"channel:{channel}").encode()


def ledger_key(secret: bytes) -> bytes:
    """The key that blocks of the ledger's chain are signed with."""
    return _derive(secret, "ledger").encode()


def pack_seed(secret: bytes) -> bytes:
    """The 32 bytes that the Ed25519 key of dispute packs is made of."""
    return bytes.fromhex(_derive(secret, "dispute pack"))


def plate_key(secret: bytes) -> bytes:
    """The key of the hashes under which plates are found."""
    return _derive(secret, "plate index").encode()


def find_secret(settings: Settings) -> bytes | None:
    """The secret where there is one already; unlike `server_secret` makes none."""
    if settings.secret is None and not (settings.data_dir / SECRET_FILE).exists():
        return None
    return server_secret(settings)


def _derive(secret: bytes, purpose: str) -> str:
    return hmac.new(secret, purpose.encode(), hashlib.sha256).hexdigest()
