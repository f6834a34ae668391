"""What a pump driver does. A driver knows its protocol and nothing of visits or money.

A pump goes idle → authorised (with a preset) → fuelling → finished, and idle again once that is cleared.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Literal, Protocol

State = Literal["idle", "authorised", "fuelling", "finished"]


class LinkLost(Exception):  # noqa: N818
    """No answer came: whether the pump did it is unknown. Ask for its state before anything else."""

    def __init__(self, pump: str, asked: str) -> None:
        super().__init__(f"no answer from pump {pump} to {asked}")
        self.pump = pump
        self.asked = asked


class Refused(Exception):  # noqa: N818
    """The pump answered, and did not do it: it is in another state, or cannot."""

    def __init__(self, pump: str, why: str) -> None:
        super().__init__(f"pump {pump}: {why}")
        self.pump = pump
        self.why = why


@dataclass(frozen=True, slots=True)
class Preset:
    """What a pump may sell.

    ticket: names this authorisation; the pump shows it until its transaction is cleared.
    litres_ml, grades: None where nothing is said of them.
    """

    pump: str
    ticket: str
    limit_fen: int
    litres_ml: int | None = None
    grades: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Transaction:
    """What a pump sold. transaction_id: the pump's own, never used again at this station."""

    transaction_id: str
    grade: str
    litres_ml: int
    unit_price_fen: int
    amount_fen: int
    started_at: datetime
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class PumpState:
    """Where a pump stands. ticket: of the preset it works under. transaction: where it has finished."""

    state: State
    ticket: str | None = None
    transaction: Transaction | None = None


class Cleared(Enum):
    """The answers to CLEAR as OpenFSC has them.

    DONE: it is cleared. GONE (410): it was cleared before. NOT_YET (403): not in this state; later.
    UNKNOWN (404): the controller knows no such transaction.
    """

    DONE = "done"
    GONE = "gone"
    NOT_YET = "not_yet"
    UNKNOWN = "unknown"


class PumpDriver(Protocol):
    """Speaks to the controllers of one station. Every call may raise LinkLost."""

    def state(self, pump: str) -> PumpState:
        """Where the pump stands now."""

    def authorise(self, preset: Preset) -> None:
        """Lets the pump sell up to the preset. The same ticket again changes nothing. Raises Refused."""

    def cancel(self, pump: str, ticket: str) -> None:
        """Takes an authorisation back before fuel has flowed. Raises Refused where it flows already."""

    def clear(self, pump: str, transaction_id: str) -> Cleared:
        """Tells the pump that its transaction is kept: it may forget it and sell again."""
