"""What is known of a car before it is read: how often it came, and what usually comes to its station.

All in whole numbers; what they make likely is decided elsewhere (`docs/decision.md`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from wallet.facts import Candidate
from wallet.plates import Positions, is_neighbour, likely_strings
from wallet.rules import Rules
from wallet.store import habits as rows
from wallet.store import people
from wallet.store.database import Store

REGISTERED = "registered plates"


@dataclass(frozen=True, slots=True)
class StationTraffic:
    """What came to a station in the time looked back over.

    cars: sightings with a text; customers: those that were surely a customer's. prefixes: cars by the first
    two characters of their plates. registered: plates bound in the whole service when last counted.
    """

    cars: int
    customers: int
    prefixes: Mapping[str, int]
    registered: int


def candidates(
    connection: Connection, positions: Positions, station: str | None, since: datetime | None
) -> list[Candidate]:
    """Registered plates that the reading could be: likely strings, and all one step from the best.

    The likely ones come first, the likeliest before the others. station, since: where given, each carries how
    often it paid at this station, and elsewhere, since then.
    """
    texts = likely_strings(positions)
    if not texts:
        return []
    order = {text: place for place, text in enumerate(texts)}
    last = len(texts)
    bound = people.bound_near(connection, texts[0])
    bound |= people.bound_vehicles(
        connection, [text for text in texts[1:] if not is_neighbour(texts[0], text)]
    )
    vehicles = [bound[plate] for plate in sorted(bound, key=lambda plate: (order.get(plate, last), plate))]
    found = [Candidate(one.plate, one.colour, one.id, one.account_id) for one in vehicles]
    if station is None or since is None:
        return found
    paid = rows.paid_visits(connection, [one.vehicle_id for one in found], since)
    return [with_history(one, station, paid) for one in found]


def with_history(one: Candidate, station: str, paid: Mapping[tuple[str, str], int]) -> Candidate:
    """The candidate with its visits. paid: by vehicle and station."""
    here = paid.get((one.vehicle_id, station), 0)
    everywhere = sum(visits for (vehicle_id, _), visits in paid.items() if vehicle_id == one.vehicle_id)
    return Candidate(one.plate, one.colour, one.vehicle_id, one.account_id, here, everywhere - here)


class Habits:
    """What comes where; part of the wallet."""

    def __init__(self, store: Store, rules: Rules) -> None:
        self._store = store
        self._rules = rules

    def candidates(self, positions: Positions, station: str, now: datetime) -> list[Candidate]:
        """Registered plates that this reading could be, each with how often it came to this station."""
        since = now - timedelta(seconds=self._rules.history_s)
        return self._store.read(lambda tx: candidates(tx, positions, station, since))

    def traffic(self, station: str) -> StationTraffic:
        """What usually comes to the station, as last counted; nothing where it never was."""

        def query(tx: Connection) -> StationTraffic:
            counts = {row.prefix: row for row in rows.traffic_rows(tx, station)}
            total = counts.pop("", None)
            registered = rows.last_count(tx, REGISTERED)
            return StationTraffic(
                cars=total.cars if total is not None else 0,
                customers=total.customers if total is not None else 0,
                prefixes={prefix: row.cars for prefix, row in counts.items()},
                registered=registered[0] if registered is not None else rows.count_registered(tx),
            )

        return self._store.read(query)

    def recount_when_due(self, now: datetime, every: timedelta) -> bool:
        """Counts again where the last time is longer ago than `every`; whether it did."""
        last = self._store.read(lambda tx: rows.last_count(tx, REGISTERED))
        if last is not None and now - last[1] < every:
            return False
        self.recount(now)
        return True

    def recount(self, now: datetime) -> Sequence[tuple[str, str, int, int]]:
        """Counts the traffic of every station and the registered plates again; the rows it wrote."""
        since = now - timedelta(seconds=self._rules.history_s)
        counted = self._store.read(lambda tx: rows.count_traffic(tx, since))
        registered = self._store.read(rows.count_registered)

        def write(tx: Connection) -> None:
            rows.save_traffic(tx, counted, now)
            rows.note_count(tx, REGISTERED, registered, now)

        self._store.write(write)
        return counted
