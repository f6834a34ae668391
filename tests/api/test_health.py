"""Health, readiness, metrics, and what the service process does not load."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from wallet.errors import DurabilityTooLow

HEAVY = ("cv2", "openvino", "onnxruntime", "av", "torch", "ultralytics", "paddle")


def test_alive_and_ready(shared: Any) -> None:
    assert shared.http.get("/healthz").json() == {"state": "alive"}
    assert shared.http.get("/readyz").json() == {"state": "ready"}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DurabilityTooLow("synchronous", "OFF", "FULL"), "durability_too_low"),
        (OperationalError("INSERT", {}, Exception("disk I/O error")), "database_unavailable"),
    ],
)
def test_a_database_that_cannot_keep_money_is_not_ready(
    shared: Any, refused: Any, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("api.wiring.check_durability", fail)
    refused(shared.http.get("/readyz"), 503, code)
    assert shared.http.get("/healthz").status_code == 200


def test_a_service_on_a_weak_database_does_not_start(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def weak(_engine: object) -> None:
        raise DurabilityTooLow("synchronous", "OFF", "FULL")

    monkeypatch.setattr("wallet.store.database.check_durability", weak)
    with pytest.raises(DurabilityTooLow):
        start()


def metrics_of(service: Any) -> dict[str, float]:
    lines = service.http.get("/metrics").text.splitlines()
    return {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")
    }


def test_metrics_count_what_happened(service: Any, tools: Any) -> None:
    service.account()
    service.arrive()
    assert metrics_of(service)["platepay_holds_fen"] == 40_000
    sale = service.sale()
    service.pump.post("/v1/sales", sale)
    service.pump.post("/v1/sales", sale)
    service.arrive("鲁Q4D635")
    service.http.get("/no/such/place/1")
    health = {
        "station": "demo", "state": "frozen", "frames": 1, "dropped": 0, "broken_frames": 0,
        "reconnects": 0, "width": None, "height": None,
        "last_frame_at": tools.rfc3339(service.clock() - timedelta(seconds=90)),
    }  # fmt: skip
    assert service.camera.post("/v1/cameras/lane-1/health", health).status_code == 200
    found = metrics_of(service)
    assert found['platepay_sightings_total{outcome="auto"}'] == 1
    assert found['platepay_sightings_total{outcome="none"}'] == 1
    assert found['platepay_sales_total{state="captured"}'] == 1
    assert found["platepay_captured_fen_total"] == 24_531
    assert found["platepay_holds_fen"] == 0
    assert found["platepay_decision_seconds_count"] == 2
    assert found['platepay_camera_state{camera="lane-1",state="frozen"}'] == 1
    assert found['platepay_camera_state{camera="lane-1",state="ok"}'] == 0
    assert 89 <= found['platepay_camera_last_frame_age_seconds{camera="lane-1"}'] <= 95
    assert found['platepay_http_requests_total{method="POST",route="/v1/sales",status="201"}'] == 1
    assert found['platepay_http_requests_total{method="GET",route="unknown",status="404"}'] == 1


def test_two_services_in_one_process_count_apart(start: Any) -> None:
    first, second = start(), start()
    first.arrive("鲁Q4D635")
    assert metrics_of(first)['platepay_sightings_total{outcome="none"}'] == 1
    assert 'platepay_sightings_total{outcome="none"}' not in metrics_of(second)


def test_a_janitor_that_fails_goes_on_and_is_counted(
    start: Any, tools: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = start(janitor_every_s=1)
    sweep = service.parts.wallet.sweep

    def fail(_now: object) -> None:
        raise OSError("disk gone")

    monkeypatch.setattr(service.parts.wallet, "sweep", fail)
    tools.until(lambda: metrics_of(service)["platepay_janitor_failures_total"] >= 1)
    monkeypatch.setattr(service.parts.wallet, "sweep", sweep)
    rounds = service.parts.janitor.rounds
    tools.until(lambda: service.parts.janitor.rounds > rounds)


def test_the_service_loads_no_neural_network_and_no_video() -> None:
    program = (
        "import json, sys, tempfile; from pathlib import Path; "
        "from api.settings import read_settings; from api.app import create_app; "
        "app = create_app(read_settings({}, data_dir=Path(tempfile.mkdtemp()))); app.openapi(); "
        "print(json.dumps(sorted(name.partition('.')[0] for name in sys.modules)))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert loaded.isdisjoint(HEAVY)
    assert {"fastapi", "nicegui", "wallet"} <= loaded
