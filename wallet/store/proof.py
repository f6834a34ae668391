"""Rows of what decisions were made of: readings, inputs, deciders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from wallet.decide import Proof, Wanted
from wallet.deciding import DeciderFact, Deciding, Inputs, StayNote, Weighed
from wallet.facts import Match, SightingFact, Vehicle
from wallet.fingerprint import body_hash
from wallet.reading_facts import Corner, ReadingFact, Said
from wallet.replaying import Verdict
from wallet.store.events import reasons_from_json, reasons_to_json
from wallet.store.statements import add, insert_new
from wallet.tables import deciders, decision_inputs, sighting_readings, traffic_snapshots


@dataclass(frozen=True, slots=True)
class KeptReadings:
    """The readings of a sighting. is_erased: they are gone, their number and hash are not."""

    readings: tuple[ReadingFact, ...]
    corners: tuple[Corner, ...]
    reading_count: int
    readings_sha256: str
    is_erased: bool


@dataclass(frozen=True, slots=True)
class ShadowNote:
    """What the rules in the shadow said of one sighting when it was decided."""

    sighting_id: str
    shadow_id: str
    outcome: str
    hold_fen: int
    joined: bool
    same_account: bool
    reasons: tuple[str, ...]


def add_readings(connection: Connection, sighting: SightingFact) -> None:
    """Keeps what the sighting was made of, where the camera told it."""
    if not sighting.readings and not sighting.plate_corners:
        return
    add(
        connection,
        sighting_readings,
        sighting_id=sighting.sighting_id,
        readings=[_reading_row(reading) for reading in sighting.readings],
        corners=[list(corner) for corner in sighting.plate_corners],
        reading_count=len(sighting.readings),
        readings_sha256=body_hash([sighting.readings, sighting.plate_corners]),
    )


def find_readings(connection: Connection, sighting_id: str) -> KeptReadings | None:
    """What this sighting was made of."""
    query = select(sighting_readings).where(sighting_readings.c.sighting_id == sighting_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return KeptReadings(
        readings=tuple(_reading(reading) for reading in row.readings),
        corners=tuple((int(x), int(y)) for x, y in row.corners),
        reading_count=row.reading_count,
        readings_sha256=row.readings_sha256,
        is_erased=row.erasure_id is not None,
    )


def _reading_row(reading: ReadingFact) -> dict[str, Any]:
    return {
        "captured_at": reading.captured_at.isoformat(),
        "colour": reading.colour,
        "quality_ppm": reading.quality_ppm,
        "weight_ppm": reading.weight_ppm,
        "said": _said_row(reading.said),
        "second": None if reading.second is None else _said_row(reading.second),
    }


def _said_row(said: Said) -> dict[str, Any]:
    return {"text": said.text, "wrong_ppm": said.wrong_ppm, "positions": said.positions}


def _reading(row: Mapping[str, Any]) -> ReadingFact:
    return ReadingFact(
        captured_at=datetime.fromisoformat(row["captured_at"]),
        colour=row["colour"],
        quality_ppm=row["quality_ppm"],
        weight_ppm=row["weight_ppm"],
        said=_said(row["said"]),
        second=None if row["second"] is None else _said(row["second"]),
    )


def _said(row: Mapping[str, Any]) -> Said:
    positions = tuple(tuple((str(c), int(ppm)) for c, ppm in position) for position in row["positions"])
    return Said(row["text"], row["wrong_ppm"], positions)


# Deciders and their inputs ----------------------------------------------------------------------------------


def add_decider(connection: Connection, decider: DeciderFact) -> None:
    """Adds the decider unless it is known."""
    insert_new(
        connection,
        deciders,
        id=decider.id,
        code_sha256=decider.code_sha256,
        rules=dict(decider.rules),
        configuration=dict(decider.configuration),
        first_used_at=decider.first_used_at,
    )


def find_decider(connection: Connection, decider_id: str) -> DeciderFact | None:
    """The decider of this hash."""
    row = connection.execute(select(deciders).where(deciders.c.id == decider_id)).one_or_none()
    if row is None:
        return None
    return DeciderFact(row.id, row.code_sha256, row.rules, row.configuration, row.first_used_at)


def add_inputs(
    connection: Connection, match: Match, inputs: Inputs, deciding: Deciding, shadow: Verdict | None
) -> None:
    """Keeps what a decision was made of, and what the shadow rules say."""
    values: dict[str, Any] = {} if shadow is None else {"shadow": _shadow_row(shadow, match)}
    add(
        connection,
        decision_inputs,
        sighting_id=match.sighting_id,
        decider_id=deciding.decider_id,
        inputs=_stored(inputs, deciding.weighed),
        shadow_id=deciding.shadow_id,
        **values,
    )


def _shadow_row(shadow: Verdict, match: Match) -> dict[str, Any]:
    """Without a plate: an erasure need not touch it."""
    return {
        "outcome": shadow.outcome,
        "hold_fen": shadow.hold_fen,
        "joined": shadow.joined,
        "same_account": shadow.account_id == match.account_id,
        "reasons": [reason.code for reason in shadow.reasons],
    }


def find_inputs(connection: Connection, sighting_id: str) -> tuple[str | None, Inputs] | None:
    """(who decided, what it was decided on) of this sighting; None where none was kept or it was erased."""
    query = select(decision_inputs).where(
        decision_inputs.c.sighting_id == sighting_id, decision_inputs.c.erasure_id.is_(None)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else (row.decider_id, inputs_from(row.inputs))


def newest_shadows(connection: Connection, most: int) -> list[ShadowNote]:
    """What the shadow rules said, newest sighting first."""
    query = (
        select(decision_inputs.c.sighting_id, decision_inputs.c.shadow_id, decision_inputs.c.shadow)
        .where(decision_inputs.c.shadow_id.is_not(None))
        .order_by(decision_inputs.c.sighting_id.desc())
        .limit(most)
    )
    return [
        ShadowNote(row.sighting_id, row.shadow_id, **{**row.shadow, "reasons": tuple(row.shadow["reasons"])})
        for row in connection.execute(query)
    ]


def _stored(inputs: Inputs, weighed: Weighed | None) -> dict[str, Any]:
    """What becomes the JSON of `inputs_row`: a dataclass is the same there as its fields by name."""
    return {
        "bound": [
            (one.id, one.account_id, one.plate, one.colour, one.bound_at.isoformat()) for one in inputs.bound
        ],
        "available_fen": inputs.available_fen,
        "for_hold_fen": inputs.for_hold_fen,
        "stay": inputs.stay,
        "proof": inputs.proof,
        "weighed": weighed,
        "objections": reasons_to_json(inputs.objections),
        "wanted": inputs.wanted,
    }


def inputs_row(inputs: Inputs) -> dict[str, Any]:
    """The inputs as JSON."""
    return {
        "bound": [
            [one.id, one.account_id, one.plate, one.colour, one.bound_at.isoformat()] for one in inputs.bound
        ],
        "available_fen": inputs.available_fen,
        "for_hold_fen": inputs.for_hold_fen,
        "stay": None if inputs.stay is None else asdict(inputs.stay),
        "proof": None if inputs.proof is None else asdict(inputs.proof),
        "weighed": None if inputs.weighed is None else asdict(inputs.weighed),
        "objections": reasons_to_json(inputs.objections),
        "wanted": asdict(inputs.wanted),
    }


def inputs_from(row: Mapping[str, Any]) -> Inputs:
    """The inputs out of JSON."""
    return Inputs(
        bound=tuple(_vehicle(one) for one in row["bound"]),
        available_fen=row["available_fen"],
        for_hold_fen=row["for_hold_fen"],
        stay=None if row["stay"] is None else _stay(row["stay"]),
        objections=reasons_from_json(row["objections"]),
        proof=_proof(row),
        wanted=Wanted(**row.get("wanted", {})),
        weighed=None if row.get("weighed") is None else _weighed(row["weighed"]),
    )


def _stay(row: Mapping[str, Any]) -> StayNote:
    return StayNote(row["id"], row["state"], row["hold_fen"])


def _proof(row: Mapping[str, Any]) -> Proof | None:
    """What another camera had said; older rows have it with the stay."""
    proof = row["proof"] if "proof" in row else (row["stay"] or {}).get("proof")
    return None if proof is None else Proof(**proof)


def _weighed(row: Mapping[str, Any]) -> Weighed:
    candidates = tuple((str(plate), str(colour), int(a), int(b)) for plate, colour, a, b in row["candidates"])
    return Weighed(row["traffic_id"], candidates)


def add_traffic(
    connection: Connection, traffic_id: str, station: str, traffic: Mapping[str, object], now: datetime
) -> None:
    """Keeps what came to a station, under its hash, once."""
    insert_new(
        connection,
        traffic_snapshots,
        id=traffic_id,
        station=station,
        traffic=dict(traffic),
        first_used_at=now,
    )


def find_traffic(connection: Connection, traffic_id: str) -> Mapping[str, Any] | None:
    """The snapshot of this hash."""
    query = select(traffic_snapshots.c.traffic).where(traffic_snapshots.c.id == traffic_id)
    found: Mapping[str, Any] | None = connection.execute(query).scalar_one_or_none()
    return found


def _vehicle(row: Sequence[str]) -> Vehicle:
    vehicle_id, account_id, plate, colour, bound_at = row
    return Vehicle(vehicle_id, account_id, plate, colour, datetime.fromisoformat(bound_at), None)
