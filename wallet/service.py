"""The wallet: every use case of the service, one transaction each. Start with `open_wallet`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

import uuid_utils
from sqlalchemy import Connection, Engine

from wallet import departures, people, proven_looks, recharge, sales, visits
from wallet.access import Access
from wallet.commands import Commands
from wallet.deciding import Weighed
from wallet.errors import OrderUnknown, ReviewUnknown, VisitUnknown
from wallet.facts import (
    Account,
    Arrival,
    AuditReport,
    Authorisation,
    Balance,
    Candidate,
    ChannelPayment,
    MatchRow,
    PaymentResult,
    Posterior,
    RechargeOrder,
    Review,
    Sale,
    SaleResult,
    SightingFact,
    StatementLine,
    Vehicle,
    Visit,
)
from wallet.fee_settling import Fees
from wallet.habits import Habits
from wallet.habits import candidates as find_candidates
from wallet.limiting import Limiting
from wallet.once import write_named
from wallet.plates import Positions
from wallet.privacy import Privacy
from wallet.proof import Proof
from wallet.proving import Proving
from wallet.reviewing import Reviewing
from wallet.rules import Rules
from wallet.sighting_checks import check_sighting
from wallet.store import balances, database, events, forecourt, looks, matchlog, orders, reviewing, selling
from wallet.store import people as people_rows
from wallet.store.clock import database_time
from wallet.store.database import Store
from wallet.store.outbox import Outbox
from wallet.twins import Alike, Twins
from wallet.twins import note as note_twins

_SWEEP_MOST = 500


def new_uuid7() -> str:
    """An id that sorts by the time it was made."""
    return str(uuid_utils.uuid7())


def open_wallet(
    database_url: str,
    rules: Rules | None = None,
    *,
    new_id: Callable[[], str] = new_uuid7,
    engine: Engine | None = None,
    alike: Alike | None = None,
) -> Wallet:
    """The wallet on this database, which must be durable.

    A SQLite file without tables gets them; a PostgreSQL database must have been migrated. Raises
    DurabilityTooLow or SchemaMissing. engine: used instead of making one from the URL. alike: how often
    characters are taken for each other; without it no registered plates are twins.
    """
    if engine is None:
        engine = database.make_engine(database_url)
    try:
        database.check_durability(engine)
        if engine.dialect.name == "sqlite" and not database.has_schema(engine):
            database.create_schema(engine)
        database.require_schema(engine)
    except BaseException:
        engine.dispose()
        raise
    return Wallet(Store(engine), rules or Rules(), new_id, alike or {})


class Wallet:
    """Thread-safe. Times are aware UTC and come from the caller as `now`."""

    def __init__(self, store: Store, rules: Rules, new_id: Callable[[], str], alike: Alike) -> None:
        self.store = store
        self.rules = rules
        self.twins = Twins(store, rules, alike)
        self.habits = Habits(store, rules)
        self.outbox = Outbox(store)
        self.access = Access(store, new_id)
        self.commands = Commands(store, new_id)
        self.proving = Proving(store, new_id)
        self.reviewing = Reviewing(store, rules, new_id)
        self.proof = Proof(store)
        self.limits = Limiting(store, new_id)
        self.fees = Fees(store, new_id)
        self.privacy = Privacy(store, new_id)
        self._new_id = new_id

    @property
    def engine(self) -> Engine:
        """The engine of the database, for migrations and health checks."""
        return self.store.engine

    def close(self) -> None:
        """Gives the connections back."""
        self.store.close()

    # People and cars ----------------------------------------------------------------------------------------

    def open_account(self, name: str, phone: str | None, key: str, now: datetime) -> Account:
        """A new account with an empty wallet; the same key and body again get the first one."""
        return write_named(
            self.store, lambda tx: people.open_account(tx, name, phone, key, self._new_id, now), now
        )

    def account(self, account_id: str) -> Account:
        """The account; raises AccountUnknown."""
        return self.store.read(lambda tx: people.find(tx, account_id))

    def accounts(self, limit: int = 100, after: str | None = None) -> list[Account]:
        """Accounts in the order they were opened, after the one with the id `after`."""
        return self.store.read(lambda tx: people_rows.list_accounts(tx, limit, after))

    def bind_vehicle(self, account_id: str, plate: str, colour: str, key: str, now: datetime) -> Vehicle:
        """Binds a plate to an account and notes its twins; raises PlateAlreadyBound, AccountUnknown."""

        def bind(tx: Connection) -> Vehicle:
            vehicle = people.bind_vehicle(tx, account_id, plate, colour, key, self._new_id, now)
            note_twins(tx, vehicle, self.twins.alike, self.rules, now)
            return vehicle

        return write_named(self.store, bind, now)

    def unbind_vehicle(self, plate: str, now: datetime) -> Vehicle:
        """Ends the binding: no new hold from now on; a stay that has one is settled as usual.

        Raises VehicleUnknown.
        """
        return self.store.write(lambda tx: people.unbind_vehicle(tx, plate, now))

    def vehicles(self, account_id: str) -> list[Vehicle]:
        """Every binding of the account, ended ones too."""
        return self.store.read(lambda tx: people.vehicles(tx, account_id))

    def candidates(self, positions: Positions) -> list[Candidate]:
        """Registered plates that this reading could be: likely strings, and all one step from the best.

        positions: for each character of the plate (character, ppm), most likely first. With how often each
        came: `habits.candidates`.
        """
        return self.store.read(lambda tx: find_candidates(tx, positions, None, None))

    # Money --------------------------------------------------------------------------------------------------

    def balance(self, account_id: str) -> Balance:
        """The wallet as its owner sees it; raises AccountUnknown."""
        return recharge.balance_of(self.store.read(lambda tx: balances.read_wallet(tx, account_id)))

    def balance_at(self, account_id: str, at: datetime) -> Balance:
        """The wallet as it was at a past moment, from its transfers and holds; raises AccountUnknown."""
        return self.store.read(lambda tx: people.balance_at(tx, account_id, at), snapshot=True)

    def statement(
        self, account_id: str, limit: int = 100, before: str | None = None, at: datetime | None = None
    ) -> list[StatementLine]:
        """Transfers of the wallet, newest first, older than the one with the id `before`.

        at: as the statement was at that moment. Raises AccountUnknown.
        """
        return self.store.read(lambda tx: people.statement(tx, account_id, limit, before, at))

    def create_recharge_order(
        self, account_id: str, amount_fen: int, channel: str, key: str, now: datetime
    ) -> RechargeOrder:
        """An order that a payment channel can fill; raises InvalidAmount, AccountUnknown."""
        return write_named(
            self.store,
            lambda tx: recharge.create_order(
                tx, account_id, amount_fen, channel, key, self.rules, self._new_id, now
            ),
            now,
        )

    def recharge_order(self, order_id: str) -> RechargeOrder:
        """The order; raises OrderUnknown."""
        order = self.store.read(lambda tx: orders.find_order(tx, order_id))
        if order is None:
            raise OrderUnknown(order_id)
        return order

    def channel_paid(self, payment: ChannelPayment, now: datetime) -> PaymentResult:
        """Credits the wallet once, however often the channel tells us."""
        return self.store.write(lambda tx: recharge.channel_paid(tx, payment, self._new_id, now))

    # The forecourt ------------------------------------------------------------------------------------------

    def arrive(
        self, sighting: SightingFact, posterior: Posterior, now: datetime, weighed: Weighed | None = None
    ) -> Arrival:
        """Decides about a sighting once: its match, and visit and hold where the car is surely known.

        weighed: what the posterior was made of, kept for replays.
        """
        check_sighting(sighting, posterior)
        return write_named(
            self.store,
            lambda tx: self._arrive(tx, sighting, posterior, now, weighed),
            now,
        )

    def _arrive(
        self,
        tx: Connection,
        sighting: SightingFact,
        posterior: Posterior,
        now: datetime,
        weighed: Weighed | None,
    ) -> Arrival:
        deciding = replace(self.proof.deciding, weighed=weighed)
        arrival = visits.arrive(tx, sighting, posterior, self.rules, self._new_id, now, deciding)
        if not arrival.repeated:
            self.privacy.index(tx, sighting)
        return arrival

    def depart(self, sighting_id: str, left_at: datetime, now: datetime) -> Visit | None:
        """The visit of the car that has left, None where it had none; raises SightingUnknown."""
        return write_named(self.store, lambda tx: departures.depart(tx, sighting_id, left_at, now), now)

    def record_sale(self, sale: Sale, now: datetime) -> SaleResult:
        """Takes the amount of a sale from the visit it belongs to, once; it waits where there is none yet."""
        sales.check_sale(sale)
        return write_named(
            self.store, lambda tx: sales.record_sale(tx, sale, self.rules, self._new_id, now), now
        )

    def authorise(self, station: str, pump: str, now: datetime) -> Authorisation:
        """What the pump may sell now."""
        return self.store.read(lambda tx: sales.authorise(tx, station, pump, now))

    def sweep(self, now: datetime) -> list[Visit]:
        """The overdue visits, whose holds are now released. Sales that waited too long go to a person.

        Questions that a later look has answered end.
        """
        left_before, opened_before = departures.overdue_before(self.rules, now)
        overdue = self.store.read(
            lambda tx: forecourt.overdue_visits(tx, left_before, opened_before, _SWEEP_MOST)
        )
        ended = [self._end_if_overdue(visit_id, now) for visit_id in overdue]
        waited_before = sales.waited_before(self.rules, now)
        for station, sale_id in self.store.read(
            lambda tx: selling.overdue_sales(tx, waited_before, _SWEEP_MOST)
        ):
            self._give_up_waiting(station, sale_id, now)
        self._end_proven(now)
        return [visit for visit in ended if visit is not None]

    def expire(self) -> list[Visit]:
        """The same by the clock of the database, whatever the clock of this service says."""
        return self.sweep(self.store.read(database_time))

    def _end_if_overdue(self, visit_id: str, now: datetime) -> Visit | None:
        return self.store.write(lambda tx: departures.end_if_overdue(tx, visit_id, self.rules, now))

    def _give_up_waiting(self, station: str, sale_id: str, now: datetime) -> None:
        self.store.write(
            lambda tx: sales.give_up_waiting(tx, station, sale_id, self.rules, self._new_id, now)
        )

    def _end_proven(self, now: datetime) -> None:
        since = proven_looks.asked_since(self.rules, now)
        for review_id in self.store.read(lambda tx: reviewing.doubted_and_debited(tx, since, _SWEEP_MOST)):
            self.store.write(
                partial(proven_looks.end_if_proven, review_id=review_id, rules=self.rules, now=now)
            )

    # What happened ------------------------------------------------------------------------------------------

    def matches(
        self,
        *,
        plate: str | None = None,
        station: str | None = None,
        outcome: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 100,
        before: str | None = None,
    ) -> list[MatchRow]:
        """The operator's log, newest first.

        plate: as read or as matched; before: id of the last sighting shown.
        """
        return self.store.read(
            lambda tx: matchlog.list_matches(
                tx,
                plate=plate,
                plate_hash=None if plate is None else self.privacy.plate_hash(plate),
                station=station,
                outcome=outcome,
                since=since,
                until=until,
                limit=limit,
                before=before,
            )
        )

    def visits(
        self,
        *,
        station: str | None = None,
        state: str | None = None,
        plate: str | None = None,
        account_id: str | None = None,
        limit: int = 100,
        before: str | None = None,
    ) -> list[Visit]:
        """Visits, newest first, older than the one with the id `before`."""
        return self.store.read(
            lambda tx: forecourt.list_visits(
                tx,
                station=station,
                state=state,
                plate=plate,
                account_id=account_id,
                limit=limit,
                before=before,
            )
        )

    def visit(self, visit_id: str) -> Visit:
        """The visit; raises VisitUnknown."""
        visit = self.store.read(lambda tx: forecourt.find_visit(tx, visit_id))
        if visit is None:
            raise VisitUnknown(visit_id)
        return visit

    def sale(self, station: str, sale_id: str) -> tuple[Sale, SaleResult] | None:
        """What the pump said and where it stands, or None."""
        return self.store.read(lambda tx: selling.find_sale(tx, station, sale_id))

    def reviews(
        self,
        *,
        state: str | None = "open",
        kind: str | None = None,
        station: str | None = None,
        limit: int = 100,
        before: str | None = None,
    ) -> list[Review]:
        """The queue for people, newest first, older than the item with the id `before`."""
        return self.store.read(
            lambda tx: events.list_reviews(
                tx, state=state, kind=kind, station=station, limit=limit, before=before
            )
        )

    def review(self, review_id: str) -> Review:
        """The item; raises ReviewUnknown."""
        item = self.store.read(lambda tx: events.find_review(tx, review_id))
        if item is None:
            raise ReviewUnknown(review_id)
        return item

    def sightings(
        self,
        *,
        station: str | None = None,
        camera: str | None = None,
        limit: int = 100,
        before: str | None = None,
    ) -> Sequence[SightingFact]:
        """Sightings, newest first, older than the one with the id `before`."""
        return self.store.read(lambda tx: forecourt.list_sightings(tx, station, camera, limit, before))

    def sighting(self, sighting_id: str) -> SightingFact | None:
        """The sighting, or None."""
        return self.store.read(lambda tx: forecourt.find_sighting(tx, sighting_id))

    def station_of(self, sighting_id: str) -> str | None:
        """Where the sighting was made, or None where it is unknown."""
        return self.store.read(lambda tx: looks.station_of(tx, sighting_id))

    def audit(self) -> AuditReport:
        """Proves the money from the rows alone, from scratch; signatures of blocks are left unchecked."""
        return self.proving.audit()
