"""A station for the demo and the benchmark: the service, one camera worker, devices, an operator."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import httpx

from api.commands.failures import CommandError
from api.demo.pump import DeviceIdentity
from api.demo.script import CAMERA, STATION, Customer
from api.settings import Settings, read_settings
from cameras.forecourt import PUMPS, zones

OPERATOR = "demo"
REENTRY_S = 3
READY_WITHIN_S = 40.0
STOP_WITHIN_S = 10.0


class DemoStation:
    """Starts and stops the processes; everything they write lies in one folder.

    folder: empty; the caller removes it. port: of the service, on loopback. page: serve the operator page.
    """

    def __init__(self, folder: Path, port: int, *, page: bool) -> None:
        self.folder = folder
        self.settings: Settings = read_settings(
            {},
            data_dir=folder / "data",
            port=port,
            sandbox=True,
            page=page,
            reentry_s=REENTRY_S,
            janitor_every_s=1,
            leave_grace_s=REENTRY_S,
        )
        self.url = f"http://127.0.0.1:{port}"
        self.password = secrets.token_urlsafe(9)
        self.http = httpx.Client(base_url=self.url, timeout=20)
        self._processes: list[tuple[str, subprocess.Popen[bytes]]] = []

    def __enter__(self) -> DemoStation:
        # Ended from outside: leave by the way that ends the processes too.
        signal.signal(signal.SIGTERM, _leave)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def register(self) -> dict[str, DeviceIdentity]:
        """Create the database, the operator, and one device a role; gives the devices by role."""
        from api.wiring import build_services

        services = build_services(self.settings)
        try:
            services.operators.add(OPERATOR, self.password)
            camera = services.devices.add("demo-camera", "camera", STATION).encode()
            pump = services.devices.add("demo-pump", "pump", STATION).encode()
            return {
                "camera": DeviceIdentity("demo-camera", camera),
                "pump": DeviceIdentity("demo-pump", pump),
            }
        finally:
            services.close()

    def start_service(self) -> None:
        """Start `platepay serve` as a process of its own; `wait_until_ready` waits for it."""
        self._start("service", ["serve"])

    def start_camera(self, camera: DeviceIdentity, stream_url: str) -> None:
        """Start `platepay watch` on the stream as a process of its own."""
        file = self.folder / "cameras.toml"
        file.write_text(cameras_toml(self.url, camera, stream_url), encoding="utf-8")
        file.chmod(0o600)
        self._start("camera", ["watch", "--cameras", str(file), "--camera", CAMERA])

    def wait_until_ready(self) -> None:
        """Wait for the service. Raises CommandError with the end of its log where it does not come up."""
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            self.check_alive()
            with suppress(httpx.TransportError):
                if self.http.get("/readyz").status_code == httpx.codes.OK:
                    return
            time.sleep(0.1)
        raise CommandError(
            f"the service was not ready within {READY_WITHIN_S:.0f} s:\n{self._tail('service')}"
        )

    def log_in(self) -> None:
        """Log the operator in; later requests carry the token."""
        answer = self._answer("POST", "/v1/sessions", {"name": OPERATOR, "password": self.password})
        self.http.headers["Authorization"] = f"Bearer {answer['token']}"

    def welcome(self, customer: Customer) -> str:
        """Open an account, bind the plate, recharge through the sandbox; gives the account's id."""
        account = self._answer("POST", "/v1/accounts", {"name": customer.name}, key=f"open-{customer.plate}")
        account_id = str(account["account_id"])
        self._answer(
            "POST",
            f"/v1/accounts/{account_id}/vehicles",
            {"plate": customer.plate, "colour": customer.colour},
            key=f"bind-{customer.plate}",
        )
        order = self._answer(
            "POST",
            f"/v1/accounts/{account_id}/recharge-orders",
            {"amount_fen": customer.recharge_fen, "channel": "sandbox"},
            key=f"recharge-{customer.plate}",
        )
        self._answer("POST", f"/v1/channels/sandbox/orders/{order['order_id']}/pay", None)
        return account_id

    def matches(self) -> list[dict[str, Any]]:
        """The match log, oldest first."""
        return list(reversed(self.get("/v1/matches?limit=500")["matches"]))

    def available_fen(self, account_id: str) -> int:
        """What the account can spend."""
        return int(self.get(f"/v1/accounts/{account_id}/wallet")["available_fen"])

    def get(self, path: str) -> dict[str, Any]:
        """The JSON object at a path of the service."""
        return self._answer("GET", path, None)

    def check_alive(self) -> None:
        """Raises CommandError where a process has ended by itself."""
        for name, process in self._processes:
            if process.poll() is not None:
                raise CommandError(f"the {name} ended with code {process.returncode}:\n{self._tail(name)}")

    def pids(self) -> dict[str, int]:
        """The processes by name."""
        return {name: process.pid for name, process in self._processes}

    def stop(self, name: str) -> None:
        """Ask one process to end and wait for it."""
        for found, process in self._processes:
            if found == name:
                _end(process)
        self._processes = [(found, process) for found, process in self._processes if found != name]

    def close(self) -> None:
        """End what still runs, the camera first."""
        self.http.close()
        for _, process in reversed(self._processes):
            _end(process)
        self._processes = []

    def _start(self, name: str, arguments: Sequence[str]) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - our own program with our own arguments
                [sys.executable, "-m", "api.cli", *arguments],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=self._environment(),
                cwd=self.folder,
                start_new_session=True,
            )
        self._processes.append((name, process))

    def _environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("PLATEPAY_")}
        told = ("data_dir", "port", "sandbox", "page", "reentry_s", "janitor_every_s", "leave_grace_s")
        return {
            **own,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            **{f"PLATEPAY_{name.upper()}": str(getattr(self.settings, name)) for name in told},
        }

    def _answer(
        self, method: str, path: str, body: dict[str, Any] | None, key: str | None = None
    ) -> dict[str, Any]:
        headers = {} if key is None else {"Idempotency-Key": f"demo-{key.encode().hex()}"}
        answer = self.http.request(method, path, json=body, headers=headers)
        if answer.is_error:
            raise CommandError(f"{method} {path} was answered {answer.status_code}: {answer.text}")
        return dict(answer.json())

    def _tail(self, name: str) -> str:
        text = (self.folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-15:])


def cameras_toml(service_url: str, camera: DeviceIdentity, stream_url: str) -> str:
    """The cameras.toml of the demo, as a station would write it."""
    lines = [
        "[service]",
        f"url = {json.dumps(service_url)}",
        f"device = {json.dumps(camera.device)}",
        f"key = {json.dumps(camera.key.decode())}",
        "",
        "[[camera]]",
        f"name = {json.dumps(CAMERA)}",
        f"station = {json.dumps(STATION)}",
        f"url = {json.dumps(stream_url)}",
        "frames_per_second = 10",
        f"reentry_s = {REENTRY_S}",
        "decide_within_s = 5",
    ]
    for zone in zones(PUMPS):
        polygon = ", ".join(f"[{x}, {y}]" for x, y in zone.polygon)
        lines += ["", "[[camera.zone]]", f"name = {json.dumps(zone.name)}", f"polygon = [{polygon}]"]
    return "\n".join(lines) + "\n"


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
