"""Debits for the benchmark: direct charges through the wallet's own code, alone or many in flight."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from queue import SimpleQueue
from random import Random
from typing import Any

from sqlalchemy import Connection, insert, select, text, update

from wallet.batching_charges import checked
from wallet.ledger import revenue, wallet_side
from wallet.once import Command
from wallet.service import Wallet, new_uuid7
from wallet.store.batching_charges import ChargeTogether
from wallet.tables import transfers, wallets

STATION = "bench"
FLEET = 10
FLEET_SHARE = 0.8
AMOUNT_FEN = 10

Pick = Callable[[Random], str]


def account_of(number: int) -> str:
    """The id of one of the benchmark's accounts."""
    return f"a{number}"


def anybody(count: int) -> Pick:
    """All wallets alike."""
    return lambda chance: account_of(chance.randrange(count))


def one_wallet(_chance: Random) -> str:
    """Always the same."""
    return account_of(0)


def fleet(count: int) -> Pick:
    """Four of five debits fall on ten wallets."""
    return lambda chance: account_of(chance.randrange(FLEET if chance.random() < FLEET_SHARE else count))


@dataclass(frozen=True, slots=True)
class Run:
    """What a stretch of load came to."""

    done: int
    seconds: float
    latencies_ms: list[float]

    @property
    def per_s(self) -> float:
        """Debits a second."""
        return self.done / self.seconds

    def percentile_ms(self, of_100: int) -> float:
        """The time so many of hundred debits took at most."""
        ranked = sorted(self.latencies_ms)
        return ranked[min(len(ranked) - 1, len(ranked) * of_100 // 100)] if ranked else 0.0


class Debits:
    """New charges, each with a name of its own."""

    def __init__(self, run: str, pick: Pick, chance: Random) -> None:
        self.run = run
        self._pick = pick
        self._chance = chance
        self._numbers = itertools.count()
        self._now = datetime.now(UTC)

    def __iter__(self) -> Iterator[ChargeTogether]:
        while True:
            account_id = self._pick(self._chance)
            body = {
                "account_id": account_id, "station": STATION, "amount_fen": AMOUNT_FEN, "purpose": "bench",
            }  # fmt: skip
            key = f"{self.run}-{next(self._numbers)}"
            command = Command("charge", key, body, "bench", self._now, new_uuid7)
            yield ChargeTogether(checked(command, account_id, STATION, AMOUNT_FEN, "bench"))


def in_flight(wallet: Wallet, debits: Debits, seconds: float, most: int, *, alone: bool = False) -> Run:
    """So many debits are on their way at any time; each answer makes room for another.

    alone: each in a transaction of its own.
    """
    submit = wallet.store.submit_alone if alone else wallet.store.submit
    latencies: list[float] = []
    failures: list[BaseException] = []
    room: SimpleQueue[None] = SimpleQueue()
    for _ in range(most):
        room.put(None)

    def note(answer: Future[Any], asked: float) -> None:
        latencies.append((time.perf_counter() - asked) * 1000)
        if (failure := answer.exception()) is not None:
            failures.append(failure)
        room.put(None)

    started = time.perf_counter()
    for debit in debits:
        room.get()
        asked = time.perf_counter()
        if asked - started >= seconds or failures:
            room.put(None)
            break
        submit(debit).add_done_callback(partial(note, asked=asked))
    for _ in range(most):
        room.get()
    if failures:
        raise failures[0]
    return Run(len(latencies), time.perf_counter() - started, latencies)


def by_callers(
    do: Callable[[ChargeTogether], object], debits: Callable[[int], Debits], seconds: float, callers: int
) -> Run:
    """Threads that each wait for their answer before they ask again."""
    latencies: list[list[float]] = [[] for _ in range(callers)]
    started = time.perf_counter()

    def call(number: int) -> None:
        for debit in debits(number):
            asked = time.perf_counter()
            if asked - started >= seconds:
                return
            do(debit)
            latencies[number].append((time.perf_counter() - asked) * 1000)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    together = list(itertools.chain.from_iterable(latencies))
    return Run(len(together), time.perf_counter() - started, together)


def naive_debit(wallet: Wallet, debit: ChargeTogether) -> None:
    """What most would write: lock the row, look, write, and hold the lock until the commit is on disk."""
    command = debit.command

    def write(connection: Connection) -> None:
        locked = select(wallets).where(wallets.c.account_id == command.account_id).with_for_update()
        row = connection.execute(locked).one()
        left_fen = row.principal_fen - command.amount_fen
        connection.execute(
            update(wallets)
            .where(wallets.c.account_id == command.account_id)
            .values(principal_fen=left_fen, version=row.version + 1)
        )
        connection.execute(
            insert(transfers).values(
                id=command.transfer_ids[0],
                name=f"naive:{command.charge_id}",
                kind="charge",
                from_account=wallet_side(command.account_id, "principal"),
                to_account=revenue(STATION),
                amount_fen=command.amount_fen,
                account_id=command.account_id,
                wallet_version=row.version + 1,
                wallet_after_fen=left_fen,
                recorded_at=command.now,
            )
        )

    wallet.store.alone(write)


def own_transactions(wallet: Wallet, run: str) -> float:
    """PostgreSQL: how many transactions have written the charges of this run, for each of them."""
    query = text(
        "SELECT COUNT(DISTINCT CAST(xmin AS text)), COUNT(*) FROM charges"
        " WHERE idempotency_key LIKE :run || '-%'"
    )
    transactions, charges = wallet.store.read(lambda tx: tuple(tx.execute(query, {"run": run}).one()))
    return round(transactions / max(1, charges), 4)


def adds_up(wallet: Wallet, opened_fen: int) -> bool:
    """Whether each wallet holds what it was opened with, less what its transfers took, and counts them."""
    query = text(
        "SELECT COUNT(*) FROM wallets w LEFT JOIN (SELECT account_id, SUM(amount_fen) AS taken,"
        " COUNT(*) AS times FROM ledger_transfers WHERE kind = 'charge' AND account_id IS NOT NULL"
        " GROUP BY account_id) t ON t.account_id = w.account_id"
        " WHERE w.version <> COALESCE(t.times, 0) OR w.principal_fen + COALESCE(t.taken, 0) <> :opened"
    )
    wrong = wallet.store.read(lambda tx: tx.execute(query, {"opened": opened_fen}).scalar_one())
    return int(wrong) == 0
