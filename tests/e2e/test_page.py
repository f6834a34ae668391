"""A car of a real stream arrives on the operator page in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from api.demo.run import free_port
from api.demo.script import Customer
from api.demo.station import OPERATOR, DemoStation
from cameras.forecourt import Script, ScriptedCar
from cameras.rtsp_server import RtspServer
from cameras.simulator import rendered

DRIVER = Customer("陈师傅 Chen", "粤B8K562", "blue", 50_000)
ARRIVES_WITHIN_MS = 60_000


@pytest.mark.browser
def test_a_car_arrives_from_the_stream_while_the_page_is_open(browser: Any, tmp_path: Path) -> None:
    film = rendered(Script((ScriptedCar(DRIVER.plate, DRIVER.colour, "1", arrives_s=4.0, leaves_s=20.0),)))
    with DemoStation(tmp_path, free_port(), page=True) as station:
        devices = station.register()
        station.start_service()
        station.wait_until_ready()
        station.log_in()
        station.welcome(DRIVER)
        page = browser.new_context(base_url=station.url).new_page()
        page.goto("/operator/")
        page.fill("#name", OPERATOR)
        page.fill("#password", station.password)
        page.click("button[type=submit]")
        page.wait_for_selector(".pp-live")
        assert DRIVER.plate not in page.inner_text("body")
        with RtspServer(film.parent) as server:
            station.start_camera(devices["camera"], server.url(film.name))
            page.get_by_text(DRIVER.plate).first.wait_for(timeout=ARRIVES_WITHIN_MS)
            (match,) = station.matches()
            assert match["outcome"] == "auto"
            assert match["hold_fen"] == 40_000
        page.context.close()
