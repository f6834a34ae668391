"""Sightings, departures and sales, the addresses that are asked most, without what a general address needs.

A request goes this way only where everything about it is usual: a known device, a signature that fits, a
message as most are. It is answered here only once it is done: nonce and work are one transaction, committed
with those that wait beside it. In every other case, and wherever anything is refused, nothing was done here,
and the request goes the ordinary way, which decides and answers: what is refused, and how, has one place.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import re
import secrets
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import answers
from api.auth import WINDOW_S, Speaker
from api.body_limit import LARGEST_JSON_BYTES
from api.errors import ApiError
from api.hot_messages import departure_of, sale_of, sighting_of
from api.nonces import KEEP_S
from api.wiring import Services
from wallet.access import Device, NotAdmitted
from wallet.errors import WalletError

log = logging.getLogger(__name__)

# So many requests may wait for a commit here; what comes above goes the ordinary way, which makes it wait.
MOST_WAITING = 512
_NONCE = re.compile(rb"[0-9a-f]{32}")
_TIMESTAMP = re.compile(rb"[1-9][0-9]{0,11}")
_KEPT = timedelta(seconds=KEEP_S)
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent once the work is on disk. count: tells the metrics, where something new was done."""

    status: int
    body: bytes
    count: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class HotRoute:
    """An address: who may speak there, how its message is read, and what is done in the transaction.

    read: None where the ordinary way must look. do: the message and who signed it; raises what the wallet and
    the ordinary way raise. names_station: whether the message says for which station it speaks.
    """

    path: str
    role: str
    read: Callable[[bytes], Any | None]
    do: Callable[[Any, Device], Answer]
    names_station: bool = True


