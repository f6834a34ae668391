"""The usual form of a sighting, a departure and a sale, read fast.

What is read here is what api/schemas/devices.py reads too, with the same values; what is unusual, doubtful
or wrong is not read (None), and goes the ordinary way, which takes it or says what is wrong with it.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from api.schemas.fields import LARGEST_FEN
from wallet.errors import WalletError
from wallet.facts import Sale
from wallet.money import parse_litres

# A name before its colon. Text may hold more of them, never less: with the right count no name stands twice.
_NAMES = re.compile(rb'"\s*:')

# Narrower than the schema: ASCII names, times in UTC with at most microseconds.
_Name = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_.\-]{1,64}\Z")]
_SaleId = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_.\-:/]{1,64}\Z")]
_Uuid = Annotated[str, Meta(pattern=r"\A[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")]
_Sha256 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
_Text = Annotated[str, Meta(pattern=r"\A\w{1,12}\Z")]
_Character = Annotated[str, Meta(pattern=r"\A\w\Z")]
_Colour = Annotated[str, Meta(pattern=r"\A(blue|green|yellow|white|black)\Z")]
_Time = Annotated[
    str,
    Meta(pattern=r"\A2[01][0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z\Z"),
]
_Litres = Annotated[str, Meta(pattern=r"\A[0-9]{1,6}(\.[0-9]{1,3})?\Z")]
_Ppm = Annotated[int, Meta(ge=0, le=1_000_000)]
_Count = Annotated[int, Meta(ge=0, le=10**12)]
_Fen = Annotated[int, Meta(ge=0, le=LARGEST_FEN)]
_Price = Annotated[int, Meta(ge=0, le=1_000_000)]
_Pixel = Annotated[int, Meta(ge=0, le=100_000)]
_Position = Annotated[list[tuple[_Character, _Ppm]], Meta(min_length=1, max_length=5)]


class _Strict(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    pass


class HotEvidence(_Strict):
    """The pictures of a sighting."""

    frame: _Sha256
    crop: _Sha256


class HotModels(_Strict):
    """The weights that read it."""

    detector: _Sha256
    reader: _Sha256


class HotSaid(_Strict):
    """What one reader says of one look."""

    text: _Text | None
    wrong_ppm: _Ppm
    positions: Annotated[list[_Position], Meta(max_length=10)]


class HotReading(HotSaid):
    """One look that a sighting was made of."""

    captured_at: _Time
    colour: _Colour
    quality_ppm: _Ppm
    weight_ppm: _Ppm
    second: HotSaid | UnsetType | None = UNSET


class HotSighting(_Strict):
    """Has the fields of SightingMessage, and stands in its place. Times are datetimes once it is read."""

    sighting_id: _Uuid
    station: _Name
    camera: _Name
    first_seen_at: _Time
    last_seen_at: _Time
    text: _Text | None
    colour: _Colour
    wrong_ppm: _Ppm
    looks: _Count
    positions: Annotated[list[_Position], Meta(max_length=10)]
    evidence: HotEvidence
    models: HotModels
    pump: _Name | UnsetType | None = UNSET
    plate_corners: Annotated[list[tuple[_Pixel, _Pixel]], Meta(max_length=4)] | UnsetType = UNSET
    readings: Annotated[list[HotReading], Meta(max_length=16)] | UnsetType = UNSET


class HotDeparture(_Strict):
    """Has the fields of DepartureMessage, and stands in its place. The time is a datetime once it is read."""

    sighting_id: _Uuid
    left_at: _Time


class HotSale(_Strict):
    """Has the fields of SaleMessage."""

    sale_id: _SaleId
    station: _Name
    pump: _Name
    grade: _Name
    litres: _Litres
    unit_price_fen: _Price
    amount_fen: _Fen
    started_at: _Time
    ended_at: _Time


_read_sighting = msgspec.json.Decoder(HotSighting).decode
_read_departure = msgspec.json.Decoder(HotDeparture).decode
_read_sale = msgspec.json.Decoder(HotSale).decode
# The fields of a sighting that has all of them, with those of its pictures and models.
_SIGHTING_NAMES = len(HotSighting.__struct_fields__) + 4
_READING_NAMES = len(HotReading.__struct_fields__)
_SAID_NAMES = len(HotSaid.__struct_fields__)
_DEPARTURE_NAMES = len(HotDeparture.__struct_fields__)
_SALE_NAMES = len(HotSale.__struct_fields__)


def sighting_of(body: bytes) -> Any | None:
    """The message, or None where the ordinary way must look at it."""
    try:
        message: Any = _read_sighting(body)
        if len(_NAMES.findall(body)) != _fill(message):
            return None
        message.first_seen_at = datetime.fromisoformat(message.first_seen_at)
        message.last_seen_at = datetime.fromisoformat(message.last_seen_at)
    except (msgspec.MsgspecError, ValueError):
        return None
    if message.last_seen_at < message.first_seen_at:
        return None
    if message.text is not None and len(message.text) != len(message.positions):
        return None
    return message


def _fill(message: Any) -> int:
    """How many names were given; fields that were left out get their values."""
    names = _SIGHTING_NAMES
    if message.pump is UNSET:
        message.pump = None
        names -= 1
    if message.plate_corners is UNSET:
        message.plate_corners = []
        names -= 1
    if message.readings is UNSET:
        message.readings = []
        names -= 1
    for reading in message.readings:
        names += _READING_NAMES
        reading.captured_at = datetime.fromisoformat(reading.captured_at)
        if reading.second is UNSET:
            reading.second = None
            names -= 1
        elif reading.second is not None:
            names += _SAID_NAMES
    return names


def departure_of(body: bytes) -> Any | None:
    """The message, or None where the ordinary way must look at it."""
    try:
        message: Any = _read_departure(body)
        if len(_NAMES.findall(body)) != _DEPARTURE_NAMES:
            return None
        message.left_at = datetime.fromisoformat(message.left_at)
    except (msgspec.MsgspecError, ValueError):
        return None
    return message


def sale_of(body: bytes) -> Sale | None:
    """The sale, or None where the ordinary way must look at it."""
    try:
        message = _read_sale(body)
        if len(_NAMES.findall(body)) != _SALE_NAMES:
            return None
        started_at = datetime.fromisoformat(message.started_at)
        ended_at = datetime.fromisoformat(message.ended_at)
        litres_ml = parse_litres(message.litres)
    except (msgspec.MsgspecError, ValueError, WalletError):
        return None
    if ended_at < started_at:
        return None
    return Sale(
        sale_id=message.sale_id,
        station=message.station,
        pump=message.pump,
        grade=message.grade,
        litres_ml=litres_ml,
        unit_price_fen=message.unit_price_fen,
        amount_fen=message.amount_fen,
        started_at=started_at,
        ended_at=ended_at,
    )
