"""cameras.toml: which cameras there are and where their sightings go."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cameras.errors import BadValue, ConfigMissing, ConfigUnreadable, DuplicateName, UnknownCamera, UnknownKey

LIVE_SCHEMES = ("rtsp", "rtsps", "http", "https")
SERVICE_SCHEMES = ("http", "https")

NAME = re.compile(r"[\w.\-]{1,64}")

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class ServiceLink:
    """Where the sightings go, and the key that signs them.

    url: the service without a path at its end. key: the device key as the service printed it.
    """

    url: str
    device: str
    key: bytes

    def __repr__(self) -> str:
        return f"ServiceLink(url={self.url!r}, device={self.device!r}, key=***)"


@dataclass(frozen=True, slots=True)
class ZoneConfig:
    """A part of the picture with a name (the pump); polygon in fractions of width and height."""

    name: str
    polygon: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class CameraConfig:
    """One camera of cameras.toml.

    url: rtsp(s):// or http(s)://, or the absolute path of a video file or a folder of stills.
    decide_within_s, dwell_s: None leaves it to the vision pipeline.
    realtime: play a file or folder at the speed it was taken. starts_at: when its first picture was taken.
    search_px: the longer side at which its pictures are searched; None: what the card of the detector says.
    """

    name: str
    station: str
    url: str
    frames_per_second: float = 10.0
    reentry_s: float = 45.0
    decide_within_s: float | None = None
    dwell_s: float | None = None
    frozen_after_s: float = 30.0
    realtime: bool = False
    starts_at: datetime | None = None
    search_px: int | None = None
    zones: tuple[ZoneConfig, ...] = ()

    @property
    def is_live(self) -> bool:
        """True for a stream that goes on whether or not anyone reads it."""
        return is_live_url(self.url)


@dataclass(frozen=True, slots=True)
class CamerasFile:
    """What cameras.toml says; service is None where sightings are only printed."""

    service: ServiceLink | None
    cameras: tuple[CameraConfig, ...]

    def camera(self, name: str) -> CameraConfig:
        """The camera of that name; raises UnknownCamera, which lists those there are."""
        for camera in self.cameras:
            if camera.name == name:
                return camera
        raise UnknownCamera(name, (camera.name for camera in self.cameras))


def is_live_url(url: str) -> bool:
    """True where the url names a stream and not a file or folder."""
    return "://" in url and urlsplit(url).scheme.lower() in LIVE_SCHEMES


def load_cameras(path: Path) -> CamerasFile:
    """The cameras of a cameras.toml. Paths in it are relative to its folder. Raises ConfigError."""
    try:
        text = path.read_bytes().decode("utf-8")
        raw = tomllib.loads(text)
    except FileNotFoundError as error:
        raise ConfigMissing(path) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigUnreadable(path, str(error)) from error
    return parse_cameras(raw, path.resolve().parent, os.environ)


def parse_cameras(raw: Mapping[str, Any], folder: Path, environment: Mapping[str, str]) -> CamerasFile:
    """The cameras of a parsed cameras.toml. folder: what relative paths start from."""
    top = Block("cameras.toml", raw, {"service", "camera"})
    service = None
    if top.has("service"):
        service = parse_service(top.table("service"), folder, environment)
    cameras: list[CameraConfig] = []
    for number, table in enumerate(top.tables("camera"), start=1):
        camera = parse_camera(f"[[camera]] number {number}", table, folder)
        if any(camera.name == other.name for other in cameras):
            raise DuplicateName("camera", camera.name, f"[[camera]] number {number}")
        cameras.append(camera)
    if not cameras:
        raise BadValue("cameras.toml", "camera", "there is no [[camera]]; write at least one")
    return CamerasFile(service, tuple(cameras))


class Block:
    """One table of the file with typed look-ups; unknown keys are refused at once."""

    def __init__(self, name: str, values: Mapping[str, Any], known: Collection[str]) -> None:
        self.name = name
        self._values = values
        for key in values:
            if key not in known:
                raise UnknownKey(name, key, known)

    def has(self, key: str) -> bool:
        return key in self._values

    def text(self, key: str) -> str:
        value = self._values.get(key)
        if value is None:
            raise BadValue(self.name, key, "is missing")
        if not isinstance(value, str) or not value.strip():
            raise BadValue(self.name, key, f"must be text that is not empty, not {value!r}")
        return value.strip()

    def name_text(self, key: str) -> str:
        """A name as the service takes it."""
        value = self.text(key)
        if not NAME.fullmatch(value):
            raise BadValue(
                self.name, key, f"must be letters, digits, '.', '_' or '-', at most 64 of them, not {value!r}"
            )
        return value

    def number(self, key: str, default: float, low: float, high: float) -> float:
        value = self.optional_number(key, low, high)
        return default if value is None else value

    def optional_number(self, key: str, low: float, high: float) -> float | None:
        value = self._values.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadValue(self.name, key, f"must be a number, not {value!r}")
        if not low <= value <= high:
            raise BadValue(self.name, key, f"must be from {low:g} to {high:g}, not {value!r}")
        return float(value)

    def flag(self, key: str) -> bool:
        value = self._values.get(key, False)
        if not isinstance(value, bool):
            raise BadValue(self.name, key, f"must be true or false, not {value!r}")
        return value

    def time(self, key: str) -> datetime | None:
        value = self._values.get(key)
        if value is None:
            return None
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise BadValue(
                self.name, key, f"must be a time with its zone such as 2026-01-31T08:00:00Z, not {value!r}"
            )
        return value.astimezone(UTC)

    def table(self, key: str) -> Mapping[str, Any]:
        value = self._values[key]
        if not isinstance(value, dict):
            raise BadValue(self.name, key, f"must be written as [{key}]")
        return value

    def tables(self, key: str) -> list[Mapping[str, Any]]:
        value = self._values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise BadValue(self.name, key, f"must be written as [[{key}]]")
        return value

    def raw(self, key: str) -> Any:
        if key not in self._values:
            raise BadValue(self.name, key, "is missing")
        return self._values[key]


def parse_service(raw: Mapping[str, Any], folder: Path, environment: Mapping[str, str]) -> ServiceLink:
    block = Block("[service]", raw, {"url", "device", "key", "key_env", "key_file"})
    url = block.text("url").rstrip("/")
    check_url(block, "url", url, SERVICE_SCHEMES)
    device = block.name_text("device")
    if not device.isascii():
        raise BadValue(block.name, "device", f"must be plain ASCII, not {device!r}")
    ways = [key for key in ("key", "key_env", "key_file") if block.has(key)]
    if len(ways) != 1:
        given = " and ".join(ways) if ways else "none of them"
        raise BadValue(block.name, "key", f"give one of key, key_env and key_file, not {given}")
    return ServiceLink(url, device, read_key(block, ways[0], folder, environment).encode())


def read_key(block: Block, way: str, folder: Path, environment: Mapping[str, str]) -> str:
    value = block.text(way)
    if way == "key":
        return value
    if way == "key_env":
        found = environment.get(value, "").strip()
        if not found:
            raise BadValue(block.name, way, f"the environment variable {value} is empty or not set")
        return found
    path = folder / Path(value).expanduser()
    try:
        found = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadValue(block.name, way, f"{path} cannot be read: {error}") from error
    if not found:
        raise BadValue(block.name, way, f"{path} is empty")
    return found


def parse_camera(where: str, raw: Mapping[str, Any], folder: Path) -> CameraConfig:
    known = {*CameraConfig.__dataclass_fields__} - {"zones"} | {"zone"}
    block = Block(where, raw, known)
    name = block.name_text("name")
    block.name = f"camera {name!r}"
    zones: list[ZoneConfig] = []
    for number, table in enumerate(block.tables("zone"), start=1):
        zone = parse_zone(f"camera {name!r}, [[camera.zone]] number {number}", table)
        if any(zone.name == other.name for other in zones):
            raise DuplicateName("zone", zone.name, f"camera {name!r}")
        zones.append(zone)
    return CameraConfig(
        name=name,
        station=block.name_text("station"),
        url=parse_source(block, folder),
        frames_per_second=block.number("frames_per_second", 10.0, 0.1, 120.0),
        reentry_s=block.number("reentry_s", 45.0, 0.0, 86_400.0),
        decide_within_s=block.optional_number("decide_within_s", 0.0, 600.0),
        dwell_s=block.optional_number("dwell_s", 0.0, 600.0),
        frozen_after_s=block.number("frozen_after_s", 30.0, 1.0, 86_400.0),
        realtime=block.flag("realtime"),
        starts_at=block.time("starts_at"),
        search_px=round(px) if (px := block.optional_number("search_px", 320, 1920)) else None,
        zones=tuple(zones),
    )


def parse_source(block: Block, folder: Path) -> str:
    url = block.text("url")
    if "://" in url:
        check_url(block, "url", url, LIVE_SCHEMES)
        return url
    return str(folder / Path(url).expanduser())


def check_url(block: Block, key: str, url: str, schemes: tuple[str, ...]) -> None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise BadValue(block.name, key, f"{url!r} is no url: {error}") from error
    if parts.scheme.lower() not in schemes:
        starts = ", ".join(f"{scheme}://" for scheme in schemes)
        raise BadValue(block.name, key, f"{url!r} must start with one of {starts}")
    if not parts.hostname:
        raise BadValue(block.name, key, f"{url!r} names no host")


def parse_zone(where: str, raw: Mapping[str, Any]) -> ZoneConfig:
    block = Block(where, raw, {"name", "polygon"})
    name = block.name_text("name")
    block.name = f"{where} ({name!r})"
    polygon = block.raw("polygon")
    if not isinstance(polygon, list) or len(polygon) < 3:
        raise BadValue(block.name, "polygon", "needs at least 3 points [x, y]")
    return ZoneConfig(name, tuple(parse_point(block, point) for point in polygon))


def parse_point(block: Block, point: Any) -> Point:
    fits = isinstance(point, list) and len(point) == 2
    if not fits or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in point):
        raise BadValue(block.name, "polygon", f"{point!r} is not a point [x, y]")
    x, y = float(point[0]), float(point[1])
    if not (0.0 <= x <= 1.0 and 0.0 <= y <= 1.0):
        raise BadValue(
            block.name,
            "polygon",
            f"{point!r} is outside 0 to 1; write fractions of width and height, not pixels",
        )
    return (x, y)
