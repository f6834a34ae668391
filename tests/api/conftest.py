"""A real service on a free loopback port, and the people and devices that speak to it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uuid_utils
import uvicorn

from api.app import create_app
from api.auth import token_hash
from api.settings import Settings, read_settings
from api.wiring import Services, build_services
from cameras.signing import sign

PATIENCE_MS = 60_000
PASSWORD = "correct horse battery"
TOKEN = "the token of a session that the template holds"


class Clock:
    """A clock the test moves; it goes on by itself as well."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def forward(self, **time_parts: float) -> None:
        self.ahead += timedelta(**time_parts)


def until(condition: Callable[[], Any], seconds: float = 15.0) -> Any:
    """What the condition returns once it is true; fails at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {condition}")
        threading.Event().wait(0.02)


def jpeg(seed: str) -> bytes:
    """The smallest file that is a JPEG by its markers; every seed gives other bytes."""
    comment = seed.encode()
    return b"".join(
        (
            b"\xff\xd8",
            b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment,
            b"\xff\xc0" + struct.pack(">HBHHB", 11, 8, 8, 8, 1) + b"\x01\x11\x00",
            b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00",
            b"\x00\x00\xff\xd9",
        )
    )


class DeviceClient:
    """Signs as a camera or pump does."""

    def __init__(self, http: httpx.Client, device: str, key: str) -> None:
        self.http = http
        self.device = device
        self.key = key.encode()

    def send(self, method: str, path: str, body: Any = None, **wrong: Any) -> httpx.Response:
        """wrong: key, device, timestamp, nonce, signed_path and so on, to get something wrong."""
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        headers = sign(
            wrong.get("key", self.key),
            wrong.get("signed_method", method),
            wrong.get("signed_path", path),
            wrong.get("signed_body", content),
            wrong.get("device", self.device),
            wrong.get("timestamp", int(time.time())),
            wrong.get("nonce", secrets.token_hex(16)),
        )
        default = "image/jpeg" if method == "PUT" else "application/json"
        headers["Content-Type"] = wrong.get("content_type", default)
        headers.update(wrong.get("headers", {}))
        return self.http.request(method, path, content=content, headers=headers)

    def post(self, path: str, body: Any, **wrong: Any) -> httpx.Response:
        return self.send("POST", path, body, **wrong)


class OperatorClient:
    """Speaks with a token; each POST has a new key unless one is given."""

    def __init__(self, http: httpx.Client, token: str) -> None:
        self.http = http
        self.token = token
        self.headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str, **params: Any) -> httpx.Response:
        return self.http.get(path, headers=self.headers, params=params or None)

    def post(self, path: str, body: Any, key: str | None = None) -> httpx.Response:
        return self.http.post(
            path, json=body, headers={**self.headers, "Idempotency-Key": key or secrets.token_hex(8)}
        )

    def delete(self, path: str) -> httpx.Response:
        return self.http.delete(path, headers=self.headers)


class Client:
    """What people and devices do to a service; the operator, camera and pump are the template's."""

    def __init__(self, parts: Services, url: str, clock: Clock) -> None:
        self.parts = parts
        self.settings = parts.settings
        self.url = url
        self.clock = clock
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=64)
        self.http = httpx.Client(base_url=url, timeout=30, limits=limits, trust_env=False)
        self.operator = OperatorClient(self.http, TOKEN)
        self.camera = DeviceClient(self.http, "cam-1", parts.devices.key_of("cam-1"))
        self.pump = DeviceClient(self.http, "pump-1", parts.devices.key_of("pump-1"))

    def device(self, device_id: str, role: Any, station: str = "demo") -> DeviceClient:
        return DeviceClient(self.http, device_id, self.parts.devices.add(device_id, role, station))

    def account(
        self, name: str = "王小明", plate: str = "粤B12345", colour: str = "blue", fen: int = 100_000
    ) -> str:
        """An account with a plate and money that came in through the sandbox."""
        account_id: str = self.operator.post("/v1/accounts", {"name": name}).json()["account_id"]
        bound = self.operator.post(f"/v1/accounts/{account_id}/vehicles", {"plate": plate, "colour": colour})
        assert bound.status_code == 201, bound.text
        if fen:
            order = self.recharge(account_id, fen)
            paid = self.http.post(f"/v1/channels/sandbox/orders/{order}/pay", json={})
            assert paid.json()["notified"], paid.text
        return account_id

    def recharge(self, account_id: str, fen: int) -> str:
        body = {"amount_fen": fen, "channel": "sandbox"}
        order_id: str = self.operator.post(f"/v1/accounts/{account_id}/recharge-orders", body).json()[
            "order_id"
        ]
        return order_id

    def wallet(self, account_id: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.operator.get(f"/v1/accounts/{account_id}/wallet").json()
        return answer

    def picture(self, seed: str | None = None) -> str:
        """The SHA-256 of a picture that was uploaded."""
        content = jpeg(seed or secrets.token_hex(8))
        sha256 = hashlib.sha256(content).hexdigest()
        answer = self.camera.send("PUT", f"/v1/evidence/{sha256}", content)
        assert answer.status_code in (200, 201), answer.text
        return sha256

    def sighting(self, text: str | None = "粤B12345", **changes: Any) -> dict[str, Any]:
        """A sighting message whose pictures are here already."""
        seen = self.clock()
        message: dict[str, Any] = {
            "sighting_id": str(uuid_utils.uuid7()),
            "station": "demo",
            "camera": "lane-1",
            "pump": "1",
            "first_seen_at": rfc3339(seen - timedelta(seconds=2)),
            "last_seen_at": rfc3339(seen),
            "text": text,
            "colour": "blue",
            "wrong_ppm": 300,
            "looks": 8,
            "positions": [[[character, 999_950]] for character in text or ""],
            "evidence": {"frame": self.picture("frame"), "crop": self.picture("crop")},
            "models": {"detector": "a" * 64, "reader": "b" * 64},
        }
        return {**message, **changes}

    def sale(self, **changes: Any) -> dict[str, Any]:
        """A sale message of 31.25 litres at pump 1."""
        now = self.clock()
        message = {
            "sale_id": f"s-{secrets.token_hex(6)}",
            "station": "demo",
            "pump": "1",
            "grade": "92",
            "litres": "31.25",
            "unit_price_fen": 785,
            "amount_fen": 24_531,
            "started_at": rfc3339(now),
            "ended_at": rfc3339(now + timedelta(seconds=1)),
        }
        return {**message, **changes}

    def arrive(self, text: str | None = "粤B12345", **changes: Any) -> dict[str, Any]:
        answer = self.camera.post("/v1/sightings", self.sighting(text, **changes))
        assert answer.status_code == 201, answer.text
        body: dict[str, Any] = answer.json()
        return body


def rfc3339(time_: datetime) -> str:
    return time_.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Service(Client):
    """A service that runs in a thread of this process."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        parts = build_services(settings, clock)
        self.app = create_app(settings, parts)
        self._listener = free_listener()
        super().__init__(parts, f"http://127.0.0.1:{self._listener.getsockname()[1]}", clock)

    def __enter__(self) -> Service:
        config = uvicorn.Config(self.app, log_level="warning", timeout_graceful_shutdown=2)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listener]})
        self._thread.start()
        until(lambda: self._server.started or not self._thread.is_alive())
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self._server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive()


def free_listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


@contextlib.contextmanager
def client_of(parts: Services, url: str) -> Iterator[Client]:
    """A client of a service that runs elsewhere; parts: built on its data folder, for the devices' keys."""
    client = Client(parts, url, Clock())
    yield client
    client.http.close()


@pytest.fixture(scope="session")
def tools() -> Any:
    """What tests of this folder share besides fixtures: jpeg, until, rfc3339."""

    class Tools:
        password = PASSWORD
        token = TOKEN

    Tools.jpeg = staticmethod(jpeg)  # type: ignore[attr-defined]
    Tools.until = staticmethod(until)  # type: ignore[attr-defined]
    Tools.rfc3339 = staticmethod(rfc3339)  # type: ignore[attr-defined]
    Tools.free_listener = staticmethod(free_listener)  # type: ignore[attr-defined]
    Tools.client_of = staticmethod(client_of)  # type: ignore[attr-defined]
    Tools.running = staticmethod(lambda settings: Service(settings, Clock()))  # type: ignore[attr-defined]
    return Tools


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the tables of this version, an operator who is logged in, a camera and a pump."""
    folder = tmp_path_factory.mktemp("template") / "data"
    parts = build_services(read_settings({}, data_dir=folder, page=False))
    now = parts.clock()
    operator = parts.operators.add("wang", PASSWORD)
    parts.access.start_session(operator.id, token_hash(TOKEN), now, now + timedelta(days=1))
    parts.devices.add("cam-1", "camera", "demo")
    parts.devices.add("pump-1", "pump", "demo")
    parts.close()
    return folder


@pytest.fixture
def start(tmp_path: Path, template: Path) -> Iterator[Callable[..., Service]]:
    """Starts services with settings of their own; all are stopped at the end."""
    with contextlib.ExitStack() as stack:

        def start_service(**overrides: Any) -> Service:
            folder = tmp_path / f"data-{secrets.token_hex(3)}"
            shutil.copytree(template, folder)
            given = {"sandbox": True, "page": False, **overrides}
            settings = read_settings({}, data_dir=folder, **given)
            return stack.enter_context(Service(settings, Clock()))

        yield start_service


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[Service]:
    """One service for the tests of a module that do not mind each other."""
    folder = shutil.copytree(template, tmp_path_factory.mktemp("service") / "data")
    settings = read_settings({}, data_dir=folder, sandbox=True, page=False)
    with Service(settings, Clock()) as service:
        yield service


@pytest.fixture
def service(start: Callable[..., Service]) -> Service:
    """A service with an empty database."""
    return start()


def assert_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The body of a refusal, once it is one of that status and code in RFC 9457's form."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["code"] == code, body
    assert body["status"] == status
    assert body["type"] == f"urn:platepay:problem:{code}"
    assert body["title"]
    assert body["detail"]
    assert body["request_id"] == answer.headers["x-request-id"]
    return body


@pytest.fixture(scope="session")
def refused() -> Callable[[httpx.Response, int, str], dict[str, Any]]:
    return assert_problem


# The page, served by a process of its own -------------------------------------------------------------------


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory, template: Path, tools: Any) -> Iterator[Any]:
    """The whole service, page and all, as `uvicorn --factory` starts it."""
    folder = shutil.copytree(template, tmp_path_factory.mktemp("page") / "data")
    listener = tools.free_listener()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PLATEPAY_")}
    environment |= {"PLATEPAY_DATA_DIR": str(folder), "PLATEPAY_SANDBOX": "true"}
    command = [sys.executable, "-m", "uvicorn", "--factory", "api.app:app_from_environment"]
    command += ["--fd", str(listener.fileno()), "--log-level", "warning"]
    root = Path(__file__).parents[2]
    running = subprocess.Popen(command, cwd=root, env=environment, pass_fds=[listener.fileno()])
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:

        def answers() -> bool:
            assert running.poll() is None, "the service ended"
            with contextlib.suppress(httpx.HTTPError):
                return httpx.get(f"{url}/readyz", trust_env=False).is_success
            return False

        tools.until(answers, 60)
        # Only to know the devices' keys: the process that serves is another.
        parts = build_services(read_settings({}, data_dir=folder, sandbox=True, page=False))
        with tools.client_of(parts, url) as client:
            client.pid = running.pid
            client.stop = running.terminate
            yield client
        parts.close()
    finally:
        running.terminate()
        running.wait(20)
        listener.close()


@pytest.fixture
def tab(process: Any, browser: Any) -> Iterator[Any]:
    """A fresh tab at the login; what the page asks of other hosts, and its errors, are kept."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=process.url)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.strangers = []
    page.failures = []
    page.dialogs = []
    page.on(
        "request",
        lambda asked: (
            None if asked.url.startswith((process.url, "data:")) else page.strangers.append(asked.url)
        ),
    )
    page.on("pageerror", lambda error: page.failures.append(str(error)))
    page.on("dialog", lambda dialog: (page.dialogs.append(dialog.message), dialog.dismiss()))
    page.goto("/operator/")
    yield page
    assert page.strangers == []
    assert page.failures == []
    assert page.dialogs == []
    context.close()
