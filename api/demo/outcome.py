"""What became of each car of the demo, and whether it is what had to become of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from api.demo.script import CARS, CUSTOMERS, Car, amount_fen

# A car drives in and off for two seconds each; a sighting of it lies between.
DRIVES_S = 2.5


@dataclass(slots=True)
class CarRecord:
    """One car: the lines of the match log that are about it, and what the pump said."""

    car: Car
    matches: list[dict[str, Any]] = field(default_factory=list)
    balance_after_fen: int | None = None
    at_till: bool = False

    @property
    def match(self) -> dict[str, Any] | None:
        """The first line of the log about this car."""
        return self.matches[0] if self.matches else None

    @property
    def captured_fen(self) -> int:
        """What was taken for this car, over all its lines."""
        visits = {match["visit_id"]: match["captured_fen"] for match in self.matches if match["visit_id"]}
        return sum(visits.values())

    @property
    def is_settled(self) -> bool:
        """Whether nothing more can happen to it."""
        if self.match is None:
            return False
        return self.match["outcome"] != "auto" or self.match["visit_state"] in ("captured", "voided")

    def problems(self) -> list[str]:
        """Why it did not end as it had to; empty where it did."""
        if self.match is None:
            return [f"{self.car.title}: was never seen"]
        found = []
        if len(self.matches) > 1:
            found.append(f"{len(self.matches)} sightings instead of one")
        expected = amount_fen(self.car) if self.car.end == "captured" else 0
        if self.captured_fen != expected:
            found.append(f"captured {self.captured_fen} fen instead of {expected}")
        outcome = self.match["outcome"]
        allowed = {"captured": ("auto",), "review": ("review",), "no money": ("none", "review")}[self.car.end]
        if outcome not in allowed:
            found.append(f"decided {outcome} instead of {' or '.join(allowed)}")
        if self.car.end == "captured" and self.match["plate"] != self.car.plate:
            found.append(f"matched {self.match['plate']} instead of {self.car.plate}")
        if self.car.end != "captured" and self.match["hold_fen"]:
            found.append(f"held {self.match['hold_fen']} fen")
        codes = [reason["code"] for reason in self.match["reasons"]]
        if self.car.reason is not None and self.car.reason not in codes:
            found.append(f"for {codes or 'no reason'} instead of {self.car.reason}")
        return [f"{self.car.title}: {problem}" for problem in found]

    def as_dict(self) -> dict[str, Any]:
        """For machines."""
        match = self.match or {}
        sighting = match.get("sighting", {})
        return {
            "car": self.car.title,
            "plate": self.car.plate,
            "pump": self.car.pump,
            "read": sighting.get("text"),
            "wrong_ppm": sighting.get("wrong_ppm"),
            "outcome": match.get("outcome"),
            "reasons": [reason["code"] for reason in match.get("reasons", [])],
            "sightings": len(self.matches),
            "captured_fen": self.captured_fen,
            "balance_after_fen": self.balance_after_fen,
            "ok": not self.problems(),
        }


def assign(
    records: list[CarRecord], matches: list[dict[str, Any]], stream_started_at: datetime
) -> list[dict[str, Any]]:
    """Give each line of the log to the car that stood at its pump then; returns those of no car.

    Not by the text: a misread plate must show up as a wrong reading of its car.
    """
    for record in records:
        record.matches = []
    strays = []
    for match in matches:
        owner = next((record for record in records if _is_about(match, record.car, stream_started_at)), None)
        if owner is None:
            strays.append(match)
        else:
            owner.matches.append(match)
    return strays


def balance_problems(available_fen: Mapping[str, int]) -> list[str]:
    """Where a customer's balance is not what was recharged less what the customer's cars took, by plate."""
    found = []
    for customer in CUSTOMERS:
        spent = sum(amount_fen(car) for car in CARS if car.plate == customer.plate and car.end == "captured")
        expected = customer.recharge_fen - spent
        if available_fen[customer.plate] != expected:
            found.append(f"{customer.name} has {available_fen[customer.plate]} fen instead of {expected}")
    return found


def _is_about(match: dict[str, Any], car: Car, stream_started_at: datetime) -> bool:
    sighting = match["sighting"]
    middle_s = (datetime.fromisoformat(sighting["last_seen_at"]) - stream_started_at) / timedelta(seconds=1)
    return bool(
        sighting["pump"] == car.pump and car.arrives_s - DRIVES_S <= middle_s <= car.leaves_s + DRIVES_S
    )
