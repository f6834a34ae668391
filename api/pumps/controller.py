"""Drives the pumps of a station: tells them what they may sell, and the service what they have sold.

Nothing is kept here that a crash may not lose: a pump shows its transaction until it is cleared, the service
takes the same sale twice and answers the same, and a preset is named by the visit it is for. What got no
answer is asked after before it is tried again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from api.pumps.driver import Cleared, LinkLost, Preset, PumpDriver, PumpState, Refused, Transaction

Step = Literal[
    "nothing", "authorised", "cancelled", "fuelling", "reported", "cleared", "unknown", "refused", "not_taken"
]


class ServiceSilent(Exception):  # noqa: N818
    """The service gave no answer: whether it took what it was told is unknown. Say the very same again."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the service lets a pump sell now. ticket: the visit's id; None: nothing may be sold."""

    ticket: str | None
    limit_fen: int
    litres_ml: int | None = None
    grades: tuple[str, ...] | None = None


class Service(Protocol):
    """What a station asks of the service. Both raise ServiceSilent."""

    def allowed(self, pump: str) -> Allowed:
        """What the pump may sell now."""

    def report(self, pump: str, transaction: Transaction) -> bool:
        """Tells a sale, which may have been told before; whether the service has it now."""


class PumpController:
    """Goes round the pumps of one station; belongs to one thread."""

    def __init__(self, driver: PumpDriver, service: Service) -> None:
        self._driver = driver
        self._service = service
        # Transactions the service has; only saves telling it again, and may be lost.
        self._reported: set[str] = set()

    def visit(self, pump: str) -> Step:
        """Does the next thing there is to do at a pump."""
        try:
            # The state comes first, always: it answers what an earlier silence left open.
            found = self._driver.state(pump)
            match found.state:
                case "finished":
                    return self._finish(pump, found)
                case "fuelling":
                    return "fuelling"
                case "idle":
                    return self._open(pump)
                case "authorised":
                    return self._check(pump, found)
        except (LinkLost, ServiceSilent):
            return "unknown"
        except Refused:
            return "refused"

    def _open(self, pump: str) -> Step:
        allowed = self._service.allowed(pump)
        if allowed.ticket is None or allowed.limit_fen <= 0:
            return "nothing"
        self._driver.authorise(
            Preset(pump, allowed.ticket, allowed.limit_fen, allowed.litres_ml, allowed.grades)
        )
        return "authorised"

    def _check(self, pump: str, found: PumpState) -> Step:
        """An authorised pump sells to the car it was opened for, or not at all."""
        if self._service.allowed(pump).ticket == found.ticket:
            return "nothing"
        self._driver.cancel(pump, found.ticket or "")
        return "cancelled"

    def _finish(self, pump: str, found: PumpState) -> Step:
        sold = found.transaction
        if sold is None:
            return "refused"
        if sold.transaction_id not in self._reported:
            if not self._service.report(pump, sold):
                return "not_taken"
            self._reported.add(sold.transaction_id)
        match self._driver.clear(pump, sold.transaction_id):
            case Cleared.DONE | Cleared.GONE:
                self._reported.discard(sold.transaction_id)
                return "cleared"
            case Cleared.NOT_YET:
                return "reported"
            case Cleared.UNKNOWN:
                # It was there a moment ago, and the service has it: the pump's state says what is next.
                self._reported.discard(sold.transaction_id)
                return "reported"
