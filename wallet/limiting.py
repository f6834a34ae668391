"""What owners and operators say of plates and stations: limits, prices, tariffs, places, stops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from wallet import people, stops
from wallet.command_facts import Rejected
from wallet.errors import AlreadySet, VehicleUnknown
from wallet.limit_facts import (
    Limits,
    LimitsRow,
    LimitsSet,
    NotMine,
    Place,
    PlateReleased,
    PlateStopped,
    PriceSet,
    StationPlaced,
    StationPrice,
    StationTariff,
    Stop,
)
from wallet.limits import check_limits
from wallet.money import MILLION, fen
from wallet.once import Command, once, write_named
from wallet.store import balances
from wallet.store import limits as rows
from wallet.store import people as people_rows
from wallet.store import stops as stop_rows
from wallet.store.database import Store
from wallet.wording import check_name, check_text, check_whole


class Limiting:
    """Thread-safe. key: names the command in its kind; actor: who asks.

    Raises InvalidAmount, InvalidFact where a command makes no sense and KeyReused where its name came before
    with another body.
    """

    def __init__(self, store: Store, new_id: Callable[[], str]) -> None:
        self._store = store
        self._new_id = new_id

    def _command(self, scope: str, key: str, actor: str, now: datetime, **body: Any) -> Command:
        return Command(scope, key, body, actor, now, self._new_id)

    # Limits -------------------------------------------------------------------------------------------------

    def set_limits(
        self, account_id: str, plate: str | None, limits: Limits, *, key: str, actor: str, now: datetime
    ) -> LimitsSet | Rejected:
        """What the owner allows from now on: a plate of the account, or all of them (plate None).

        Replaces all that was said before. Raises AccountUnknown, VehicleUnknown.
        """
        check_limits(limits, of_vehicle=plate is not None)
        command = self._command(
            "limits", key, actor, now, account_id=account_id, plate=plate, limits=asdict(limits)
        )

        def work(connection: Connection) -> LimitsSet:
            # Stays of this account that begin at this moment come before or after, not between.
            balances.lock_wallet(connection, account_id)
            vehicle_id = None if plate is None else _vehicle_id(connection, account_id, plate)
            known = rows.history(connection, vehicle_id or account_id, 1)
            number = known[0].number + 1 if known else 1
            row = LimitsRow(command.new_id(), number, account_id, vehicle_id, limits, actor, now)
            rows.add_limits(connection, row)
            return LimitsSet(row.id, number, account_id, vehicle_id)

        return write_named(self._store, lambda tx: once(tx, command, lambda: work(tx)), now)

    def limits_of(self, account_id: str, plate: str | None, most: int = 100) -> list[LimitsRow]:
        """All limits a plate, or an account itself, ever had, newest first: the first one holds.

        Raises AccountUnknown, VehicleUnknown.
        """

        def look(connection: Connection) -> list[LimitsRow]:
            people.find(connection, account_id)
            subject = account_id if plate is None else _vehicle_id(connection, account_id, plate)
            return rows.history(connection, subject, most)

        return self._store.read(look)

    # Stations -----------------------------------------------------------------------------------------------

    def set_price(
        self,
        station: str,
        grade: str,
        unit_price_fen: int,
        valid_from: datetime,
        *,
        key: str,
        actor: str,
        now: datetime,
    ) -> PriceSet | Rejected:
        """What a litre of a grade costs from a moment on. Raises AlreadySet for the same moment again."""
        check_name("station", station)
        check_text("grade", grade, 40)
        fen(unit_price_fen, least=1, what="unit_price_fen")
        body = {"grade": grade, "unit_price_fen": unit_price_fen, "valid_from": valid_from}
        command = self._command("station-price", key, actor, now, station=station, **body)

        def work(connection: Connection) -> PriceSet:
            price = StationPrice(command.new_id(), station, grade, unit_price_fen, valid_from, actor, now)
            if not rows.add_price(connection, price):
                raise AlreadySet(f"price of {grade}", valid_from.isoformat())
            return PriceSet(price.id, station)

        return write_named(self._store, lambda tx: once(tx, command, lambda: work(tx)), now)

    def set_tariff(
        self,
        station: str,
        what: str,
        amount_fen: int,
        valid_from: datetime,
        *,
        key: str,
        actor: str,
        now: datetime,
    ) -> PriceSet | Rejected:
        """What every visit of a station is charged on arrival from a moment on; 0: nothing any more.

        Raises AlreadySet for the same moment again.
        """
        check_name("station", station)
        check_text("what", what, 40)
        fen(amount_fen)
        body = {"what": what, "amount_fen": amount_fen, "valid_from": valid_from}
        command = self._command("station-tariff", key, actor, now, station=station, **body)

        def work(connection: Connection) -> PriceSet:
            tariff = StationTariff(command.new_id(), station, what, amount_fen, valid_from, actor, now)
            if not rows.add_tariff(connection, tariff):
                raise AlreadySet("tariff", valid_from.isoformat())
            return PriceSet(tariff.id, station)

        return write_named(self._store, lambda tx: once(tx, command, lambda: work(tx)), now)

    def place_station(self, place: Place, *, key: str, actor: str, now: datetime) -> StationPlaced | Rejected:
        """Where a station is: what one car cannot do follows from it."""
        check_name("station", place.station)
        check_whole("latitude_udeg", place.latitude_udeg, -90 * MILLION, 90 * MILLION)
        check_whole("longitude_udeg", place.longitude_udeg, -180 * MILLION, 180 * MILLION)
        command = self._command("station-place", key, actor, now, **asdict(place))

        def work(connection: Connection) -> StationPlaced:
            stop_rows.place_station(connection, place, actor, now)
            return StationPlaced(place.station)

        return write_named(self._store, lambda tx: once(tx, command, lambda: work(tx)), now)

    def prices(self, station: str, most: int = 200) -> list[StationPrice]:
        """Prices of a station, those that come into force last first."""
        return self._store.read(lambda tx: rows.list_prices(tx, station, most))

    def tariffs(self, station: str, most: int = 100) -> list[StationTariff]:
        """Tariffs of a station, the one that comes into force last first."""
        return self._store.read(lambda tx: rows.list_tariffs(tx, station, most))

    def place(self, station: str) -> Place | None:
        """Where a station is, if that is known."""
        return self._store.read(lambda tx: stop_rows.place_of(tx, station))

    # Stops --------------------------------------------------------------------------------------------------

    def not_me(self, visit_id: str, *, actor: str, now: datetime) -> NotMine | Rejected:
        """The owner says a visit was not theirs: the plate is frozen and the money back, once.

        However often it is asked for, the answer is the first one. Raises VisitUnknown.
        """
        command = self._command("not-me", visit_id, actor, now, visit_id=visit_id)
        return write_named(self._store, lambda tx: stops.not_me(tx, command, visit_id), now)

    def freeze(
        self, plate: str, reason: str, *, key: str, actor: str, now: datetime
    ) -> PlateStopped | Rejected:
        """Stops a plate by hand. Rejected: already_frozen. Raises VehicleUnknown."""
        command = self._command("freeze", key, actor, now, plate=plate, reason=reason)
        return write_named(self._store, lambda tx: stops.freeze(tx, command, plate, reason), now)

    def release(
        self, stop_id: str, reason: str, *, key: str, actor: str, now: datetime
    ) -> PlateReleased | Rejected:
        """Ends one stop of a plate. Rejected: already_released. Raises StopUnknown."""
        command = self._command("release", key, actor, now, stop_id=stop_id, reason=reason)
        return write_named(self._store, lambda tx: stops.release(tx, command, stop_id, reason), now)

    def stops(self, plate: str, *, only_open: bool = False) -> list[Stop]:
        """Stops of a plate, oldest first."""
        return self._store.read(lambda tx: stop_rows.stops_of(tx, plate, only_open=only_open))


def _vehicle_id(connection: Connection, account_id: str, plate: str) -> str:
    bound = people_rows.bound_vehicles(connection, [plate]).get(plate)
    if bound is None or bound.account_id != account_id:
        raise VehicleUnknown(plate)
    return bound.id
