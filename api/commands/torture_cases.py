"""Faults of messages and people: twice, late, in the wrong order, at the wrong time, forged, or poisonous."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event, text, update
from sqlalchemy.exc import OperationalError

from api.commands.torture_faults import Finding, Ring
from api.commands.torture_load import START, STATION, Customer, charge_order, sale_of, sighting_of, welcome
from wallet.errors import KeyReused
from wallet.facts import ChannelPayment
from wallet.service import Wallet, open_wallet
from wallet.tables import wallets

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@contextmanager
def _wallet(ring: Ring, finding: Finding, customers: int = 4) -> Iterator[tuple[Wallet, list[Customer]]]:
    """A wallet with customers; afterwards the audit must hold."""
    wallet = open_wallet(f"sqlite:///{ring.database('case')}")
    try:
        yield wallet, welcome(wallet, customers)
        bad = [check.first_bad or check.name for check in wallet.audit().checks if not check.ok]
        finding.must(not bad, "; ".join(bad))
    finally:
        wallet.close()


def _charge(wallet: Wallet, customer: Customer, key: str, amount_fen: int) -> Any:
    _, _, arguments, named = charge_order(customer, key, amount_fen)
    return wallet.commands.charge(*arguments, **named)


def _together(count: int, do: Callable[[int], Any]) -> list[Any]:
    """What `do` comes to in so many threads at once; errors are values too."""
    found: list[Any] = [None] * count
    gate = threading.Barrier(count)

    def run(number: int) -> None:
        gate.wait()
        try:
            found[number] = do(number)
        except Exception as error:  # noqa: BLE001  looked at by who asked
            found[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def duplicate_sightings(ring: Ring, finding: Finding) -> None:
    """One car, several cameras, each message again and again: one hold. One sale again: one capture."""
    with _wallet(ring, finding) as (wallet, (customer, other, *_)):
        facts = [sighting_of(customer, f"camera-{camera}", START) for camera in range(4)]
        _together(24, lambda n: wallet.arrive(*facts[n % 4], START))
        visits = wallet.visits(account_id=customer.account_id)
        finding.must(len(visits) == 1, f"{len(visits)} holds for one car")
        sale = sale_of(customer, "once", START + MINUTE, 700)
        _together(12, lambda _: wallet.record_sale(sale, sale.ended_at))
        taken_fen = sum(visit.captured_fen for visit in wallet.visits(account_id=customer.account_id))
        finding.must(taken_fen == 700, f"{taken_fen} fen taken for a sale of 700")
        finding.commands += 36
        # Stays that are hours apart are two: the count above can see more than one.
        for stay in (0, 6):
            wallet.arrive(*sighting_of(other, f"stay-{stay}", START + stay * HOUR), START + stay * HOUR)
        stays = len(wallet.visits(account_id=other.account_id))
        finding.caught(stays == 2, f"two stays are counted as {stays}")


def races(ring: Ring, finding: Finding) -> None:
    """200 charges at once on money for 50: exactly 50. Control: look first, write later, without a lock."""
    with _wallet(ring, finding) as (wallet, (customer, *_)):
        have_fen = wallet.balance(customer.account_id).available_fen
        each_fen = have_fen // 50
        answers = _together(200, lambda n: _charge(wallet, customer, f"race-{n}", each_fen))
        accepted = sum(type(answer).__name__ == "Charged" for answer in answers)
        finding.must(accepted == 50, f"{accepted} of 200 accepted on money for 50")
        left_fen = wallet.balance(customer.account_id).available_fen
        finding.must(left_fen == 0, f"{left_fen} fen left")
        finding.commands += 200
    sold = _careless_race(ring)
    finding.caught(sold > 1, f"{sold} of 8 sold on money for 1")


def _careless_race(ring: Ring) -> int:
    """How many of eight think they had the money for one."""
    wallet = open_wallet(f"sqlite:///{ring.database('careless')}")
    (customer,) = welcome(wallet, 1)
    all_looked = threading.Barrier(8)

    def careless(_number: int) -> bool:
        balance = wallet.balance(customer.account_id)
        all_looked.wait()
        if balance.available_fen <= 0:
            return False
        left = update(wallets).where(wallets.c.account_id == customer.account_id).values(principal_fen=0)
        wallet.store.write(lambda connection: connection.execute(left) and None)
        return True

    sold = sum(answer is True for answer in _together(8, careless))
    wallet.close()
    return sold


def other_body(ring: Ring, finding: Finding) -> None:
    """A name that comes again with another body is refused and moves nothing. Control: another name."""
    with _wallet(ring, finding) as (wallet, (customer, *_)):
        _charge(wallet, customer, "name", 100)
        before = wallet.balance(customer.account_id)
        answers = _together(8, lambda n: _charge(wallet, customer, "name", 200 + n))
        refused = sum(isinstance(answer, KeyReused) for answer in answers)
        finding.must(refused == 8, f"{8 - refused} of 8 other bodies were taken")
        sale = sale_of(customer, "sale", START, 300)
        wallet.record_sale(sale, sale.ended_at)
        forged = replace(sale, litres_ml=310, amount_fen=310)
        forgery = _together(1, lambda _: wallet.record_sale(forged, sale.ended_at))[0]
        finding.must(isinstance(forgery, KeyReused), "a sale was changed under its own name")
        finding.must(wallet.balance(customer.account_id) == before, "a refused name moved money")
        finding.commands += 11
        _charge(wallet, customer, "another", 200)
        moved = wallet.balance(customer.account_id) != before
        finding.caught(moved, "under another name money moves" if moved else "nothing moves at all")


def wrong_clock(ring: Ring, finding: Finding) -> None:
    """Cameras two hours behind and forty days ahead: holds end by our clock, and sales still count."""
    with _wallet(ring, finding) as (wallet, (behind, ahead, *_)):
        for customer, off in ((behind, -2 * HOUR), (ahead, timedelta(days=40))):
            wallet.arrive(*sighting_of(customer, customer.pump, START + off), START)
        wallet.sweep(START + MINUTE)
        held = [wallet.balance(customer.account_id).held_fen > 0 for customer in (behind, ahead)]
        finding.must(held == [True, True], "a wrong clock ended a stay within a minute")
        sale = sale_of(ahead, "ahead", START + timedelta(days=40, minutes=1), 500)
        finding.must(wallet.record_sale(sale, START + MINUTE).captured_fen == 500, "the sale did not count")
        ended = wallet.sweep(START + timedelta(hours=2, minutes=1))
        finding.must(wallet.balance(behind.account_id).held_fen == 0, "a camera's clock holds money for ever")
        finding.commands += 3
        finding.caught(len(ended) == 1, f"{len(ended)} hold released when its time had come")


def late_and_out_of_order(ring: Ring, finding: Finding) -> None:
    """Sale before sighting, sale after the hold was released, a spool of three days: each ends somewhere."""
    with _wallet(ring, finding) as (wallet, (early, late, spool, nobody)):
        sale = sale_of(early, "early", START + MINUTE, 900)
        finding.must(wallet.record_sale(sale, sale.ended_at).state == "waiting", "an early sale did not wait")
        wallet.arrive(*sighting_of(early, "early", START), START + 2 * MINUTE)
        finding.must(_state(wallet, "early") == "captured", "an early sale was not settled")
        wallet.arrive(*sighting_of(late, "late", START), START)
        wallet.sweep(START + 3 * HOUR)
        after = sale_of(late, "late", START + 3 * HOUR + 10 * MINUTE, 800)
        wallet.record_sale(after, after.ended_at)
        wallet.sweep(START + 4 * HOUR)
        finding.must(_state(wallet, "late") == "review", "a sale after its hold was dropped")
        days = [START - timedelta(days=day) for day in (1, 3, 2)]
        for number, at in enumerate(days):
            wallet.arrive(*sighting_of(spool, f"spool-{number}", at), START)
            wallet.record_sale(sale_of(spool, f"spool-{number}", at + MINUTE, 100), START)
        states = {_state(wallet, f"spool-{number}") for number in range(3)}
        finding.must(states == {"captured"}, f"sales of a late spool are {states}")
        finding.commands += 11
        wallet.record_sale(sale_of(nobody, "nobody", START, 100), START)
        finding.caught(_state(wallet, "nobody") == "waiting", "a sale of nobody is seen waiting")
        wallet.sweep(START + HOUR)
        finding.must(_state(wallet, "nobody") == "review", "a sale of nobody was dropped")


def _state(wallet: Wallet, name: str) -> str | None:
    found = wallet.sale(STATION, f"sale-{name}")
    return found[1].state if found else None


def disk_full(ring: Ring, finding: Finding) -> None:
    """The disk fills up under load: no answer, nothing half done; when there is room it goes on."""
    path = ring.database("full")
    url = f"sqlite:///{path}"
    wallet = open_wallet(url)
    (customer,) = welcome(wallet, 1)
    pages = _pages(path) + 6
    event.listen(wallet.engine, "connect", lambda raw, _: raw.execute(f"PRAGMA max_page_count={pages}"))
    wallet.engine.dispose()
    answers = [_together(16, lambda n, r=r: _charge(wallet, customer, f"{r}-{n}", 1)) for r in range(30)]
    failed = [answer for batch in answers for answer in batch if isinstance(answer, OperationalError)]
    wallet.close()
    wallet = open_wallet(url)
    spent_fen = 500_000 - wallet.balance(customer.account_id).principal_fen
    acked = sum(type(answer).__name__ == "Charged" for batch in answers for answer in batch)
    finding.lost = max(0, acked - spent_fen)
    finding.doubled = max(0, spent_fen - acked)
    for r in range(30):
        _together(16, lambda n, r=r: _charge(wallet, customer, f"{r}-{n}", 1))
    spent_fen = 500_000 - wallet.balance(customer.account_id).principal_fen
    finding.must(spent_fen == 480, f"{spent_fen} of 480 fen taken once there was room")
    finding.must(wallet.audit().ok, "the audit does not hold")
    wallet.close()
    finding.commands += 960
    finding.caught(bool(failed), f"{len(failed)} of 480 charges met a full disk")


def _pages(path: Path) -> int:
    with sqlite3.connect(path) as connection:
        return int(connection.execute("PRAGMA page_count").fetchone()[0])


def webhooks(ring: Ring, finding: Finding) -> None:
    """A channel tells twice, a wrong amount, of an order nobody made: one credit, the rest in suspense."""
    with _wallet(ring, finding) as (wallet, (customer, *_)):
        before_fen = wallet.balance(customer.account_id).principal_fen
        order = wallet.create_recharge_order(customer.account_id, 5_000, "torture", "webhook", START)
        right = ChannelPayment("torture", "t-right", order.id, 5_000, START)
        wrong = replace(right, channel_txn_id="t-wrong", amount_fen=50_000)
        stray = replace(right, channel_txn_id="t-stray", order_id="nobody")
        for payment in (stray, wrong):
            _together(6, lambda _, payment=payment: wallet.channel_paid(payment, START))
        answers = _together(12, lambda _: wallet.channel_paid(right, START))
        applied = sum(type(answer).__name__ == "PaymentApplied" for answer in answers)
        gained_fen = wallet.balance(customer.account_id).principal_fen - before_fen
        finding.must((applied, gained_fen) == (1, 5_000), f"credited {applied} times, {gained_fen} fen")
        finding.commands += 24
        second = wallet.create_recharge_order(customer.account_id, 5_000, "torture", "webhook-2", START)
        wallet.channel_paid(replace(right, channel_txn_id="t-2", order_id=second.id), START)
        again_fen = wallet.balance(customer.account_id).principal_fen - before_fen
        finding.caught(again_fen == 10_000, f"a second order is credited: {again_fen} fen")


def poison(ring: Ring, finding: Finding) -> None:
    """A handler that breaks and an event nobody can handle: neighbours go on, the event is set aside."""
    with _wallet(ring, finding) as (wallet, (customer, *_)):

        def broken(connection: Any) -> None:
            connection.execute(text("INSERT INTO pumps (station, pump) VALUES ('poison', 'half')"))
            raise ZeroDivisionError("a bug in a handler")

        answers = _together(
            24,
            lambda n: wallet.store.write(broken) if n % 3 == 0 else _charge(wallet, customer, f"p-{n}", 1),
        )
        broke = sum(isinstance(answer, ZeroDivisionError) for answer in answers)
        done = sum(type(answer).__name__ == "Charged" for answer in answers)
        finding.must((broke, done) == (8, 16), f"{broke} of 8 bugs seen, {done} of 16 neighbours done")
        count = text("SELECT COUNT(*) FROM pumps WHERE station = 'poison'")
        halves = wallet.store.read(lambda connection: connection.execute(count).scalar_one())
        finding.must(halves == 0, f"{halves} half-done use cases are on disk")
        handed, dead = _hand_on_all_but_one(wallet)
        finding.commands += 24
        finding.caught(dead == 1, f"{dead} poison event set aside, {handed} others handed on")


def _hand_on_all_but_one(wallet: Wallet) -> tuple[int, int]:
    """Works the outbox off while its first event breaks whoever takes it: how many went on, how many died."""
    handed: set[int] = set()
    poisoned: int | None = None
    while leased := wallet.outbox.lease("torture"):
        for one in leased:
            poisoned = one.id if poisoned is None else poisoned
            if one.id == poisoned:
                wallet.outbox.failed("torture", one.id, "cannot be handled")
            else:
                wallet.outbox.done("torture", [one.id])
                handed.add(one.id)
    return len(handed), len(wallet.outbox.dead())
