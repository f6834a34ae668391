"""A simulated pump with a bad line at the real service: the whole way over signed HTTP."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import httpx
import pytest

from api.pumps.controller import PumpController, ServiceSilent
from api.pumps.http_service import HttpService
from api.pumps.simulator import PumpSimulator


def _station(service: Any, **how: Any) -> HttpService:
    return HttpService(service.url, "demo", "pump-1", service.parts.devices.key_of("pump-1"), **how)


def test_a_fill_is_paid_once_over_a_bad_line(service: Any) -> None:
    account_id = service.account()
    address = f"/v1/accounts/{account_id}/vehicles/粤B12345/limits"
    body = {"grades": ["92"], "litres_per_fill": "10"}
    assert service.operator.post(address, body, key="l").status_code == 201
    pump = PumpSimulator(["1"], service.clock, ["answer_lost", "delayed", "fine", "twice", "lost"])
    controller = PumpController(pump, _station(service))
    service.arrive()
    for _ in range(6):
        controller.visit("1")
    assert [(one.litres_ml, one.grades) for one in pump.presets] == [(10_000, ("92",))]
    pump.lift_and_fuel("1")
    pump.hang_up("1", 60_000, "92", 800)
    assert controller.visit("1") == "cleared"
    assert service.wallet(account_id)["principal_fen"] == 92_000


def test_a_service_that_does_not_answer_is_silent_and_a_refusal_is_loud(service: Any) -> None:
    silent = _station(service, transport=httpx.MockTransport(lambda _: httpx.Response(503)))
    with pytest.raises(ServiceSilent):
        silent.allowed("1")
    with pytest.raises(httpx.HTTPStatusError):
        HttpService(service.url, "demo", "pump-1", "0" * 64).allowed("1")


def test_the_command_says_in_one_line_what_is_wrong() -> None:
    command = [sys.executable, "-m", "api.cli", "pump-simulator", "--key-file", "nowhere"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "nowhere is not a file" in done.stderr
