"""What can be proved of a decision: its readings, its inputs, who decided, and who looked at them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection

from wallet.deciding import DeciderFact, Deciding, Inputs
from wallet.errors import VisitUnknown
from wallet.facts import SightingFact
from wallet.fingerprint import body_hash
from wallet.rules import Rules
from wallet.store import dispute, forecourt, replay
from wallet.store import proof as rows
from wallet.store.database import Store
from wallet.store.dispute import VisitRows
from wallet.store.proof import KeptReadings, ShadowNote
from wallet.store.replay import Span, StoredDecision

PAGE = 500


@dataclass(frozen=True, slots=True)
class SightingProof:
    """A sighting with all that was decided of it. row, match: as they stand in the tables.

    fact: what its body hash is over, with its readings where they are kept. inputs: as JSON.
    """

    row: dict[str, Any]
    match: dict[str, Any]
    fact: SightingFact
    kept: KeptReadings | None
    inputs: dict[str, Any] | None
    decider: DeciderFact | None


@dataclass(frozen=True, slots=True)
class Dispute:
    """A visit with its sightings, oldest first."""

    rows: VisitRows
    sightings: list[SightingProof]


class Proof:
    """Thread-safe. deciding: who decides from now on; nobody has said so until `decide_as`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.deciding = Deciding()

    def decide_as(
        self, decider: DeciderFact, shadow: DeciderFact | None = None, rules: Rules | None = None
    ) -> None:
        """Registers who decides, and the rules that are tried beside; arrivals name them from now on."""
        for one in (decider, shadow):
            if one is not None:
                self.register(one)
        self.deciding = Deciding(decider.id, None if shadow is None else shadow.id, rules)

    def register(self, decider: DeciderFact) -> None:
        """Keeps a decider under its hash, once."""
        self._store.write(lambda tx: rows.add_decider(tx, decider))

    def keep_traffic(self, station: str, traffic: Mapping[str, object], now: datetime) -> str:
        """The hash under which what comes to a station is kept for replays."""
        traffic_id = body_hash({"station": station, "traffic": dict(traffic)})
        self._store.write(lambda tx: rows.add_traffic(tx, traffic_id, station, traffic, now))
        return traffic_id

    def traffic(self, traffic_id: str) -> Mapping[str, Any] | None:
        """What came to a station when a sighting was weighed."""
        return self._store.read(lambda tx: rows.find_traffic(tx, traffic_id))

    def decider(self, decider_id: str) -> DeciderFact | None:
        """The code and rules of this hash."""
        return self._store.read(lambda tx: rows.find_decider(tx, decider_id))

    def readings(self, sighting_id: str) -> KeptReadings | None:
        """What a sighting was made of; None where an older camera sent none."""
        return self._store.read(lambda tx: rows.find_readings(tx, sighting_id))

    def inputs(self, sighting_id: str) -> tuple[str | None, Inputs] | None:
        """(who decided, what it was decided on); None for what was decided before inputs were kept."""
        return self._store.read(lambda tx: rows.find_inputs(tx, sighting_id))

    def shadows(self, limit: int = 500) -> list[ShadowNote]:
        """What the shadow rules said of the newest sightings they saw."""
        return self._store.read(lambda tx: rows.newest_shadows(tx, limit))

    def decisions(self, span: Span) -> Iterator[StoredDecision]:
        """Stored decisions with what they were made of, oldest first, a page at a time."""
        after: tuple[datetime, str] | None = None
        while found := self._store.read(partial(replay.page_with_bound, span=span, after=after, most=PAGE)):
            yield from found
            after = (found[-1].match.decided_at, found[-1].sighting.sighting_id)

    def dispute(self, visit_id: str) -> Dispute:
        """All that is known of a visit, as it stands at one moment; raises VisitUnknown."""
        found = self._store.read(lambda tx: _dispute(tx, visit_id), snapshot=True)
        if found is None:
            raise VisitUnknown(visit_id)
        return found


def _dispute(connection: Connection, visit_id: str) -> Dispute | None:
    found = dispute.rows_of_visit(connection, visit_id)
    if found is None:
        return None
    seen = {row["id"]: row for row in found.sightings}
    proofs = [_proof_of(connection, seen[match["sighting_id"]], match) for match in found.matches]
    return Dispute(found, sorted(proofs, key=lambda proof: (proof.row["first_seen_at"], proof.row["id"])))


def _proof_of(connection: Connection, row: dispute.Row, match: dispute.Row) -> SightingProof:
    fact = forecourt.find_sighting(connection, row["id"])
    if fact is None:
        raise RuntimeError(f"match {row['id']} has no sighting")
    kept = rows.find_readings(connection, row["id"])
    if kept is not None:
        fact = replace(fact, readings=kept.readings, plate_corners=kept.corners)
    by, inputs = rows.find_inputs(connection, row["id"]) or (None, None)
    decider = None if by is None else rows.find_decider(connection, by)
    return SightingProof(row, match, fact, kept, None if inputs is None else rows.inputs_row(inputs), decider)
