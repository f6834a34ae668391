"""Limits of plates and accounts, "not me", stopped plates, and what stations charge and where they are."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path

from api.deps import Parts, TheKey, TheOperator, get_operator, whole_numbers_only
from api.errors import KeyRequired, NotAllowed
from api.refusals import JSON, OPERATOR, refusals
from api.rights import needs
from api.routes.accounts import AccountId, Plate
from api.routes.money import VisitId
from api.schemas.fields import Identifier
from api.schemas.limits import (
    LimitsAnswer,
    LimitsHistoryAnswer,
    LimitsMessage,
    LimitsView,
    NotMeAnswer,
    PlaceMessage,
    PriceMessage,
    PriceView,
    SetAnswer,
    StationAnswer,
    StopAnswer,
    StopMessage,
    StopsAnswer,
    StopView,
    TariffMessage,
    TariffView,
)
from api.wiring import Services
from wallet.access import Session
from wallet.command_facts import Rejected
from wallet.errors import (
    AccountUnknown,
    AlreadySet,
    InvalidAmount,
    InvalidFact,
    KeyReused,
    StopUnknown,
    VehicleUnknown,
    VisitUnknown,
)
from wallet.limit_facts import Limits, LimitsRow, LimitsSet, NotMine, Place, PlateReleased, PlateStopped
from wallet.money import format_litres, parse_litres

router = APIRouter(
    prefix="/v1",
    tags=["limits"],
    dependencies=[Depends(get_operator), Depends(whole_numbers_only), Depends(needs("accounts"))],
)

Station = Annotated[Identifier, Path(examples=["demo"])]
StopId = Annotated[str, Path(max_length=64, examples=["019aa702-5d22-7e51-9a52-4a4fd8a7bb12"])]
COMMAND = (*OPERATOR, NotAllowed, KeyRequired, KeyReused, InvalidAmount, InvalidFact, *JSON)
_UDEG = 1_000_000


def _by(key: str, operator: Session, services: Services) -> dict[str, Any]:
    return {"key": key, "actor": operator.operator_name, "now": services.clock()}


# Limits -----------------------------------------------------------------------------------------------------


@router.post("/accounts/{account_id}/limits", status_code=201, responses=refusals(*COMMAND, AccountUnknown))
def limit_account(
    account_id: AccountId, message: LimitsMessage, services: Parts, key: TheKey, operator: TheOperator
) -> LimitsAnswer:
    """What the owner allows all plates of the account together, from now on; replaces what held before."""
    return _set(services, account_id, None, message, _by(key, operator, services))


@router.post(
    "/accounts/{account_id}/vehicles/{plate}/limits",
    status_code=201,
    responses=refusals(*COMMAND, AccountUnknown, VehicleUnknown),
)
def limit_vehicle(
    account_id: AccountId,
    plate: Plate,
    message: LimitsMessage,
    services: Parts,
    key: TheKey,
    operator: TheOperator,
) -> LimitsAnswer:
    """What the owner allows a plate, for stays that begin from now on; replaces what was said before."""
    return _set(services, account_id, plate, message, _by(key, operator, services))


def _set(
    services: Services, account_id: str, plate: str | None, message: LimitsMessage, by: dict[str, Any]
) -> LimitsAnswer:
    limits = Limits(
        grades=None if message.grades is None else tuple(message.grades),
        litres_per_fill_ml=_millilitres(message.litres_per_fill),
        amount_per_fill_fen=message.amount_per_fill_fen,
        amount_per_day_fen=message.amount_per_day_fen,
        fills_per_day=message.fills_per_day,
        stations=None if message.stations is None else tuple(message.stations),
        opens_minute=_minute(message.opens),
        closes_minute=_minute(message.closes),
        zone=message.zone,
        tank_ml=_millilitres(message.tank_litres),
        fuel=message.fuel,
    )
    done = services.wallet.limits.set_limits(account_id, plate, limits, **by)
    if not isinstance(done, LimitsSet):
        raise TypeError(f"limits were answered with {done!r}")
    return LimitsAnswer(
        limits_id=done.limits_id,
        change_number=done.number,
        account_id=done.account_id,
        vehicle_id=done.vehicle_id,
    )


def _millilitres(litres: str | None) -> int | None:
    return None if litres is None else parse_litres(litres)


def _minute(clock: str | None) -> int | None:
    if clock is None:
        return None
    hour, _, minute = clock.partition(":")
    return int(hour) * 60 + int(minute)


def _clock(minute: int | None) -> str | None:
    return None if minute is None else f"{minute // 60:02d}:{minute % 60:02d}"


@router.get("/accounts/{account_id}/limits", responses=refusals(*OPERATOR, AccountUnknown))
def show_account_limits(account_id: AccountId, services: Parts) -> LimitsHistoryAnswer:
    """Every limit the account ever had, newest first: the first one holds."""
    return _history(services.wallet.limits.limits_of(account_id, None))


@router.get(
    "/accounts/{account_id}/vehicles/{plate}/limits",
    responses=refusals(*OPERATOR, AccountUnknown, VehicleUnknown),
)
def show_vehicle_limits(account_id: AccountId, plate: Plate, services: Parts) -> LimitsHistoryAnswer:
    """Every limit the plate ever had, newest first: the first one holds."""
    return _history(services.wallet.limits.limits_of(account_id, plate))


def _history(rows: list[LimitsRow]) -> LimitsHistoryAnswer:
    return LimitsHistoryAnswer(limits=[_view(row) for row in rows])


def _view(row: LimitsRow) -> LimitsView:
    limits = row.limits
    return LimitsView(
        limits_id=row.id,
        change_number=row.number,
        account_id=row.account_id,
        vehicle_id=row.vehicle_id,
        set_by=row.actor,
        set_at=row.recorded_at,
        grades=None if limits.grades is None else list(limits.grades),
        litres_per_fill=_litres(limits.litres_per_fill_ml),
        amount_per_fill_fen=limits.amount_per_fill_fen,
        amount_per_day_fen=limits.amount_per_day_fen,
        fills_per_day=limits.fills_per_day,
        stations=None if limits.stations is None else list(limits.stations),
        opens=_clock(limits.opens_minute),
        closes=_clock(limits.closes_minute),
        zone=limits.zone,
        tank_litres=_litres(limits.tank_ml),
        fuel=limits.fuel,
    )


def _litres(millilitres: int | None) -> str | None:
    return None if millilitres is None else format_litres(millilitres)


# Stations ---------------------------------------------------------------------------------------------------


@router.get("/stations/{station}", responses=refusals(*OPERATOR))
def show_station(station: Station, services: Parts) -> StationAnswer:
    """What a station charges, and where it is."""
    place = services.wallet.limits.place(station)
    return StationAnswer(
        station=station,
        latitude=None if place is None else _degrees(place.latitude_udeg),
        longitude=None if place is None else _degrees(place.longitude_udeg),
        prices=[
            PriceView(
                grade=one.grade,
                unit_price_fen=one.unit_price_fen,
                valid_from=one.valid_from,
                set_by=one.actor,
            )
            for one in services.wallet.limits.prices(station)
        ],
        tariffs=[
            TariffView(what=one.what, amount_fen=one.amount_fen, valid_from=one.valid_from, set_by=one.actor)
            for one in services.wallet.limits.tariffs(station)
        ],
    )


@router.post("/stations/{station}/prices", status_code=201, responses=refusals(*COMMAND, AlreadySet))
def set_price(
    station: Station, message: PriceMessage, services: Parts, key: TheKey, operator: TheOperator
) -> SetAnswer:
    """What a litre of a grade costs from a moment on."""
    services.wallet.limits.set_price(
        station, message.grade, message.unit_price_fen, message.valid_from, **_by(key, operator, services)
    )
    return SetAnswer(station=station)


@router.post("/stations/{station}/tariffs", status_code=201, responses=refusals(*COMMAND, AlreadySet))
def set_tariff(
    station: Station, message: TariffMessage, services: Parts, key: TheKey, operator: TheOperator
) -> SetAnswer:
    """What every visit is charged on arrival from a moment on; 0 ends it."""
    services.wallet.limits.set_tariff(
        station, message.what, message.amount_fen, message.valid_from, **_by(key, operator, services)
    )
    return SetAnswer(station=station)


@router.post("/stations/{station}/place", status_code=201, responses=refusals(*COMMAND))
def place_station(
    station: Station, message: PlaceMessage, services: Parts, key: TheKey, operator: TheOperator
) -> SetAnswer:
    """Where a station is: a plate at two places that no car joins in that time moves no money."""
    place = Place(station, _microdegrees(message.latitude), _microdegrees(message.longitude))
    services.wallet.limits.place_station(place, **_by(key, operator, services))
    return SetAnswer(station=station)


def _microdegrees(text: str) -> int:
    whole, _, part = text.removeprefix("-").partition(".")
    udeg = int(whole) * _UDEG + int(part.ljust(6, "0") or "0")
    return -udeg if text.startswith("-") else udeg


def _degrees(udeg: int) -> str:
    whole, part = divmod(abs(udeg), _UDEG)
    return f"{'-' if udeg < 0 else ''}{whole}.{part:06d}"


# Stopped plates ---------------------------------------------------------------------------------------------


@router.post("/visits/{visit_id}/not-me", responses=refusals(*OPERATOR, NotAllowed, VisitUnknown, *JSON))
def not_me(visit_id: VisitId, services: Parts, operator: TheOperator) -> NotMeAnswer:
    """The owner says it was not them: freeze the plate, give the money back, once however often sent."""
    done = services.wallet.limits.not_me(visit_id, actor=operator.operator_name, now=services.clock())
    if not isinstance(done, NotMine):
        raise TypeError(f"not-me was answered with {done!r}")
    return NotMeAnswer(
        visit_id=done.visit_id,
        account_id=done.account_id,
        plate=done.plate,
        stop_id=done.stop_id,
        reversed_fen=done.reversed_fen,
        released_fen=done.released_fen,
        refund_id=done.refund_id,
        balance_fen=done.balance_fen,
    )


@router.get("/vehicles/{plate}/stops", responses=refusals(*OPERATOR))
def list_stops(plate: Plate, services: Parts) -> StopsAnswer:
    """Why a plate pays nothing by itself, and what once stopped it."""
    return StopsAnswer(
        stops=[
            StopView(
                stop_id=one.id,
                kind=one.kind,
                plate=one.plate,
                cause=one.cause,
                reason=one.reason,
                stopped_at=one.stopped_at,
                stopped_by=one.actor,
                released_at=one.released_at,
                released_by=one.released_by,
                release_reason=one.release_reason,
            )
            for one in services.wallet.limits.stops(plate)
        ]
    )


@router.post("/vehicles/{plate}/freeze", responses=refusals(*COMMAND, VehicleUnknown))
def freeze(
    plate: Plate, message: StopMessage, services: Parts, key: TheKey, operator: TheOperator
) -> StopAnswer:
    """Nothing moves by itself for this plate until its release. Rejected: already_frozen."""
    by = _by(key, operator, services)
    return _stop_answer(services.wallet.limits.freeze(plate, message.reason, **by))


@router.post("/stops/{stop_id}/release", responses=refusals(*COMMAND, StopUnknown))
def release(
    stop_id: StopId, message: StopMessage, services: Parts, key: TheKey, operator: TheOperator
) -> StopAnswer:
    """A person has looked: this stop of its plate is over. Rejected: already_released."""
    by = _by(key, operator, services)
    return _stop_answer(services.wallet.limits.release(stop_id, message.reason, **by))


def _stop_answer(done: PlateStopped | PlateReleased | Rejected) -> StopAnswer:
    if isinstance(done, Rejected):
        return StopAnswer(outcome="rejected", code=done.code, text=done.text)
    freed_fen = done.released_fen if isinstance(done, PlateStopped) else 0
    return StopAnswer(
        outcome="done",
        code="done",
        text=None,
        stop_id=done.stop_id,
        plate=done.plate,
        released_fen=freed_fen,
    )
