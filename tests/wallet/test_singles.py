"""Charges that PostgreSQL takes one transaction each, many on their way at one time."""

from __future__ import annotations

import os
import select
import socket
import threading
import time
from concurrent.futures import wait
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from sqlalchemy import event, text

from wallet.batching import LaneClosed
from wallet.batching_charges import checked
from wallet.command_facts import Charged, Rejected
from wallet.errors import AccountUnknown, KeyReused
from wallet.once import Command
from wallet.rules import Rules
from wallet.service import Wallet, new_uuid7
from wallet.store.batching_charges import ChargeTogether
from wallet.store.charging import ONE, values_of
from wallet.store.database import Store, make_engine
from wallet.store.singles import CONNECTIONS, ROOM, Job, Wire

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
PATIENCE_S = 60
# More than have room on all connections.
COUNT = ROOM + 9
ENDED = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE query LIKE '%platepay_charge(%' AND pid <> pg_backend_pid()"
)

pytestmark = pytest.mark.parametrize("engine", ["postgresql"], indirect=True)


def charge(account_id, amount_fen, key):
    body = {"account_id": account_id, "station": "demo", "amount_fen": amount_fen, "purpose": "wash"}
    command = Command("charge", key, body, "test", NOW, new_uuid7)
    return ChargeTogether(checked(command, account_id, "demo", amount_fen, "wash"))


@pytest.fixture
def connected():
    """The connections that were opened, in that order."""
    return []


@pytest.fixture
def service(forecourt, database_url, connected):
    """Another service on the same database; it knows the station's account already."""
    engine = make_engine(database_url)
    event.listen(engine, "connect", lambda connection, _: connected.append(connection))
    opened = Wallet(Store(engine), Rules(), new_uuid7, {})
    account_id = forecourt.customer("粤B99999", 1_000)
    opened.commands.charge(account_id, "demo", 1, "wash", key="first", actor="test", now=NOW)
    yield opened
    opened.close()


@contextmanager
def locked(wallet, account_id):
    """The wallet's row is held by somebody else meanwhile."""
    started, go = threading.Event(), threading.Event()

    def holder(connection):
        connection.execute(text(f"UPDATE wallets SET held_fen = held_fen WHERE account_id = '{account_id}'"))
        started.set()
        assert go.wait(PATIENCE_S)

    blocker = threading.Thread(target=wallet.store.write, args=(holder,))
    blocker.start()
    assert started.wait(PATIENCE_S)
    try:
        yield
    finally:
        go.set()
        blocker.join(PATIENCE_S)


