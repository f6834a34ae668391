"""Requests for the benchmark of the HTTP interface, signed beforehand, and who sends them."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from uuid_utils import uuid7

from api.commands.bench_http_server import EMPTY
from api.commands.failures import CommandError
from api.settings import Settings
from api.wiring import Services, build_services
from cameras.signing import sign
from wallet.facts import ChannelPayment

STATION = "bench"
RICH_FEN = 500_000
PICTURES = ("a" * 64, "b" * 64)


@dataclass(frozen=True, slots=True)
class Devices:
    """A camera and a pump with their keys."""

    camera_key: bytes
    pump_key: bytes


@dataclass(frozen=True, slots=True)
class Run:
    """What a stretch of requests came to. latencies_ms: of each."""

    requests: int
    seconds: float
    latencies_ms: list[float]


def plate_of(number: int) -> str:
    """The plate of a customer; of a stranger from 100,000 on, whose plate is near nobody's."""
    office = "粤B" if number < 100_000 else "京C"
    return f"{office}{number % 100_000:05d}"


def set_up(settings: Settings, customers: int) -> Devices:
    """A database with customers who have money and a plate, a camera, a pump and two pictures."""
    services = build_services(settings)
    try:
        for name in PICTURES:
            path = settings.data_dir / "evidence" / name[:2] / f"{name}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"")
        keys = [
            services.devices.add(name, role, STATION).encode()
            for name, role in (("bench-camera", "camera"), ("bench-pump", "pump"))
        ]
        now = datetime.now(UTC)
        store = services.wallet.store
        waiting = [
            store.submit_whole(lambda _, number=number: _welcome(services, number, now))
            for number in range(customers)
        ]
        for answer in waiting:
            answer.result()
    finally:
        services.close()
    return Devices(*keys)


def _welcome(services: Services, number: int, now: datetime) -> None:
    # Plates that differ in two places at least: a neighbour is no candidate.
    wallet = services.wallet
    account = wallet.open_account(f"Customer {number}", None, f"open-{number}", now)
    wallet.bind_vehicle(account.id, plate_of(number * 11), "blue", f"bind-{number}", now)
    order = wallet.create_recharge_order(account.id, RICH_FEN, "bench", f"order-{number}", now)
    wallet.channel_paid(ChannelPayment("bench", f"paid-{number}", order.id, RICH_FEN, now), now)


def sightings(devices: Devices, count: int, first_plate: int, camera: str = "lane-1") -> list[bytes]:
    """Sightings by one camera, each of another car at a pump of its own."""
    seen = datetime.now(UTC) - timedelta(seconds=2)
    found = []
    for number in range(count):
        plate = plate_of(first_plate + number * 11)
        message = {
            "sighting_id": str(uuid7()), "station": STATION, "camera": camera,
            "pump": f"p{first_plate}-{number}", "first_seen_at": _time(seen), "last_seen_at": _time(seen),
            "text": plate, "colour": "blue", "wrong_ppm": 300, "looks": 8,
            "positions": [[[character, 999_950]] for character in plate],
            "evidence": {"frame": PICTURES[0], "crop": PICTURES[1]},
            "models": {"detector": "c" * 64, "reader": "d" * 64},
        }  # fmt: skip
        found.append(_signed("/v1/sightings", message, "bench-camera", devices.camera_key))
    return found


def sales(devices: Devices, count: int) -> list[bytes]:
    """A sale for each customer who has arrived."""
    now = datetime.now(UTC)
    return [
        _signed(
            "/v1/sales",
            {
                "sale_id": f"bench-{number}", "station": STATION, "pump": f"p0-{number}", "grade": "92",
                "litres": "31.25", "unit_price_fen": 785, "amount_fen": 24_531,
                "started_at": _time(now), "ended_at": _time(now + timedelta(seconds=1)),
            },
            "bench-pump",
            devices.pump_key,
        )
        for number in range(count)
    ]  # fmt: skip


def departures(devices: Devices, seen: Sequence[bytes]) -> list[bytes]:
    """That the cars of these sightings have left."""
    left = _time(datetime.now(UTC))
    bodies = [json.loads(request.partition(b"\r\n\r\n")[2]) for request in seen]
    return [
        _signed(
            "/v1/departures",
            {"sighting_id": body["sighting_id"], "left_at": left},
            "bench-camera",
            devices.camera_key,
        )
        for body in bodies
    ]


def empties(like: Sequence[bytes]) -> list[bytes]:
    """The same requests for the address that does nothing."""
    return [request.replace(b"POST /v1/sightings ", f"POST {EMPTY} ".encode(), 1) for request in like]


def _time(value: datetime) -> str:
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _signed(path: str, message: dict[str, Any], device: str, key: bytes) -> bytes:
    body = json.dumps(message, ensure_ascii=False).encode()
    headers = sign(key, "POST", path, body, device, int(time.time()), secrets.token_hex(16))
    lines = [f"POST {path} HTTP/1.1", "Host: bench", "Content-Type: application/json"]
    lines += [f"Content-Length: {len(body)}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def send_all(port: int, requests: Sequence[bytes], connections: int, wanted: int = 201) -> Run:
    """Sends them over so many connections, each one after the other.

    Raises CommandError for another status than the wanted one.
    """
    waiting = list(reversed(requests))
    latencies: list[float] = []

    async def speak() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with closing(writer):
            while waiting:
                request = waiting.pop()
                asked = time.perf_counter()
                writer.write(request)
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (
                        int(line[15:])
                        for line in head.lower().split(b"\r\n")
                        if line[:15] == b"content-length:"
                    ),
                    0,
                )
                body = await reader.readexactly(length)
                latencies.append((time.perf_counter() - asked) * 1000)
                if int(head[9:12]) != wanted:
                    raise CommandError(f"the service answered {head[9:12].decode()}: {body.decode()[:300]}")

    async def everybody() -> None:
        await asyncio.gather(*(speak() for _ in range(connections)))

    started = time.perf_counter()
    asyncio.run(everybody())
    return Run(len(latencies), time.perf_counter() - started, latencies)
