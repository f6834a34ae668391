"""The operator page, served by a process of its own and seen in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest


def log_in(tab: Any, password: str) -> None:
    tab.fill("#name", "wang")
    tab.fill("#password", password)
    tab.click("button[type=submit]")


@pytest.mark.browser
def test_a_wrong_password_is_refused(tab: Any) -> None:
    assert tab.url.endswith("/operator/login")
    log_in(tab, "not the password")
    tab.wait_for_selector("[role=alert]")
    assert "Wrong name or password" in tab.inner_text("[role=alert]")
    tab.goto("/operator/")
    assert tab.url.endswith("/operator/login")


@pytest.mark.browser
def test_a_car_arrives_live_and_its_money_follows(process: Any, tab: Any, tools: Any) -> None:
    process.account(name="<script>alert(1)</script>", plate="京A88888", colour="yellow")
    log_in(tab, tools.password)
    tab.wait_for_selector(".pp-live")
    tab.evaluate("window.marker = 'the same document'")
    assert tab.locator("[data-testid=row]").count() == 0

    seen = process.arrive("京A88888", colour="yellow", camera="lane-live", pump="3")
    row = tab.locator(f"[data-sighting='{seen['sighting_id']}']")
    row.wait_for()
    text = row.inner_text()
    assert "京A·88888" in text
    assert "99.97 %" in text
    assert "自动" in text
    assert "¥400.00" in text
    assert "<script>alert(1)</script>" in text
    assert tab.locator(".pp-row script").count() == 0

    process.pump.post("/v1/sales", process.sale(pump="3"))
    row.get_by_text("¥245.31").wait_for()
    row.get_by_text("已扣款").wait_for()
    assert tab.evaluate("window.marker") == "the same document"
    image = row.locator("img")
    assert image.get_attribute("src").startswith("/v1/evidence/")


@pytest.mark.browser
def test_filters_leave_only_what_fits(process: Any, tab: Any, tools: Any) -> None:
    first = process.arrive("鲁Q4D635", camera="lane-filter")
    second = process.arrive("粤Z12345", camera="lane-filter", wrong_ppm=2_000)
    log_in(tab, tools.password)
    row_of = {
        one["sighting_id"]: tab.locator(f"[data-sighting='{one['sighting_id']}']") for one in (first, second)
    }
    for row in row_of.values():
        row.wait_for()
    tab.get_by_test_id("filter-plate").fill("q4d")
    row_of[second["sighting_id"]].wait_for(state="detached")
    assert row_of[first["sighting_id"]].is_visible()
    tab.get_by_test_id("filter-plate").fill("粤Z12345")
    row_of[second["sighting_id"]].wait_for()
    row_of[first["sighting_id"]].wait_for(state="detached")
    tab.get_by_test_id("filter-plate").fill("无此车牌")
    tab.get_by_text("No cars here yet").wait_for()
    tab.get_by_test_id("filter-plate").fill("")
    row_of[first["sighting_id"]].wait_for()
    tab.get_by_test_id("filter-decision").click()
    tab.get_by_role("option", name=re.compile("Review")).click()
    row_of[first["sighting_id"]].wait_for(state="detached")


@pytest.mark.browser
def test_a_time_range_of_ones_own_leaves_only_what_fits(process: Any, tab: Any, tools: Any) -> None:
    seen = process.arrive("鲁Q4D635")
    log_in(tab, tools.password)
    row = tab.locator(f"[data-sighting='{seen['sighting_id']}']")
    row.wait_for()
    assert tab.get_by_test_id("filter-since").is_hidden()
    tab.get_by_test_id("filter-time").click()
    tab.get_by_role("option", name=re.compile("From")).click()
    tab.get_by_test_id("filter-until").fill("2020-01-01T00:00")
    row.wait_for(state="detached")
    tab.get_by_test_id("filter-until").fill("2120-01-01T00:00")
    tab.get_by_test_id("filter-since").fill("2020-01-01T00:00")
    row.wait_for()


@pytest.mark.browser
def test_the_evidence_opens_with_every_characters_chance(process: Any, tab: Any, tools: Any) -> None:
    seen = process.arrive(
        "苏E05EV8", positions=[[[c, 900_000], ["8", 90_000]] for c in "苏E05EV8"], wrong_ppm=400_000
    )
    log_in(tab, tools.password)
    row = tab.locator(f"[data-sighting='{seen['sighting_id']}']")
    row.get_by_test_id("thumb").click()
    details = tab.get_by_test_id("details")
    details.wait_for()
    assert details.get_by_test_id("position").count() == 7
    text = details.inner_text()
    assert "90.00 %" in text
    assert seen["sighting_id"] in text
    assert details.locator("img").count() == 2
    tab.get_by_text("Close").click()
    details.wait_for(state="detached")


@pytest.mark.browser
def test_a_phone_shows_the_log_without_sideways_scrolling(process: Any, tab: Any, tools: Any) -> None:
    process.arrive("鲁Q4D635")
    tab.set_viewport_size({"width": 400, "height": 800})
    log_in(tab, tools.password)
    tab.locator("[data-testid=row]").first.wait_for()
    # Once the fonts are there: text in the fallback font may be wider for a moment.
    tab.wait_for_function("document.fonts.status === 'loaded'")
    tab.wait_for_function("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.browser
def test_logging_out_closes_the_log_and_the_pictures(process: Any, tab: Any, tools: Any) -> None:
    seen = process.arrive("鲁Q4D635")
    log_in(tab, tools.password)
    tab.locator(f"[data-sighting='{seen['sighting_id']}']").wait_for()
    cookies = tab.context.cookies()
    [cookie] = [one for one in cookies if one["name"] == "platepay_session"]
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"
    tab.get_by_text("Log out").click()
    tab.wait_for_url("**/operator/login")
    answer = httpx.get(
        f"{process.url}/v1/accounts", headers={"Cookie": f"platepay_session={cookie['value']}"}
    )
    assert answer.status_code == 401


def test_without_a_login_the_log_is_not_shown(process: Any) -> None:
    answer = process.http.get("/operator/")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/operator/login"
    assert answer.headers["x-frame-options"] == "DENY"
    assert process.http.get("/").headers["location"] == "/operator/"


def test_a_login_from_another_site_is_refused(process: Any, tools: Any) -> None:
    form = {"name": "wang", "password": tools.password}
    for strange in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = process.http.post("/operator/login", data=form, headers=strange)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
    assert process.http.post("/operator/login", data=form).status_code == 303


def test_a_name_typed_at_the_login_is_text(process: Any) -> None:
    form = {"name": '"><script>alert(1)</script>', "password": "x"}
    answer = process.http.post("/operator/login", data=form)
    assert answer.status_code == 401
    assert "<script>" not in answer.text


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_the_service_stays_small(process: Any) -> None:
    status = Path(f"/proc/{process.pid}/status").read_text()
    resident_kb = int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0])
    assert resident_kb < 400 * 1024
