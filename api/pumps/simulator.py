"""A pump that exists only here, and its bad line: the work is done and the answer lost, or the other way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, TypeVar

from api.pumps.driver import Cleared, LinkLost, Preset, PumpState, Refused, Transaction
from wallet.money import price_of

# What becomes of one call: fine; the request is lost; the work is done and the answer lost; it arrives twice;
# it arrives after the next call, when nobody waits for it any more.
Fault = Literal["fine", "lost", "answer_lost", "twice", "delayed"]
T = TypeVar("T")


@dataclass
class _Pump:
    state: PumpState = field(default_factory=lambda: PumpState("idle"))
    preset: Preset | None = None
    cleared: set[str] = field(default_factory=set)
    is_replaced: bool = True


class PumpSimulator:
    """Fits PumpDriver. faults: one for each call, in order; afterwards the line is fine."""

    def __init__(
        self,
        pumps: Iterable[str],
        now: Callable[[], datetime],
        faults: Iterable[Fault] = (),
        prefix: str = "",
    ) -> None:
        """prefix: of transaction ids, which must never come again at a station."""
        self._prefix = f"{prefix}-" if prefix else ""
        self._pumps = {name: _Pump() for name in pumps}
        self._now = now
        self._faults: Iterator[Fault] = iter(tuple(faults))
        self._number = 0
        self._delayed: list[Callable[[], object]] = []
        self.presets: list[Preset] = []

    # The driver's side --------------------------------------------------------------------------------------

    def state(self, pump: str) -> PumpState:
        """Where the pump stands now."""
        return self._over_the_line(pump, "state", lambda: self._pumps[pump].state)

    def authorise(self, preset: Preset) -> None:
        """Lets the pump sell; the same ticket again changes nothing."""
        self._over_the_line(preset.pump, "authorise", lambda: self._authorise(preset))

    def _authorise(self, preset: Preset) -> None:
        pump = self._pumps[preset.pump]
        if pump.state.ticket == preset.ticket and pump.state.state != "idle":
            return
        if pump.state.state != "idle":
            raise Refused(preset.pump, f"is {pump.state.state}")
        pump.preset, pump.state = preset, PumpState("authorised", preset.ticket)
        self.presets.append(preset)

    def cancel(self, pump: str, ticket: str) -> None:
        """Takes an authorisation back."""
        self._over_the_line(pump, "cancel", lambda: self._cancel(pump, ticket))

    def _cancel(self, name: str, ticket: str) -> None:
        pump = self._pumps[name]
        if pump.state.state == "idle":
            return
        if pump.state.state != "authorised" or pump.state.ticket != ticket:
            raise Refused(name, f"is {pump.state.state}")
        pump.preset, pump.state = None, PumpState("idle")

    def clear(self, pump: str, transaction_id: str) -> Cleared:
        """Forgets a finished transaction."""
        return self._over_the_line(pump, "clear", lambda: self._clear(pump, transaction_id))

    def _clear(self, name: str, transaction_id: str) -> Cleared:
        pump = self._pumps[name]
        if transaction_id in pump.cleared:
            return Cleared.GONE
        sold = pump.state.transaction
        if sold is None or sold.transaction_id != transaction_id:
            return Cleared.UNKNOWN
        if not pump.is_replaced:
            return Cleared.NOT_YET
        pump.cleared.add(transaction_id)
        pump.preset, pump.state = None, PumpState("idle")
        return Cleared.DONE

    def _over_the_line(self, pump: str, asked: str, work: Callable[[], T]) -> T:
        fault = next(self._faults, "fine")
        late, self._delayed = self._delayed, []
        if fault == "delayed":
            self._delayed = [work]
        if fault in ("lost", "delayed"):
            raise LinkLost(pump, asked)
        answer = work()
        for one in late:
            # Who sent it is gone: a refusal reaches nobody.
            with suppress(Refused):
                one()
        if fault == "twice":
            answer = work()
        if fault == "answer_lost":
            raise LinkLost(pump, asked)
        return answer

    # The driver of the car's side ---------------------------------------------------------------------------

    def is_open(self, name: str) -> bool:
        """Whether the nozzle would give fuel now."""
        return self._pumps[name].state.state == "authorised"

    def lift_and_fuel(self, name: str) -> None:
        """The nozzle is lifted and fuel flows. Raises Refused where the pump is not authorised."""
        pump = self._pumps[name]
        if pump.state.state != "authorised":
            raise Refused(name, f"is {pump.state.state}")
        pump.state, pump.is_replaced = PumpState("fuelling", pump.state.ticket), False

    def hang_up(self, name: str, litres_ml: int, grade: str, unit_price_fen: int) -> Transaction:
        """The nozzle is hung up after so many litres, or as many as the preset lets through."""
        pump = self._pumps[name]
        if pump.state.state != "fuelling" or pump.preset is None:
            raise Refused(name, f"is {pump.state.state}")
        preset = pump.preset
        if preset.grades is not None and grade not in preset.grades:
            litres_ml = 0
        if preset.litres_ml is not None:
            litres_ml = min(litres_ml, preset.litres_ml)
        while price_of(litres_ml, unit_price_fen) > preset.limit_fen:
            litres_ml -= 1 + (price_of(litres_ml, unit_price_fen) - preset.limit_fen) // (unit_price_fen + 1)
        self._number += 1
        ended_at = self._now()
        sold = Transaction(
            f"{self._prefix}{name}-{self._number}",
            grade,
            litres_ml,
            unit_price_fen,
            price_of(litres_ml, unit_price_fen),
            ended_at - timedelta(seconds=1),
            ended_at,
        )
        pump.state, pump.is_replaced = PumpState("finished", preset.ticket, sold), True
        return sold
