"""A storm: commands at full speed while processes die; afterwards what was lost or doubled is counted."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from random import Random

from sqlalchemy import Connection, text

from api.commands.failures import CommandError
from api.commands.torture_load import RICH_FEN, Customer, Load, Tally
from api.commands.torture_worker import Way, Worker
from wallet.service import Wallet, open_wallet

SAFE = Way()
IN_FLIGHT = 256
PATIENCE_S = 60.0
# So many answers without a certain word, one after the other, mean that nothing will come of it any more.
HOPELESS = 20_000
# So many workers, one after the other, that died without an answer were never able to give one.
STILLBORN = 20


@dataclass(frozen=True, slots=True)
class Storm:
    """What to do to a database. deaf_of_100: of hundred answers so many never reach who asked.

    disaster: what happens to the database itself each time a worker was killed, or instead of that.
    """

    commands: int
    kills: int
    way: Way = SAFE
    deaf_of_100: int = 0
    rename: bool = False
    kill_worker: bool = True
    disaster: Callable[[Random], None] | None = None


@dataclass(frozen=True, slots=True)
class Damage:
    """lost: answered and not there. doubled: there more often than asked for. broken: what else is wrong."""

    lost: int
    doubled: int
    broken: str

    @property
    def none(self) -> bool:
        """Whether every answered command counts exactly once."""
        return not (self.lost or self.doubled or self.broken)


def rage(
    database_url: str,
    customers: list[Customer],
    storm: Storm,
    chance: Random,
    advance: Callable[[int], None] = lambda _: None,
    until: float = math.inf,
) -> Tally:
    """Sends every command until it is answered, and kills as often as asked.

    advance: told of progress. until: by the monotonic clock; from then on nothing new is sent.
    """
    load = Load(customers, storm.commands, chance, rename=storm.rename)
    tally = load.tally
    worker = Worker(database_url, storm.way)
    deaths = 0
    try:
        while not load.is_done:
            if time.monotonic() >= until:
                load.send_no_more()
                if load.is_done:
                    break
            orders = load.next_orders(IN_FLIGHT)
            before = tally.answered
            try:
                if orders:
                    worker.send(orders)
                answers = worker.answers(PATIENCE_S)
            except (EOFError, OSError):
                load.take(worker.last_words())
                load.forget_worker()
                worker.close()
                deaths = 0 if tally.answered > before else deaths + 1
                if deaths > STILLBORN:
                    raise CommandError(
                        "workers die before they answer anything; they say why above"
                    ) from None
                worker = Worker(database_url, storm.way)
                continue
            if not answers or tally.unknown > tally.answered + HOPELESS:
                raise CommandError(f"the wallet has stopped answering; it last said {answers[-1:]}")
            load.take(load.lose_some(answers, storm.deaf_of_100))
            advance(tally.answered - before)
            if tally.kills < storm.kills and tally.answered >= _when(storm, tally.kills, chance):
                tally.kills += 1
                worker = _strike(database_url, storm, load, worker, chance)
    finally:
        worker.close()
    return tally


def _when(storm: Storm, kills: int, chance: Random) -> float:
    """After how many answers the next kill falls: spread over the whole, somewhere in its own part."""
    return (kills + chance.random()) * storm.commands * 0.98 / storm.kills


def _strike(database_url: str, storm: Storm, load: Load, worker: Worker, chance: Random) -> Worker:
    """Kills in the middle of work: more commands are on their way."""
    if orders := load.next_orders(IN_FLIGHT):
        worker.send(orders)
    if storm.kill_worker:
        worker.kill()
        load.take(worker.last_words())
        load.forget_worker()
        worker.close()
    if storm.disaster is not None:
        storm.disaster(chance)
    return Worker(database_url, storm.way) if storm.kill_worker else worker


def damage(database_url: str, customers: list[Customer], tally: Tally, rich_fen: int = RICH_FEN) -> Damage:
    """Compares the ledger with what was answered."""
    with closing(open_wallet(database_url)) as wallet:
        there = _names(wallet)
        lost = len(tally.names - set(there))
        doubled = len(there) - len(tally.names) + lost
        broken = [f"refused: {', '.join(sorted(set(tally.refused)))}"] if tally.refused else []
        broken += [check.first_bad or check.name for check in wallet.audit().checks if not check.ok]
        for customer in customers:
            balance = wallet.balance(customer.account_id)
            left_fen = rich_fen - tally.spent_fen[customer.account_id]
            if balance.principal_fen + balance.bonus_fen != left_fen and not (lost or doubled):
                broken.append(f"{customer.plate} has {balance.principal_fen} fen instead of {left_fen}")
    return Damage(lost, doubled, "; ".join(broken[:3]))


def _names(wallet: Wallet) -> list[str]:
    """The name of every command that took money, as often as it did."""
    keys = "SELECT idempotency_key FROM charges WHERE code IS NULL AND idempotency_key IS NOT NULL"

    def query(connection: Connection) -> list[str]:
        named = list(connection.execute(text(keys)).scalars())
        done = int(connection.execute(text("SELECT COUNT(*) FROM charges WHERE code IS NULL")).scalar_one())
        sales = connection.execute(text("SELECT sale_id FROM captures")).scalars()
        # A charge without its command would be one nobody asked for.
        return [*named, *["a charge without a command"] * (done - len(named)), *sales]

    return wallet.store.read(query, snapshot=True)
