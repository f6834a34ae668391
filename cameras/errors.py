"""What can go wrong between a camera and the service.

CameraError
├── ConfigError               cameras.toml cannot be used
│   ├── ConfigMissing
│   ├── ConfigUnreadable
│   ├── UnknownKey
│   ├── BadValue
│   ├── DuplicateName
│   └── UnknownCamera
├── StreamError               one connection to a camera
│   ├── StreamNotOpened
│   ├── StreamLost
│   └── NoPictures
├── EvidenceTooLarge
├── CameraWatchedTwice
├── ScriptError               a simulated forecourt that cannot be
└── RtspServerError
"""

# ruff: noqa: N818 - an error is named for what went wrong.

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that looks most like this one, if any does."""
    found = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.5)
    return found[0] if found else None


SECRET_IN_QUERY = re.compile(r"(?i)((?:^|&)[^=&]*(?:pass|pwd|token|secret|key|auth)[^=&]*=)[^&]*")


def masked(url: str) -> str:
    """The url with its password and other secrets hidden: safe to log and to show."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    query = SECRET_IN_QUERY.sub(r"\1***", parts.query)
    if query != parts.query:
        parts = parts._replace(query=query)
        url = urlunsplit(parts)
    name, at, host = parts.netloc.rpartition("@")
    if not at or ":" not in name:
        return url
    return urlunsplit(parts._replace(netloc=f"{name.split(':', 1)[0]}:***@{host}"))


class CameraError(Exception):
    """The root; `code` is stable, the text is for people."""

    code = "camera_error"


class ConfigError(CameraError):
    """cameras.toml cannot be used as it stands."""

    code = "config_invalid"


class ConfigMissing(ConfigError):
    code = "config_missing"

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{path}: no such file; write a cameras.toml or name another one")


class ConfigUnreadable(ConfigError):
    code = "config_unreadable"

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: cannot be read as TOML: {reason}")


class UnknownKey(ConfigError):
    code = "config_unknown_key"

    def __init__(self, block: str, key: str, known: Iterable[str]) -> None:
        self.block = block
        self.key = key
        self.known = tuple(sorted(known))
        self.suggestion = nearest(key, self.known)
        meant = f"did you mean {self.suggestion!r}?" if self.suggestion else "it takes"
        super().__init__(f"{block}: unknown key {key!r}; {meant} (known: {', '.join(self.known)})")


class BadValue(ConfigError):
    code = "config_bad_value"

    def __init__(self, block: str, key: str, problem: str) -> None:
        self.block = block
        self.key = key
        self.problem = problem
        super().__init__(f"{block}: {key}: {problem}")


class DuplicateName(ConfigError):
    code = "config_duplicate_name"

    def __init__(self, what: str, name: str, block: str) -> None:
        self.what = what
        self.name = name
        self.block = block
        super().__init__(f"{block}: the {what} name {name!r} is used twice; give each its own")


class UnknownCamera(ConfigError):
    code = "unknown_camera"

    def __init__(self, name: str, known: Iterable[str]) -> None:
        self.name = name
        self.known = tuple(known)
        self.suggestion = nearest(name, self.known)
        meant = f" did you mean {self.suggestion!r}?" if self.suggestion else ""
        listed = ", ".join(self.known) or "none"
        super().__init__(f"no camera is called {name!r};{meant} known cameras: {listed}")


class StreamError(CameraError):
    """One connection to a camera failed or ended. The url is kept with its password hidden."""

    code = "stream_error"

    def __init__(self, url: str, reason: str, text: str) -> None:
        self.url = masked(url)
        self.reason = reason
        super().__init__(text)


class StreamNotOpened(StreamError):
    code = "stream_not_opened"

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason, f"{masked(url)} does not open: {reason}")


class StreamLost(StreamError):
    code = "stream_lost"

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason, f"{masked(url)} broke off: {reason}")


class NoPictures(StreamError):
    code = "no_pictures"

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason, f"{masked(url)}: {reason}")


class EvidenceTooLarge(CameraError):
    code = "evidence_too_large"

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes
        super().__init__(f"an evidence picture of {size_bytes} bytes is above the limit of {limit_bytes}")


class CameraWatchedTwice(CameraError):
    code = "camera_watched_twice"

    def __init__(self, camera: str, path: Path) -> None:
        self.camera = camera
        self.path = path
        super().__init__(
            f"another worker already watches camera {camera!r} with the data in {path.parent}; stop it first"
        )


class ScriptError(CameraError):
    code = "forecourt_script"


class RtspServerError(CameraError):
    code = "rtsp_server"
