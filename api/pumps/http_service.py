"""The service as a station's controller sees it: two signed calls."""

from __future__ import annotations

import json
import secrets
import time
from typing import Any

import httpx

from api.pumps.controller import Allowed, ServiceSilent
from api.pumps.driver import Transaction
from cameras.signing import sign
from wallet.money import format_litres, parse_litres


class HttpService:
    """Fits Service. A time-out or a 5xx is silence; a 4xx is our mistake and raises httpx.HTTPStatusError.

    key: the device's key as `platepay device add` printed it.
    """

    def __init__(
        self,
        url: str,
        station: str,
        device: str,
        key: str,
        timeout_s: float = 10.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(base_url=url.rstrip("/"), timeout=timeout_s, transport=transport)
        self._station = station
        self._device = device
        self._key = key.encode()

    def close(self) -> None:
        """Gives the connections back."""
        self._http.close()

    def allowed(self, pump: str) -> Allowed:
        """What the pump may sell now."""
        told = self._post("/v1/authorisations", {"station": self._station, "pump": pump})
        litres = told["limit_litres"]
        return Allowed(
            told["visit_id"] if told["authorised"] else None,
            told["limit_fen"],
            None if litres is None else parse_litres(litres),
            None if told["grades"] is None else tuple(told["grades"]),
        )

    def report(self, pump: str, transaction: Transaction) -> bool:
        """Tells a sale; the service has it once this returns."""
        self._post(
            "/v1/sales",
            {
                "sale_id": transaction.transaction_id,
                "station": self._station,
                "pump": pump,
                "grade": transaction.grade,
                "litres": format_litres(transaction.litres_ml),
                "unit_price_fen": transaction.unit_price_fen,
                "amount_fen": transaction.amount_fen,
                "started_at": transaction.started_at.isoformat(),
                "ended_at": transaction.ended_at.isoformat(),
            },
        )
        return True

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        content = json.dumps(body, ensure_ascii=False).encode()
        headers = sign(
            self._key, "POST", path, content, self._device, int(time.time()), secrets.token_hex(16)
        )
        try:
            answer = self._http.post(
                path, content=content, headers={**headers, "Content-Type": "application/json"}
            )
        except httpx.HTTPError as error:
            raise ServiceSilent(str(error)) from error
        if answer.status_code >= 500:
            raise ServiceSilent(f"status {answer.status_code}")
        answer.raise_for_status()
        return dict(answer.json())
