"""The work of reviewers over HTTP: queue, answers, reversals, known cases, scores, rights."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.auth import token_hash

# Tags and paths of what devices, payment channels, and people who log in call.
NOT_OF_PEOPLE = {
    "cameras",
    "pumps",
    "sessions",
    "/v1/evidence/{sha256}",
    "/v1/channels/{channel}/callbacks",
    "/v1/channels/sandbox/orders/{order_id}/pay",
}


@pytest.fixture
def people(service: Any) -> Any:
    """Gives a client for an operator of a role, logged in."""

    def of(name: str, role: str) -> Any:
        parts = service.parts
        now = parts.clock()
        operator = parts.operators.add(name, "correct horse battery", role)
        token = secrets.token_urlsafe(16)
        parts.access.start_session(operator.id, token_hash(token), now, now + timedelta(days=1))
        return type(service.operator)(service.http, token)

    return of


def _doubtful(service: Any, text: str = "粤B12345", **changes: Any) -> dict[str, Any]:
    """An unsure sighting; gives its line of the queue."""
    seen = service.arrive(text, wrong_ppm=60_000, **changes)
    assert seen["match"]["outcome"] == "review", seen
    [line] = [
        one
        for one in service.operator.get("/v1/review-queue").json()["items"]
        if service.operator.get(f"/v1/reviews/{one['review_id']}").json()["sighting_id"]
        == seen["sighting_id"]
    ]
    return line


def _answer(who: Any, review_id: str, action: str, key: str | None = None, **more: Any) -> Any:
    return who.post(f"/v1/reviews/{review_id}/answers", {"action": action, **more}, key)


def test_an_item_is_shown_in_full_and_a_confirmation_reserves_money(service: Any) -> None:
    account = service.account()
    line = _doubtful(service)
    assert (line["text"], line["suggestion"], line["kind"]) == ("粤B12345", "粤B12345", "sighting")
    assert not line["is_overdue"]
    shown = service.operator.get(f"/v1/reviews/{line['review_id']}").json()
    assert shown["allowed"] == ["confirm", "correct", "reject"]
    assert len(shown["sighting"]["positions"]) == 7
    assert shown["candidates"][0]["plate"] == "粤B12345"
    assert shown["reasons"][0]["code"] == "unsure_reading"
    done = _answer(service.operator, line["review_id"], "confirm", key="k").json()
    assert (done["outcome"], done["review"]["ended_as"], done["review"]["hold_fen"]) == (
        "done",
        "visit_opened",
        40_000,
    )
    assert service.wallet(account)["held_fen"] == 40_000
    assert _answer(service.operator, line["review_id"], "confirm", key="k").json() == done
    again = _answer(service.operator, line["review_id"], "confirm")
    assert (again.status_code, again.json()["code"]) == (200, "already_decided")
    assert service.operator.get("/v1/review-queue").json() == {"items": [], "next_after": None}
    end = service.operator.get(f"/v1/reviews/{line['review_id']}").json()["end"]
    assert end["visit_id"] == done["review"]["visit_id"]


def test_a_wrong_debit_goes_back_once_and_is_never_made_again(service: Any) -> None:
    account = service.account()
    visit_id = service.arrive()["visit_id"]
    service.pump.post("/v1/sales", service.sale())
    body = {"reason": "another car was charged", "plate": "粤B12346"}
    answers = [service.operator.post(f"/v1/visits/{visit_id}/reversal", body, "click") for _ in range(3)]
    assert [one.json() for one in answers] == [answers[0].json()] * 3
    assert answers[0].json()["review"]["moved_fen"] == 24_531
    other = service.operator.post(f"/v1/visits/{visit_id}/reversal", body).json()
    assert other["code"] == "already_reversed"
    assert service.wallet(account)["available_fen"] == 100_000
    again = service.arrive(pump="2")
    assert (again["match"]["outcome"], again["visit_id"]) == ("review", None)
    assert [reason["code"] for reason in again["match"]["reasons"]] == ["corrected_before"]


def test_above_an_amount_two_people_must_agree(start: Any) -> None:
    service = start(two_person_fen=10_000)
    account = service.account()
    line = _doubtful(service)
    first = _answer(service.operator, line["review_id"], "confirm").json()
    assert first["review"]["state"] == "waiting"
    assert service.wallet(account)["held_fen"] == 0
    assert _answer(service.operator, line["review_id"], "confirm").json()["code"] == "already_answered"


def test_who_has_not_the_right_is_refused(service: Any, people: Any, refused: Any) -> None:
    account = service.account()
    line = _doubtful(service)
    reviewer, finance = people("li", "reviewer"), people("chen", "finance")
    auditor, nobody = people("zhou", "auditor"), people("wu", "janitor")
    case = {"sighting_id": "x", "suggestion": None, "right_action": "reject"}
    bonus = {"amount_fen": 1, "station": "demo", "purpose": "x"}
    for who in (finance, auditor, nobody):
        refused(_answer(who, line["review_id"], "confirm"), 403, "not_allowed")
        refused(who.post("/v1/visits/x/reversal", {"reason": "x"}), 403, "not_allowed")
    for who in (reviewer, finance, auditor):
        refused(who.post("/v1/known-cases", case), 403, "not_allowed")
        refused(who.get("/v1/known-cases"), 403, "not_allowed")
    for who in (reviewer, auditor, nobody):
        refused(who.post(f"/v1/accounts/{account}/charges", bonus), 403, "not_allowed")
        refused(who.post("/v1/accounts", {"name": "x"}), 403, "not_allowed")
        refused(who.delete("/v1/vehicles/粤B12345"), 403, "not_allowed")
        assert who.get("/v1/review-queue").status_code == 200
    assert _answer(reviewer, line["review_id"], "reject").json()["outcome"] == "done"
    assert finance.post(f"/v1/accounts/{account}/charges", bonus).json()["outcome"] == "done"


def test_an_auditor_is_refused_whatever_changes_something(service: Any, people: Any, refused: Any) -> None:
    auditor = people("zhou", "auditor")
    paths = service.http.get("/openapi.json").json()["paths"]
    tried = set()
    for path, methods in paths.items():
        for method, route in methods.items():
            if method == "get" or not NOT_OF_PEOPLE.isdisjoint({path, *route.get("tags", ())}):
                continue
            address = re.sub(r"{\w+}", "x", path)
            refused(
                auditor.delete(address) if method == "delete" else auditor.post(address, {}),
                403,
                "not_allowed",
            )
            tried.add(f"{method} {path}")
    assert {"post /v1/accounts/{account_id}/recharge-orders", "delete /v1/accounts/{account_id}"} <= tried


def test_known_cases_score_who_answers_them(service: Any, people: Any) -> None:
    service.account()
    sighting_id = service.arrive()["sighting_id"]
    case = {
        "sighting_id": sighting_id, "suggestion": "粤B1234S", "right_action": "correct",
        "right_plate": "粤B12345",
    }  # fmt: skip
    planted = service.operator.post("/v1/known-cases", case, "p")
    assert planted.status_code == 201, planted.text
    assert service.operator.post("/v1/known-cases", case, "p").json() == planted.json()
    reviewer = people("li", "reviewer")
    [line] = reviewer.get("/v1/review-queue").json()["items"]
    shown = reviewer.get(f"/v1/reviews/{line['review_id']}").json()
    assert (shown["kind"], shown["suggestion"], shown["state"]) == ("sighting", "粤B1234S", "open")
    assert "right" not in json.dumps(shown)
    done = _answer(reviewer, line["review_id"], "correct", plate="粤B12345").json()
    assert (done["review"]["state"], done["review"]["is_right"]) == ("known", True)
    assert service.operator.get("/v1/known-cases").json()["cases"][0]["right_plate"] == "粤B12345"
    [score] = reviewer.get("/v1/reviewers").json()["reviewers"]
    assert (score["reviewer"], score["right"], score["wrong"], score["right_ppm"]) == ("li", 1, 0, 1_000_000)
    assert 200_000 < score["low_ppm"] < 210_000
    assert people("chen", "reviewer").get("/v1/reviewers").json() == {"reviewers": []}


def test_overdue_items_are_counted_where_operations_look(service: Any) -> None:
    service.arrive(None)
    service.arrive(None, pump="2")
    service.clock.forward(seconds=119)
    counts = service.operator.get("/v1/review-queue/counts").json()["kinds"]
    assert counts == [{"kind": "sighting", "open": 2, "overdue": 0}]
    service.clock.forward(seconds=10)
    counts = service.operator.get("/v1/review-queue/counts").json()["kinds"]
    assert counts == [{"kind": "sighting", "open": 2, "overdue": 2}]
    page = service.http.get("/metrics").text
    assert 'platepay_reviews_overdue{kind="sighting"} 2.0' in page
    assert all(one["is_overdue"] for one in service.operator.get("/v1/review-queue").json()["items"])


def test_what_cannot_be_answered_is_said_plainly(service: Any, refused: Any) -> None:
    service.account()
    line = _doubtful(service)
    path = f"/v1/reviews/{line['review_id']}/answers"
    refused(service.operator.post(path, {"action": "delete"}), 422, "invalid_request")
    refused(service.operator.post(path, {"action": "confirm", "plate": "粤B12345"}), 422, "invalid_fact")
    refused(service.operator.post("/v1/reviews/none/answers", {"action": "reject"}), 404, "review_unknown")
    refused(service.operator.post("/v1/visits/none/reversal", {"reason": "x"}), 404, "visit_unknown")
    refused(service.operator.get("/v1/review-queue", after="none"), 404, "review_unknown")
    service.operator.post(path, {"action": "reject"}, "k")
    refused(service.operator.post(path, {"action": "confirm"}, "k"), 409, "key_reused")


def test_corrections_are_handed_out_as_labelled_pictures(service: Any, tmp_path: Path) -> None:
    service.account()
    line = _doubtful(service)
    _answer(service.operator, line["review_id"], "correct", plate="粤B1234S")
    command = [sys.executable, "-m", "api.cli", "corrections", "--export", str(tmp_path / "out"), "--json"]
    environment = {
        "PLATEPAY_DATA_DIR": str(service.settings.data_dir), "PYTHONPATH": str(Path(__file__).parents[2]),
    }  # fmt: skip
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == {"folder": str(tmp_path / "out"), "samples": 1, "without_picture": 0}
    [sample] = [json.loads(one) for one in (tmp_path / "out" / "corrections.jsonl").read_text().splitlines()]
    assert (sample["read"], sample["plate"], sample["label"]) == ("粤B12345", "粤B12345", "粤B1234S")
    assert (sample["verdict"], sample["camera"]) == ("wrong", "lane-1")
    assert re.fullmatch(r"crops/[0-9a-f]{64}\.jpg", sample["crop"])
    assert (tmp_path / "out" / sample["crop"]).read_bytes() == service.parts.evidence.get(sample["sha256"])


def test_an_operator_of_an_unknown_role_cannot_be_made() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "api.cli", "operator", "add", "x", "--role", "king", "--password-file", "/x"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert "--role is admin, finance, reviewer, auditor" in ran.stderr
