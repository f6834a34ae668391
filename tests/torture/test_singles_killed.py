"""Single charges that were answered outlive a kill of the server; with no wait for the disk they do not."""

from __future__ import annotations

import threading
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import text

from api.commands.bench_ledger_fill import OPENED_FEN, add_wallets
from api.commands.bench_ledger_load import Debits, adds_up, anybody
from api.commands.torture_postgres import PostgresServer
from wallet.rules import Rules
from wallet.service import Wallet, new_uuid7
from wallet.store.database import Store, create_schema, make_engine

IN_FLIGHT = 64
ANSWERED = 400
ROUNDS = 2
# What was not waited for may be on the disk all the same, now and then.
CONTROL_ROUNDS = 8
PATIENCE_S = 60


def _open(server: PostgresServer) -> Wallet:
    return Wallet(Store(make_engine(server.url)), Rules(), new_uuid7, {})


def _lost(server: PostgresServer, name: str) -> int:
    """How many charges were answered before a kill in full run, and are not there after it."""
    wallet = _open(server)
    answered: list[str] = []
    enough, gone = threading.Event(), threading.Event()

    def note(done) -> None:  # type: ignore[no-untyped-def]
        if not gone.is_set() and done.exception() is None:
            answered.append(done.result().charge_id)
            if len(answered) == ANSWERED:
                enough.set()

    def load() -> None:
        room = threading.Semaphore(IN_FLIGHT)
        for debit in Debits(name, anybody(100), Random(name)):
            room.acquire()
            if gone.is_set():
                return
            answer = wallet.store.submit_alone(debit)
            answer.add_done_callback(note)
            answer.add_done_callback(lambda _: room.release())

    sender = threading.Thread(target=load)
    sender.start()
    assert enough.wait(PATIENCE_S)
    server.kill()
    acknowledged = list(answered)
    gone.set()
    sender.join(PATIENCE_S)
    wallet.close()
    server.start()
    again = _open(server)
    with again.engine.connect() as connection:
        there = set(connection.execute(text("SELECT id FROM charges")).scalars())
    assert adds_up(again, OPENED_FEN)
    again.close()
    return len(set(acknowledged) - there)


@pytest.fixture
def server(tmp_path: Path):  # type: ignore[no-untyped-def]
    # Nobody writes the log by the way.
    made = PostgresServer(tmp_path / "postgresql", {"wal_writer_delay": "10s"})
    made.make()
    made.start()
    engine = make_engine(made.url)
    create_schema(engine)
    add_wallets(engine, 0, 100)
    engine.dispose()
    yield made
    made.remove()


def test_a_kill_of_the_server_loses_no_single_charge_that_was_answered(server: PostgresServer) -> None:
    assert [_lost(server, f"round-{number}") for number in range(ROUNDS)] == [0] * ROUNDS


def test_without_the_wait_for_the_disk_the_same_kill_loses_some(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the test above sees a loss where there is one."""
    monkeypatch.setattr("wallet.store.singles.flush_query", lambda _: b"SELECT 'not waited'")
    assert any(_lost(server, f"round-{number}") > 0 for number in range(CONTROL_ROUNDS))
