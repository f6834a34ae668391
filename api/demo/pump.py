"""A simulated pump: asks what it may sell, sells it, and reports the sale over the signed HTTP interface."""

from __future__ import annotations

import json
import secrets
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from api.demo.script import PRICES_FEN, STATION, Car, amount_fen
from cameras.signing import sign

ASK_EVERY_S = 0.25


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """Who signs: the device's id and its key."""

    device: str
    key: bytes


class PumpClient:
    """The two calls a pump makes, signed."""

    def __init__(self, base_url: str, identity: DeviceIdentity) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=10)
        self._identity = identity

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def authorise(self, pump: str) -> dict[str, Any]:
        """What may be sold at the pump now."""
        return self._post("/v1/authorisations", {"station": STATION, "pump": pump})

    def report(self, sale: dict[str, Any]) -> dict[str, Any]:
        """Report one finished sale; the same sale may be reported again."""
        return self._post("/v1/sales", sale)

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        content = json.dumps(body, ensure_ascii=False).encode()
        headers = sign(
            self._identity.key,
            "POST",
            path,
            content,
            self._identity.device,
            int(time.time()),
            secrets.token_hex(16),
        )
        answer = self._http.post(
            path, content=content, headers={**headers, "Content-Type": "application/json"}
        )
        answer.raise_for_status()
        return dict(answer.json())


def serve_car(
    client: PumpClient, car: Car, stream_started: float, stop: threading.Event
) -> dict[str, Any] | None:
    """Stand at the pump for one car: lift the nozzle, fuel if authorised, report.

    stream_started: time.monotonic() at which the stream's clock stood at 0.
    Returns the service's answer to the sale, or None where the driver had to pay at the till.
    """
    if _wait_until(stream_started + car.arrives_s + 0.5, stop):
        return None
    last_chance = stream_started + car.leaves_s - 1.0
    while not client.authorise(car.pump)["authorised"]:
        if time.monotonic() >= last_chance or stop.wait(ASK_EVERY_S):
            return None
    started_at = datetime.now(UTC)
    if _wait_until(min(time.monotonic() + 2.0, last_chance + 0.5), stop):
        return None
    sale = {
        "sale_id": f"{car.pump}-{started_at:%Y%m%dT%H%M%S%f}",
        "station": STATION,
        "pump": car.pump,
        "grade": car.grade,
        "litres": str(car.litres),
        "unit_price_fen": PRICES_FEN[car.grade],
        "amount_fen": amount_fen(car),
        "started_at": started_at.isoformat(),
        "ended_at": max(datetime.now(UTC), started_at + timedelta(milliseconds=1)).isoformat(),
    }
    first = client.report(sale)
    # A pump whose line is bad says everything twice; the second must change nothing.
    again = client.report(sale)
    if {**again, "repeated": None} != {**first, "repeated": None}:
        raise AssertionError(f"the same sale was answered differently: {first} then {again}")
    return first


def _wait_until(moment: float, stop: threading.Event) -> bool:
    """Wait for a moment of time.monotonic(); True where the demo was stopped meanwhile."""
    return stop.wait(max(0.0, moment - time.monotonic()))
