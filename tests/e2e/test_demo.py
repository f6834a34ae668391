"""The demo from outside: one process, one exit code, one JSON line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, Any], str]:
    """Exit code, result and what was printed for people."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PLATEPAY_")}
    result = subprocess.run(
        [sys.executable, "-m", "api.cli", "demo", "--headless", "--json"],
        cwd=tmp_path_factory.mktemp("demo"),
        env={**own, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    return result.returncode, json.loads(result.stdout.splitlines()[-1]), result.stderr


def test_every_car_ends_as_it_should(demo: tuple[int, dict[str, Any], str]) -> None:
    code, result, said = demo
    assert result["problems"] == [], said
    assert result["ok"] is True
    assert code == 0


def test_each_kind_of_car_is_among_them(demo: tuple[int, dict[str, Any], str]) -> None:
    cars = {car["car"]: car for car in demo[1]["cars"]}
    assert cars["registered car"]["captured_fen"] == 24_531
    assert cars["the same car again"]["captured_fen"] == 9_420
    assert cars["nose to tail, in front"]["captured_fen"] == 17_498
    assert cars["nose to tail, behind"]["captured_fen"] == 22_597
    assert cars["not a customer"]["outcome"] == "none"
    assert cars["not a customer"]["captured_fen"] == 0
    assert cars["too little balance"]["captured_fen"] == 0
    assert cars["plate too dirty to be sure"]["outcome"] == "review"
    assert cars["plate too dirty to be sure"]["captured_fen"] == 0
    assert all(car["sightings"] == 1 for car in cars.values())


def test_the_ledger_adds_up_afterwards(demo: tuple[int, dict[str, Any], str]) -> None:
    audit = demo[1]["audit"]
    assert audit["ok"] is True
    assert len(audit["checks"]) >= 7
    assert all(check["ok"] for check in audit["checks"])


def test_the_balances_are_what_was_recharged_less_what_was_taken(
    demo: tuple[int, dict[str, Any], str],
) -> None:
    cars = {car["car"]: car for car in demo[1]["cars"]}
    assert cars["registered car"]["balance_after_fen"] == 50_000 - 24_531
    assert cars["the same car again"]["balance_after_fen"] == 50_000 - 24_531 - 9_420
    assert cars["too little balance"]["balance_after_fen"] == 2_000
    assert cars["plate too dirty to be sure"]["balance_after_fen"] == 80_000


def test_ended_from_outside_it_leaves_no_process_behind(tmp_path: Path) -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith("PLATEPAY_")}
    demo = psutil.Popen(
        [sys.executable, "-m", "api.cli", "demo", "--headless"],
        cwd=tmp_path,
        env={**own, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    # The line that names the camera comes when the service is up and the worker is about to start.
    for line in demo.stdout:
        if "camera on rtsp://" in line:
            break
    children = demo.children(recursive=True)
    assert children
    demo.terminate()
    assert demo.wait(30) == 128 + signal.SIGTERM
    _, alive = psutil.wait_procs(children, timeout=20)
    assert alive == []
    assert list(tmp_path.glob("platepay-demo-*")) == []
    demo.stdout.close()
