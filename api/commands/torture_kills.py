"""Faults of machines: processes killed, power cut, a primary lost, answers that never arrive."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from sqlalchemy import create_engine, text

from api.commands.failures import CommandError
from api.commands.torture_faults import Finding, Ring, customers_of
from api.commands.torture_load import Customer, Load, Tally
from api.commands.torture_postgres import PostgresServer
from api.commands.torture_powercut import SHADOW, ShadowMissing, cut_power
from api.commands.torture_storm import IN_FLIGHT, Damage, Storm, damage, rage
from api.commands.torture_worker import Way, Worker

# A server that does not wait for its disk is seen doing so where it writes seldom.
LAZY = {"wal_writer_delay": "10s", "wal_writer_flush_after": "1GB", "checkpoint_timeout": "1h"}
NOT_WAITING = "&options=-c%20synchronous_commit%3Doff"
STANDBY = "standby"
IN_STEP_WITHIN_S = 30.0
FEW_IN_FLIGHT = 24


def reply_lost(ring: Ring, finding: Finding) -> None:
    """One of ten answers never reaches who asked; it asks again. Control: under a new name each time."""
    url = f"sqlite:///{ring.database('replies')}"
    finding.add(*ring.storm(url, customers_of(url), Storm(ring.sizes.commands, 0, deaf_of_100=10)))
    if not ring.sizes.control:
        return
    url = f"sqlite:///{ring.database('control')}"
    careless = Storm(ring.sizes.control, 0, deaf_of_100=10, rename=True)
    finding.caught_damage(ring.storm(url, customers_of(url), careless)[1])


def service_killed_on_sqlite(ring: Ring, finding: Finding) -> None:
    """kill -9 of the service under load. Control: it answers before the commit."""
    url = f"sqlite:///{ring.database('killed')}"
    finding.add(*ring.storm(url, customers_of(url), Storm(ring.sizes.commands, ring.sizes.kills)))
    if not ring.sizes.control:
        return
    url = f"sqlite:///{ring.database('control')}"
    hasty = Storm(ring.sizes.control, 3, Way(early=True))
    finding.caught_damage(ring.storm(url, customers_of(url), hasty)[1])


def service_killed_on_postgresql(ring: Ring, finding: Finding) -> None:
    """The same on PostgreSQL, whose backends live on and find their client gone."""
    with_server(ring, lambda server: _killed_there(ring, finding, server))


def _killed_there(ring: Ring, finding: Finding, server: PostgresServer) -> None:
    storm = Storm(ring.sizes.commands, ring.sizes.kills)
    finding.add(*ring.storm(server.url, customers_of(server.url), storm))
    if not ring.sizes.control:
        return
    server.run("createdb", *server.address(), "control")
    url = server.url_of("control")
    hasty = Storm(ring.sizes.control, 3, Way(early=True))
    finding.caught_damage(ring.storm(url, customers_of(url), hasty)[1])


def postgresql_killed(ring: Ring, finding: Finding) -> None:
    """kill -9 of postmaster and backends under load. Control: synchronous_commit=off."""
    with_server(ring, lambda server: _server_killed(ring, finding, server), LAZY)


def _server_killed(ring: Ring, finding: Finding, server: PostgresServer) -> None:
    def disaster(_chance: Random) -> None:
        server.kill()
        server.start()

    storm = Storm(ring.sizes.commands, max(2, ring.sizes.kills), kill_worker=False, disaster=disaster)
    finding.add(*ring.storm(server.url, customers_of(server.url), storm))
    if not ring.sizes.control:
        return
    server.run("createdb", *server.address(), "control")
    url = server.url_of("control")
    people = customers_of(url)
    lazy = Storm(ring.sizes.control, 2, Way(floor=False), kill_worker=False, disaster=disaster)
    finding.caught_damage(_other_url(ring, url, url + NOT_WAITING, people, lazy))


def _other_url(ring: Ring, url: str, through: str, people: list[Customer], storm: Storm) -> Damage:
    """A storm through one address, its damage looked at through another."""
    tally = rage(through, people, storm, ring.chance, ring.advance)
    return damage(url, people, tally)


def power_cut_on_sqlite(ring: Ring, finding: Finding) -> None:
    """What was not synced is gone, or half there. Control: synchronous=NORMAL."""
    try:
        for name, storm in (
            ("power", Storm(ring.sizes.commands, ring.sizes.kills, Way(powercut=True))),
            ("control", Storm(ring.sizes.control, 3, Way(powercut=True, floor=False, synchronous="NORMAL"))),
        ):
            found = _power_cuts(ring, name, storm)
            if name == "power":
                finding.add(*found)
                if not ring.sizes.control:
                    return
            else:
                finding.caught_damage(found[1])
    except ShadowMissing as missing:
        finding.skipped = str(missing)


def _power_cuts(ring: Ring, name: str, storm: Storm) -> tuple[Tally, Damage]:
    path = ring.database(name)
    url = f"sqlite:///{path}"
    people = customers_of(url)
    for suffix in ("", "-wal"):
        if Path(f"{path}{suffix}").exists():
            shutil.copyfile(f"{path}{suffix}", f"{path}{suffix}{SHADOW}")
    with_cuts = Storm(storm.commands, storm.kills, storm.way, disaster=lambda chance: cut_power(path, chance))
    return ring.storm(url, people, with_cuts)


def primary_lost(ring: Ring, finding: Finding) -> None:
    """The primary dies while its standby lags; the standby takes over. Control: nobody waits for it."""
    _failover(ring, finding, "together", {"synchronous_standby_names": STANDBY})
    _failover(ring, finding, "control", {})


def _failover(ring: Ring, finding: Finding, name: str, settings: dict[str, str]) -> None:
    primary = PostgresServer(ring.folder / f"{name}-primary")
    standby = PostgresServer(ring.folder / f"{name}-standby")
    try:
        primary.make()
        primary.start()
        people = customers_of(primary.url)
        standby.follow(primary, STANDBY)
        standby.start()
        for setting, value in settings.items():
            _set(primary, setting, value)
        _wait_until_in_step(primary)
        _lose_primary(ring, finding, name, people, primary, standby)
    finally:
        primary.remove()
        standby.remove()


def _lose_primary(
    ring: Ring,
    finding: Finding,
    name: str,
    people: list[Customer],
    primary: PostgresServer,
    standby: PostgresServer,
) -> None:
    load = Load(people, ring.sizes.control, ring.chance)
    worker = Worker(primary.url, Way())
    senders: list[int] = []
    try:
        while not load.is_done:
            if not senders and load.tally.answered > ring.sizes.control // 3:
                # The standby hears nothing any more; who waits for it gets no answer from now on.
                senders = primary.children("walsender")
                for pid in senders:
                    os.kill(pid, signal.SIGSTOP)
            # So few at a time that many are answered after the standby was cut off.
            if orders := load.next_orders(FEW_IN_FLIGHT):
                worker.send(orders)
            answers = worker.answers(1.0 if senders else 30.0)
            before = load.tally.answered
            load.take(answers)
            ring.advance(load.tally.answered - before)
            if senders and (not answers or load.tally.answered > ring.sizes.control * 2 // 3):
                break
        primary.kill()
        load.take(worker.last_words())
    finally:
        worker.close()
    standby.promote()
    # The old standby waits for nobody: it is the primary now.
    _set(standby, "synchronous_standby_names", "")
    load.forget_worker()
    worker = Worker(standby.url, Way())
    try:
        while name == "together" and not load.is_done:
            if orders := load.next_orders(IN_FLIGHT):
                worker.send(orders)
            load.take(worker.answers(30.0))
    finally:
        worker.close()
    load.tally.kills += 1
    found = damage(standby.url, people, load.tally)
    if name == "together":
        finding.add(load.tally, found)
    else:
        finding.caught(found.lost > 0, f"lost {found.lost}")


def _set(server: PostgresServer, setting: str, value: str) -> None:
    engine = create_engine(server.url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"ALTER SYSTEM SET {setting} = '{value}'"))
        connection.execute(text("SELECT pg_reload_conf()"))
    engine.dispose()


def _wait_until_in_step(primary: PostgresServer) -> None:
    engine = create_engine(primary.url)
    until = time.monotonic() + IN_STEP_WITHIN_S
    query = text("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")
    try:
        while time.monotonic() < until:
            with engine.connect() as connection:
                if connection.execute(query).scalar_one():
                    return
            time.sleep(0.05)
    finally:
        engine.dispose()
    raise CommandError("the standby did not get in step with its primary")


def with_server(
    ring: Ring, play: Callable[[PostgresServer], None], settings: dict[str, str] | None = None
) -> None:
    """A server of this fault's own."""
    server = PostgresServer(ring.folder / "server", settings)
    try:
        server.make()
        server.start()
        play(server)
    finally:
        server.remove()