def rows(wallet, query):
    with wallet.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def waiting_backends(wallet, count):
    """Processes of the server that have this call and wait for a lock, once there are so many."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        found = rows(
            wallet,
            "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND query LIKE 'SELECT platepay_charge(%' AND state = 'active'",
        )
        if len(found) >= count:
            return [pid for (pid,) in found]
    pytest.fail(f"{count} calls never waited at one time")


def results(answers):
    wait(answers, PATIENCE_S)
    return [answer.exception(0) or answer.result(0) for answer in answers]


def transactions(wallet, condition="TRUE"):
    """How many transactions wrote charges, and how many charges there are."""
    query = f"SELECT COUNT(DISTINCT CAST(xmin AS text)), COUNT(*) FROM charges WHERE {condition}"
    return rows(wallet, query)[0]


def test_each_charge_has_a_transaction_of_its_own_however_many_are_sent_at_once(forecourt, wallet, service):
    accounts = [forecourt.customer(f"粤B1234{number}", 10_000) for number in range(4)]
    charges = [charge(accounts[number % 4], 7, f"charge-{number}") for number in range(200)]
    said = results([service.store.submit_alone(one) for one in charges])
    assert all(isinstance(answer, Charged) for answer in said)
    stored = "SELECT id, account_id, wallet_after_fen FROM charges WHERE idempotency_key LIKE 'charge-%'"
    assert {(one.charge_id, one.account_id, one.balance_fen) for one in said} == set(rows(wallet, stored))
    assert [one.command.charge_id for one in charges] == [answer.charge_id for answer in said]
    assert transactions(wallet, "idempotency_key LIKE 'charge-%'") == (200, 200)
    assert sum(forecourt.total_fen(account) for account in accounts) == 40_000 - 200 * 7
    assert wallet.audit().ok


def test_a_charge_that_fails_harms_none_beside_it(forecourt, wallet, service):
    account_id, poor = forecourt.customer("粤B12345", 100_000), forecourt.customer("粤B12346", 5)
    service.commands.charge(account_id, "demo", 10, "wash", key="taken", actor="test", now=NOW)
    sent = []
    for number in range(60):
        sent += [
            charge(account_id, 10, f"good-{number}"),
            charge(poor, 6, f"poor-{number}"),
            charge(account_id, 11, "taken"),
            charge(account_id, 10, "taken"),
            charge("nobody", 10, f"nobody-{number}"),
        ]
    said = results([service.store.submit_alone(one) for one in sent])
    kinds = [type(answer) for answer in said]
    assert kinds == [Charged, Rejected, KeyReused, Charged, AccountUnknown] * 60
    assert len({said[place].charge_id for place in range(3, 300, 5)}) == 1
    assert forecourt.total_fen(account_id) == 100_000 - 61 * 10
    assert transactions(wallet, "idempotency_key LIKE 'good-%'") == (60, 60)
    assert wallet.audit().ok


def test_charges_on_connections_that_are_ended_are_answered_once(forecourt, wallet, service):
    account_id = forecourt.customer("粤B12345", 10_000)
    with locked(wallet, account_id):
        answers = [
            service.store.submit_alone(charge(account_id, 10, f"c{number}")) for number in range(COUNT)
        ]
        pids = waiting_backends(wallet, CONNECTIONS)
        rows(wallet, f"SELECT pg_terminate_backend(pid) FROM unnest(ARRAY{pids}) AS pid")
    said = results(answers)
    assert all(isinstance(answer, Charged) for answer in said)
    assert forecourt.total_fen(account_id) == 10_000 - 10 * COUNT
    again = results(
        [service.store.submit_alone(charge(account_id, 10, f"c{number}")) for number in range(COUNT)]
    )
    assert again == said
    assert wallet.audit().ok


def test_a_charge_whose_answer_was_lost_on_the_way_gets_the_same_answer(
    forecourt, wallet, service, connected
):
    """The server takes it and finds nobody to tell: the name is looked up before anything is tried again."""
    account_id = forecourt.customer("粤B12345", 10_000)
    service.store.submit_alone(charge(account_id, 10, "before")).result(PATIENCE_S)
    with locked(wallet, account_id):
        answers = [
            service.store.submit_alone(charge(account_id, 10, f"c{number}")) for number in range(COUNT)
        ]
        pids = waiting_backends(wallet, CONNECTIONS)
        for connection in connected:
            if not connection.closed and connection.info.backend_pid in pids:
                with socket.socket(fileno=os.dup(connection.pgconn.socket)) as ours:
                    ours.shutdown(socket.SHUT_RDWR)
    said = results(answers)
    left_fen = 9_990 - 10 * COUNT
    assert sorted(answer.balance_fen for answer in said) == list(range(left_fen, 9_990, 10))
    assert forecourt.total_fen(account_id) == left_fen
    assert transactions(wallet, f"account_id = '{account_id}'") == (COUNT + 1, COUNT + 1)
    assert wallet.audit().ok


def test_what_is_sent_together_is_answered_when_the_last_of_it_is_on_disk(forecourt, wallet, service):
    """The first charge is committed and everybody sees it, but the log up to it need not be on disk yet."""
    free, busy = forecourt.customer("粤B12345", 1_000), forecourt.customer("粤B12346", 1_000)
    sent = [charge(free, 10, "free"), charge(busy, 10, "busy"), charge(free, 5_000, "too-much")]
    wire = Wire(service.engine, ONE)
    try:
        with locked(wallet, busy):
            wire.send([Job(one, values_of(one.command), service.store.submit) for one in sent])
            waiting_backends(wallet, 1)
            assert forecourt.total_fen(free) == 990
            assert select.select([wire.file], [], [], PATIENCE_S)[0]
            assert list(wire.answers()) == []
        said = []
        while wire.is_busy:
            assert select.select([wire.file], [], [], PATIENCE_S)[0]
            said += list(wire.answers())
    finally:
        wire.close()
    found = [(job.use_case.command.key, None if total is None else int(total)) for job, total in said]
    # Too little money leaves nothing on disk to wait for.
    assert found == [("too-much", None), ("free", 990), ("busy", 990)]


def test_connections_that_were_lost_while_idle_are_opened_anew(forecourt, wallet, service):
    account_id = forecourt.customer("粤B12345", 1_000)
    service.store.alone(charge(account_id, 10, "a"))
    assert rows(wallet, ENDED)
    for number in range(3):
        balance_fen = service.store.alone(charge(account_id, 10, f"b{number}")).balance_fen
        assert balance_fen == 980 - 10 * number
    assert wallet.audit().ok


def test_few_charges_go_alone_and_those_of_one_wallet_together(forecourt, wallet, service):
    accounts = [forecourt.customer(f"粤B1234{number}", 1_000) for number in range(3)]
    said = results([service.store.submit(charge(account, 10, f"of-{account}")) for account in accounts])
    assert all(isinstance(answer, Charged) for answer in said)
    assert transactions(wallet, "idempotency_key LIKE 'of-%'") == (3, 3)
    busy = accounts[0]
    with locked(wallet, busy):
        answers = [service.store.submit(charge(busy, 10, f"busy-{number}")) for number in range(3)]
        # A neighbour does not wait for them.
        assert service.store.submit(charge(accounts[1], 10, "other")).result(PATIENCE_S).balance_fen == 980
        answers += [service.store.submit(charge(busy, 10, f"busy-{number}")) for number in range(3, 30)]
    assert all(isinstance(answer, Charged) for answer in results(answers))
    made, count = transactions(wallet, "idempotency_key LIKE 'busy-%'")
    assert count == 30
    assert made <= 3
    assert wallet.audit().ok


def test_a_charge_that_was_cancelled_before_it_was_sent_is_never_taken(forecourt, wallet, service):
    account_id = forecourt.customer("粤B12345", 10_000)
    with locked(wallet, account_id):
        answers = [
            service.store.submit_alone(charge(account_id, 10, f"c{number}")) for number in range(ROOM + 1)
        ]
        assert answers.pop().cancel()
    assert all(isinstance(answer, Charged) for answer in results(answers))
    assert forecourt.total_fen(account_id) == 10_000 - 10 * ROOM


def test_closing_answers_what_is_on_its_way_and_takes_no_more(forecourt, wallet, service):
    account_id = forecourt.customer("粤B12345", 10_000)
    answers = [service.store.submit_alone(charge(account_id, 10, f"c{number}")) for number in range(COUNT)]
    service.close()
    assert all(isinstance(answer, Charged) for answer in [answer.result(0) for answer in answers])
    with pytest.raises(LaneClosed):
        service.store.submit_alone(charge(account_id, 10, "late"))
    assert forecourt.total_fen(account_id) == 10_000 - 10 * COUNT


def test_where_no_connection_can_be_had_the_caller_is_told(forecourt, wallet, service):
    """All of the engine's connections are refused: the charge fails, and nothing of it is there."""
    account_id = forecourt.customer("粤B12345", 1_000)

    def refuse(*_):
        raise ConnectionRefusedError("nobody listens")

    assert rows(wallet, ENDED)
    service.engine.dispose()
    event.listen(service.engine, "do_connect", refuse)
    with pytest.raises(ConnectionRefusedError):
        service.store.alone(charge(account_id, 10, "a"))
    event.remove(service.engine, "do_connect", refuse)
    assert service.store.alone(charge(account_id, 10, "a")).balance_fen == 990
