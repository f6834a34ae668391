"""A driver for a POS that speaks JSON over HTTP, with the answers OpenFSC gives to CLEAR.

GET  {url}/pumps/{pump}                             where it stands
PUT  {url}/pumps/{pump}/preset                      409 where it cannot
DELETE {url}/pumps/{pump}/preset/{ticket}           409 where fuel flows
POST {url}/pumps/{pump}/transactions/{id}/clear     200, 410 gone, 403 not yet, 404 unknown
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx

from api.pumps.driver import Cleared, LinkLost, Preset, PumpState, Refused, Transaction

_CLEARED = {200: Cleared.DONE, 410: Cleared.GONE, 403: Cleared.NOT_YET, 404: Cleared.UNKNOWN}
_STATES = ("idle", "authorised", "fuelling", "finished")


class HttpPos:
    """Fits PumpDriver. A time-out, a broken answer or a 5xx is a LinkLost: it may have been done."""

    def __init__(
        self, url: str, timeout_s: float = 5.0, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._http = httpx.Client(base_url=url.rstrip("/"), timeout=timeout_s, transport=transport)

    def close(self) -> None:
        """Gives the connections back."""
        self._http.close()

    def state(self, pump: str) -> PumpState:
        """Where the pump stands now."""
        answer = self._ask(pump, "state", "GET", f"/pumps/{quote(pump, safe='')}")
        if answer.status_code != 200:
            raise Refused(pump, f"has no state ({answer.status_code})")
        try:
            return _state_from(answer.json())
        except (KeyError, TypeError, ValueError) as error:
            raise LinkLost(pump, "state") from error

    def authorise(self, preset: Preset) -> None:
        """Lets the pump sell up to the preset."""
        body = {
            "ticket": preset.ticket,
            "limit_fen": preset.limit_fen,
            "litres_ml": preset.litres_ml,
            "grades": None if preset.grades is None else list(preset.grades),
        }
        path = f"/pumps/{quote(preset.pump, safe='')}/preset"
        answer = self._ask(preset.pump, "authorise", "PUT", path, body)
        if answer.status_code not in (200, 201, 204):
            raise Refused(preset.pump, f"took no preset ({answer.status_code})")

    def cancel(self, pump: str, ticket: str) -> None:
        """Takes an authorisation back."""
        path = f"/pumps/{quote(pump, safe='')}/preset/{quote(ticket, safe='')}"
        answer = self._ask(pump, "cancel", "DELETE", path)
        if answer.status_code not in (200, 204, 404, 410):
            raise Refused(pump, f"kept its preset ({answer.status_code})")

    def clear(self, pump: str, transaction_id: str) -> Cleared:
        """Tells the pump that its transaction is kept."""
        path = f"/pumps/{quote(pump, safe='')}/transactions/{quote(transaction_id, safe='')}/clear"
        answer = self._ask(pump, "clear", "POST", path)
        if answer.status_code not in _CLEARED:
            raise Refused(pump, f"cleared nothing ({answer.status_code})")
        return _CLEARED[answer.status_code]

    def _ask(
        self, pump: str, asked: str, method: str, path: str, body: dict[str, Any] | None = None
    ) -> httpx.Response:
        try:
            answer = self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise LinkLost(pump, asked) from error
        if answer.status_code >= 500:
            raise LinkLost(pump, asked)
        return answer


def _state_from(body: dict[str, Any]) -> PumpState:
    if body["state"] not in _STATES:
        raise ValueError(f"no state of a pump: {body['state']!r}")
    sold = body.get("transaction")
    return PumpState(
        body["state"],
        body.get("ticket"),
        None
        if sold is None
        else Transaction(
            str(sold["transaction_id"]),
            str(sold["grade"]),
            int(sold["litres_ml"]),
            int(sold["unit_price_fen"]),
            int(sold["amount_fen"]),
            datetime.fromisoformat(sold["started_at"]),
            datetime.fromisoformat(sold["ended_at"]),
        ),
    )
