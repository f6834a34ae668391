"""The review page in a real browser: what it shows, buttons and keys, a double click, every width."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

WIDTHS = (320, 400, 768, 1024, 1440)


def any_plate() -> str:
    """A plate of its own, without an 8: that is what it is nearly read as."""
    return "粤B" + "".join(secrets.choice("012345679") for _ in range(5))


@pytest.fixture
def page(process: Any, tab: Any, tools: Any) -> Any:
    """The queue, logged in and empty: what earlier tests left is rejected."""
    for line in process.operator.get("/v1/review-queue").json()["items"]:
        process.operator.post(f"/v1/reviews/{line['review_id']}/answers", {"action": "reject"})
    tab.fill("#name", "wang")
    tab.fill("#password", tools.password)
    tab.click("button[type=submit]")
    tab.wait_for_selector(".pp-live")
    tab.goto("/operator/review")
    tab.get_by_text("Nothing waits").wait_for()
    return tab


@pytest.fixture
def doubtful(process: Any) -> Any:
    """An unsure sighting of a plate; gives its plate, its account and its item."""
    numbers = iter(range(10_000))

    def see(text: str | None = None, pump: str | None = None, **changes: Any) -> dict[str, Any]:
        plate = text or any_plate()
        account = process.account(plate=plate)
        positions = [[[character, 900_000], ["8", 60_000]] for character in plate]
        pump = pump or f"{secrets.token_hex(3)}{next(numbers)}"
        seen = process.arrive(plate, wrong_ppm=60_000, positions=positions, pump=pump, **changes)
        assert seen["match"]["outcome"] == "review", seen
        [review] = [
            one
            for one in process.operator.get("/v1/reviews").json()["reviews"]
            if one["sighting_id"] == seen["sighting_id"]
        ]
        return {"plate": plate, "account": account, "review_id": review["review_id"], "pump": pump}

    return see


def _state(process: Any, one: dict[str, Any]) -> Any:
    shown = process.operator.get(f"/v1/reviews/{one['review_id']}").json()
    return shown["end"]["ended_as"] if shown["end"] else shown["state"]


def _line(page: Any, one: dict[str, Any]) -> Any:
    return page.locator(f"[data-review='{one['review_id']}']")


@pytest.mark.browser
def test_an_item_shows_what_was_read_the_sum_and_its_pictures(page: Any, doubtful: Any) -> None:
    one = doubtful()
    _line(page, one).wait_for()
    sheet = page.get_by_test_id("sheet")
    sheet.wait_for()
    text = sheet.inner_text()
    shown = f"{one['plate'][:2]}·{one['plate'][2:]}"
    assert shown in text
    assert "90.00 %" in text
    assert "expected loss ¥" in text
    assert "Registered" in text or "wrong with 60000 ppm" in text
    assert sheet.get_by_test_id("position").count() == 7
    assert sheet.locator("img").count() == 2
    assert "Waiting 1" in page.get_by_test_id("counts").inner_text()
    assert ":" in _line(page, one).get_by_test_id("due").inner_text()


@pytest.mark.browser
def test_a_key_confirms_and_the_money_is_reserved(page: Any, process: Any, doubtful: Any) -> None:
    one = doubtful()
    _line(page, one).wait_for()
    page.get_by_test_id("do-confirm").wait_for()
    page.keyboard.press("1")
    _line(page, one).wait_for(state="detached")
    assert _state(process, one) == "visit_opened"
    assert process.wallet(one["account"])["held_fen"] == 40_000


@pytest.mark.browser
def test_a_double_click_answers_one_item_once(page: Any, process: Any, doubtful: Any) -> None:
    first, second = doubtful(), doubtful()
    _line(page, second).wait_for()
    _line(page, first).click()
    page.get_by_test_id("suggestion").get_by_text(first["plate"][2:]).wait_for()
    page.get_by_test_id("do-confirm").dblclick()
    _line(page, first).wait_for(state="detached")
    page.get_by_test_id("suggestion").get_by_text(second["plate"][2:]).wait_for()
    assert (_state(process, first), _state(process, second)) == ("visit_opened", "open")
    assert process.wallet(first["account"])["held_fen"] == 40_000
    assert process.wallet(second["account"])["held_fen"] == 0


@pytest.mark.browser
def test_arrows_move_and_three_rejects(page: Any, process: Any, doubtful: Any) -> None:
    first, second = doubtful(), doubtful()
    _line(page, second).wait_for()
    page.get_by_test_id("suggestion").get_by_text(first["plate"][2:]).wait_for()
    page.keyboard.press("ArrowDown")
    page.get_by_test_id("suggestion").get_by_text(second["plate"][2:]).wait_for()
    assert _line(page, second).get_attribute("aria-selected") == "true"
    page.keyboard.press("3")
    _line(page, second).wait_for(state="detached")
    assert (_state(process, first), _state(process, second)) == ("open", "rejected")


@pytest.mark.browser
def test_a_typed_plate_corrects_and_its_digits_are_no_keys(page: Any, process: Any, doubtful: Any) -> None:
    one = doubtful()
    right = any_plate()
    account = process.account(plate=right)
    _line(page, one).wait_for()
    page.get_by_test_id("do-correct").wait_for()
    page.keyboard.press("2")
    page.get_by_test_id("right-plate").fill("")
    page.get_by_test_id("right-plate").press_sequentially(right)
    assert _state(process, one) == "open"
    page.get_by_test_id("send-plate").click()
    _line(page, one).wait_for(state="detached")
    assert process.wallet(account)["held_fen"] == 40_000
    assert process.wallet(one["account"])["held_fen"] == 0


@pytest.mark.browser
def test_a_wrong_debit_is_reversed_by_key_and_button(page: Any, process: Any) -> None:
    plate = any_plate()
    account = process.account(plate=plate, fen=20_000)
    pump = secrets.token_hex(4)
    process.arrive(plate, pump=pump)
    process.pump.post("/v1/sales", process.sale(pump=pump))
    page.get_by_test_id("do-reverse").wait_for()
    assert page.get_by_test_id("do-confirm").count() == 0
    page.keyboard.press("r")
    page.get_by_test_id("send-reverse").dblclick()
    page.get_by_text("Nothing waits").wait_for()
    assert process.wallet(account)["available_fen"] == 20_000


@pytest.mark.browser
def test_another_persons_answer_is_told(page: Any, process: Any, doubtful: Any) -> None:
    one = doubtful()
    _line(page, one).wait_for()
    page.get_by_test_id("do-confirm").wait_for()
    process.operator.post(f"/v1/reviews/{one['review_id']}/answers", {"action": "reject"})
    _line(page, one).wait_for(state="detached")
    page.keyboard.press("1")
    page.get_by_text("已由他人处理").wait_for()
    assert _state(process, one) == "rejected"


@pytest.mark.browser
@pytest.mark.parametrize("width", WIDTHS)
def test_no_width_scrolls_sideways(page: Any, doubtful: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    _line(page, doubtful()).wait_for()
    page.get_by_test_id("do-confirm").wait_for()
    page.keyboard.press("2")
    page.get_by_test_id("panel-correct").wait_for()
    page.wait_for_function("document.fonts.status === 'loaded'")
    page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")
    if shots := pytest_shots():
        page.screenshot(path=f"{shots}/review-{width}.png", full_page=True)


def pytest_shots() -> str | None:
    """Where pictures of the page are kept, when somebody wants to look at them."""
    import os

    return os.environ.get("PLATEPAY_TEST_SHOTS")


@pytest.mark.browser
def test_the_log_gives_a_wrong_debit_back_in_one_click(page: Any, process: Any) -> None:
    plate, pump = any_plate(), secrets.token_hex(4)
    account = process.account(plate=plate)
    seen = process.arrive(plate, pump=pump)
    process.pump.post("/v1/sales", process.sale(pump=pump))
    assert process.wallet(account)["available_fen"] == 75_469
    page.goto("/operator/")
    page.locator(f"[data-sighting='{seen['sighting_id']}']").get_by_test_id("thumb").click()
    page.get_by_test_id("reverse").dblclick()
    page.get_by_test_id("reversed").get_by_text("money given back").wait_for()
    assert process.wallet(account)["available_fen"] == 100_000


@pytest.mark.browser
def test_the_log_and_the_review_lead_to_each_other(page: Any) -> None:
    page.get_by_role("link", name="记录 Log").click()
    page.wait_for_url("**/operator/")
    page.get_by_role("link", name="复核 Review").click()
    page.wait_for_url("**/operator/review")


def test_without_a_login_the_queue_is_not_shown(process: Any) -> None:
    answer = process.http.get("/operator/review")
    assert (answer.status_code, answer.headers["location"]) == (303, "/operator/login")