class HotLane:
    """ASGI middleware around everything else. Only for nonces that are kept in the wallet's own database."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services
        self._waiting = 0
        self._arrivals: _Arrivals | None = None
        self._routes = {route.path: route for route in hot_routes(services)}
        metrics = services.metrics
        self._counts = {
            (path, status): metrics.requests.labels("POST", path, status)
            for path in self._routes
            for status in ("200", "201")
        }
        self._seconds = {path: metrics.request_seconds.labels("POST", path) for path in self._routes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._routes.get(scope["path"]) if scope["type"] == "http" else None
        if route is None or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        headers = _usual_headers(scope)
        if headers is None or self._waiting >= MOST_WAITING:
            await self._app(scope, receive, send)
            return
        body = await _body(receive)
        if body is None:
            return
        answer = await self._answer(route, headers, scope, body)
        if answer is None:
            await self._app(scope, _again(body, receive), send)
            return
        await _send(send, answer.status, answer.body)
        if answer.count is not None:
            answer.count()
        self._counts[route.path, str(answer.status)].inc()
        self._seconds[route.path].observe(time.perf_counter() - started)

    async def _answer(
        self, route: HotRoute, headers: dict[bytes, bytes], scope: Scope, body: bytes
    ) -> Answer | None:
        """What is to be sent, or None where nothing was done."""
        signed = self._signed(route, headers, scope, body)
        message = route.read(body) if signed is not None else None
        if signed is None or message is None:
            return None
        device, nonce = signed
        if route.names_station and message.station != device.station:
            return None
        now = self._services.clock()
        if abs(int(now.timestamp()) - int(headers[b"platepay-timestamp"])) > WINDOW_S:
            return None
        self._waiting += 1
        try:
            return await self._here().answer(
                self._services.access.submit_admitted(
                    device, nonce, now, now + _KEPT, lambda: route.do(message, device)
                )
            )
        except NotAdmitted:
            self._services.devices.forget(device.id)
            return None
        except (WalletError, ApiError):
            return None
        except Exception:  # the ordinary way tries again and says what is wrong
            log.exception("%s could not be done in the hot lane", route.path)
            return None
        finally:
            self._waiting -= 1

    def _here(self) -> _Arrivals:
        """The way of answers to the loop that runs."""
        loop = asyncio.get_running_loop()
        if self._arrivals is None or self._arrivals.loop is not loop:
            self._arrivals = _Arrivals(loop)
        return self._arrivals

    def _signed(
        self, route: HotRoute, headers: dict[bytes, bytes], scope: Scope, body: bytes
    ) -> tuple[Device, str] | None:
        """The known device that signed this, and its nonce."""
        device_id = headers[b"platepay-device"]
        timestamp, nonce = headers[b"platepay-timestamp"], headers[b"platepay-nonce"]
        known = self._services.devices.known(device_id.decode("latin-1"))
        if known is None or not _NONCE.fullmatch(nonce) or not _TIMESTAMP.fullmatch(timestamp):
            return None
        device, key = known
        if device.role != route.role or scope["raw_path"] != route.path.encode():
            return None
        digest = hashlib.sha256(body).hexdigest().encode()
        text = b"\n".join((b"POST", scope["raw_path"], digest, timestamp, nonce, device_id))
        wanted = hmac.digest(key, text, "sha256").hex().encode()
        if not hmac.compare_digest(wanted, headers[b"platepay-signature"]):
            return None
        return device, nonce.decode()


def hot_routes(services: Services) -> list[HotRoute]:
    """The addresses that are asked most."""

    def arrive(message: Any, _device: Device) -> Answer:
        started = time.perf_counter()
        arrival = services.autopay.decide(message)
        seconds = time.perf_counter() - started
        body = _encode(answers.sighting_fields(arrival))
        if arrival.repeated:
            return Answer(200, body)
        return Answer(201, body, lambda: services.autopay.count(arrival, seconds))

    def leave(message: Any, device: Device) -> Answer:
        services.autopay.depart(message, Speaker(device))
        return Answer(200, _encode({"sighting_id": message.sighting_id}))

    def sell(sale: Any, _device: Device) -> Answer:
        result = services.wallet.record_sale(sale, services.clock())
        body = _encode(answers.sale_fields(result))
        if result.repeated:
            return Answer(200, body)
        return Answer(201, body, lambda: services.metrics.count_sale(result))

    return [
        HotRoute("/v1/sightings", "camera", sighting_of, arrive),
        HotRoute("/v1/departures", "camera", departure_of, leave, names_station=False),
        HotRoute("/v1/sales", "pump", sale_of, sell),
    ]


def _usual_headers(scope: Scope) -> dict[bytes, bytes] | None:
    """The headers of a request as devices send it: each once, JSON of an announced length, no query."""
    given = scope["headers"]
    headers = dict(given)
    if len(headers) != len(given) or scope["query_string"]:
        return None
    length = headers.get(b"content-length", b"")
    if not length.isdigit() or len(length) > 6 or int(length) > LARGEST_JSON_BYTES:
        return None
    if headers.get(b"content-type") != b"application/json":
        return None
    needed = (b"platepay-device", b"platepay-timestamp", b"platepay-nonce", b"platepay-signature")
    return headers if all(name in headers for name in needed) else None


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None where the sender has gone."""
    message = await receive()
    if message["type"] != "http.request":
        return None
    body: bytes = message.get("body", b"")
    while message.get("more_body", False):
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
    return body


def _again(body: bytes, receive: Receive) -> Receive:
    """The same request from its beginning."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again


class _Arrivals:
    """Answers of a lane on their way to the loop that waits: it is woken once for all of a batch."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._come: deque[tuple[asyncio.Future[Any], Future[Any]]] = deque()
        self._is_called = False

    def answer(self, work: Future[Any]) -> asyncio.Future[Any]:
        """What this work comes to."""
        answer: asyncio.Future[Any] = self.loop.create_future()
        work.add_done_callback(lambda done: self._arrived(answer, done))
        return answer

    def _arrived(self, answer: asyncio.Future[Any], work: Future[Any]) -> None:
        """On the lane's thread. What is put in before the loop has begun to hand out goes with the rest."""
        self._come.append((answer, work))
        if not self._is_called:
            self._is_called = True
            self.loop.call_soon_threadsafe(self._hand_out)

    def _hand_out(self) -> None:
        self._is_called = False
        while self._come:
            answer, work = self._come.popleft()
            if answer.cancelled():
                continue
            error = work.exception()
            if error is None:
                answer.set_result(work.result())
            else:
                answer.set_exception(error)


async def _send(send: Send, status: int, body: bytes) -> None:
    headers = [
        (b"content-length", str(len(body)).encode()),
        (b"content-type", b"application/json"),
        (b"x-request-id", secrets.token_hex(8).encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
