"""A process that works on a wallet until it is killed: it does what it is sent and answers after the commit.

Forked from a server that has imported everything, so that hundreds of kills cost no start-up each.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from operator import attrgetter
from queue import SimpleQueue
from typing import Any, Literal

from api.commands.torture_powercut import shadowed_url
from wallet.batching_charges import checked
from wallet.command_facts import Rejected
from wallet.errors import WalletError
from wallet.once import Command
from wallet.rules import Rules
from wallet.service import Wallet, new_uuid7, open_wallet
from wallet.store.batching_charges import ChargeTogether
from wallet.store.database import Store, make_engine

THREADS = 24

# number of the command, method of the wallet, its arguments by place and by name
Order = tuple[int, str, tuple[Any, ...], dict[str, Any]]
Said = Literal["done", "refused", "unknown"]
# number of the command, what became of it, the code of the refusal or what went wrong
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
    return Wallet(Store(engine), Rules(), new_uuid7, {})


class _Mouth:
    """Says answers in the order they came, those that wait together in one breath."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._waiting: SimpleQueue[Answer] = SimpleQueue()
        self.say = self._waiting.put
        threading.Thread(target=self._speak, daemon=True).start()

    def _speak(self) -> None:
        while True:
            answers = [self._waiting.get()]
            while not self._waiting.empty():
                answers.append(self._waiting.get())
            self._pipe.send(answers)


def _work(database_url: str, way: Way, pipe: Connection) -> None:
    wallet = open_for(database_url, way)
    mouth = _Mouth(pipe)

    with ThreadPoolExecutor(THREADS) as pool:
        while True:
            try:
                orders = pipe.recv()
            except EOFError:
                return
            for order in orders:
                if way.early:
                    pipe.send([(order[0], "done", None)])
                    pool.submit(_answer, wallet, order)
                elif order[1] == "commands.charge":
                    _charge(wallet, order, mouth)
                else:
                    _whole(wallet, order, mouth)


def _charge(wallet: Wallet, order: Order, mouth: _Mouth) -> None:
    """A charge in a batch of many, as the service does it, without a thread that waits for it."""
    number, _, (account_id, station, amount_fen, purpose), named = order
    body = {
        "account_id": account_id, "station": station, "amount_fen": amount_fen, "purpose": purpose,
    }  # fmt: skip
    command = Command("charge", named["key"], body, named["actor"], named["now"], new_uuid7)
    use_case = ChargeTogether(checked(command, account_id, station, amount_fen, purpose))
    future = wallet.store.submit(use_case)
    future.add_done_callback(lambda done: mouth.say(_said(number, done.result)))


def _whole(wallet: Wallet, order: Order, mouth: _Mouth) -> None:
    """Any other command, committed with those that wait beside it, as the service's hot routes do it."""
    number, method, arguments, named = order
    do = attrgetter(method)(wallet)
    future = wallet.store.submit_whole(lambda _: do(*arguments, **named))
    future.add_done_callback(lambda done: mouth.say(_said(number, done.result)))


def _answer(wallet: Wallet, order: Order) -> Answer:
    number, method, arguments, named = order
    return _said(number, lambda: attrgetter(method)(wallet)(*arguments, **named))


def _said(number: int, result: Callable[[], Any]) -> Answer:
    try:
        value = result()
    except WalletError as error:
        return number, "refused", error.code
    except Exception as error:  # noqa: BLE001  a lost connection or a full disk: whoever sent it asks again
        return number, "unknown", f"{type(error).__name__}: {error}"[:300]
    if isinstance(value, Rejected):
        return number, "refused", value.code
    return number, "done", None
