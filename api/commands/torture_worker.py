"""A process that works on a wallet until it is killed: it does what it is sent and answers after the commit.

Forked from a server that has imported everything, so that hundreds of kills cost no start-up each.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from operator import attrgetter
from typing import Any, Literal

from api.commands.torture_powercut import shadowed_url
from wallet.command_facts import Rejected
from wallet.errors import WalletError
from wallet.rules import Rules
from wallet.service import Wallet, new_uuid7, open_wallet
from wallet.store.database import Store, make_engine

THREADS = 24

# number of the command, method of the wallet, its arguments by place and by name
Order = tuple[int, str, tuple[Any, ...], dict[str, Any]]
Said = Literal["done", "refused", "unknown"]
# number of the command, what became of it, its value or the code of the refusal
Answer = tuple[int, Said, Any]


@dataclass(frozen=True, slots=True)
class Way:
    """How a worker runs. The ways that are not safe are the controls: each must be caught.

    floor: refuse a database that is not durable. early: answer before the commit. powercut: keep beside each
    SQLite file what of it has reached the disk. synchronous: what SQLite waits for.
    """

    floor: bool = True
    early: bool = False
    powercut: bool = False
    synchronous: str = "FULL"


class Worker:
    """A handle on one such process."""

    def __init__(self, database_url: str, way: Way) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["api.commands.torture_worker"])
        self.pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(database_url, way, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def send(self, orders: Sequence[Order]) -> None:
        """Gives it work. Raises OSError where it has died."""
        self.pipe.send(list(orders))

    def answers(self, patience_s: float) -> list[Answer]:
        """What it has answered by now; waits for the first. Raises EOFError where it has died."""
        if not self.pipe.poll(patience_s):
            return []
        try:
            found: list[Answer] = self.pipe.recv()
        except OSError as error:
            raise EOFError from error
        return found

    def kill(self) -> None:
        """kill -9: no handler runs, nothing is flushed."""
        self._process.kill()
        self._process.join()

    def last_words(self) -> list[Answer]:
        """What a dead worker had answered and nobody read yet."""
        said: list[Answer] = []
        try:
            while answers := self.answers(0):
                said += answers
        except EOFError:
            return said
        return said

    def close(self) -> None:
        """Ends it, whatever it is doing."""
        self.kill()
        self.pipe.close()


def open_for(database_url: str, way: Way) -> Wallet:
    """The wallet, opened as this way wants it."""
    if way.floor:
        return open_wallet(shadowed_url(database_url) if way.powercut else database_url)
    engine = make_engine(shadowed_url(database_url) if way.powercut else database_url)
    if engine.dialect.name == "sqlite":
        from sqlalchemy import event

        event.listen(engine, "connect", lambda raw, _: raw.execute(f"PRAGMA synchronous={way.synchronous}"))
    return Wallet(Store(engine), Rules(), new_uuid7)


def _work(database_url: str, way: Way, pipe: Connection) -> None:
    wallet = open_for(database_url, way)
    mouth = threading.Lock()

    def say(answer: Answer) -> None:
        with mouth:
            pipe.send([answer])

    def do(order: Order) -> None:
        if way.early:
            say((order[0], "done", None))
        answer = _answer(wallet, order)
        if not way.early:
            say(answer)

    with ThreadPoolExecutor(THREADS) as pool:
        while True:
            try:
                orders = pipe.recv()
            except EOFError:
                return
            for order in orders:
                pool.submit(do, order)


def _answer(wallet: Wallet, order: Order) -> Answer:
    number, method, arguments, named = order
    try:
        value = attrgetter(method)(wallet)(*arguments, **named)
    except WalletError as error:
        return number, "refused", error.code
    except Exception as error:  # noqa: BLE001  a lost connection or a full disk: whoever sent it asks again
        return number, "unknown", f"{type(error).__name__}: {error}"[:300]
    if isinstance(value, Rejected):
        return number, "refused", value.code
    return number, "done", value
