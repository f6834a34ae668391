"""Logins, tokens, cookies, lock-out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from wallet.errors import InvalidFact


def login(service: Any, name: str, password: str) -> Any:
    return service.http.post("/v1/sessions", json={"name": name, "password": password})


def test_a_token_opens_what_is_closed_without_one(shared: Any, refused: Any) -> None:
    refused(shared.http.get("/v1/accounts"), 401, "not_signed_in")
    refused(shared.http.get("/v1/accounts", headers={"Authorization": "Bearer wrong"}), 401, "not_signed_in")
    assert shared.operator.get("/v1/accounts").status_code == 200


def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(
    shared: Any, refused: Any, tools: Any
) -> None:
    known = refused(login(shared, "wang", "not this one"), 401, "wrong_password")
    unknown = refused(login(shared, "nobody", "not this one"), 401, "wrong_password")
    assert known["detail"] == unknown["detail"]
    assert login(shared, "wang", tools.password).status_code == 201


def test_a_session_ends_when_its_time_has_come(start: Any, refused: Any, tools: Any) -> None:
    service = start(session_s=600)
    headers = {"Authorization": f"Bearer {login(service, 'wang', tools.password).json()['token']}"}
    assert service.http.get("/v1/accounts", headers=headers).status_code == 200
    service.clock.forward(seconds=601)
    refused(service.http.get("/v1/accounts", headers=headers), 401, "not_signed_in")


def test_logging_out_ends_the_session(service: Any, refused: Any) -> None:
    assert service.operator.delete("/v1/sessions/current").status_code == 204
    refused(service.operator.get("/v1/accounts"), 401, "not_signed_in")


@pytest.mark.parametrize("name", ["wang", "no-such-operator"])
def test_repeated_failures_lock_the_name_and_time_opens_it(
    start: Any, refused: Any, tools: Any, name: str
) -> None:
    service = start(login_attempts=3, login_lock_s=300)
    for _ in range(3):
        refused(login(service, name, "wrong wrong"), 401, "wrong_password")
    locked = login(service, name, tools.password)
    body = refused(locked, 429, "locked_out")
    assert 290 <= body["retry_after_s"] <= 300
    assert locked.headers["retry-after"] == str(body["retry_after_s"])
    service.clock.forward(seconds=301)
    assert login(service, name, tools.password).status_code == (201 if name == "wang" else 401)


def test_a_lock_of_one_name_leaves_the_others_alone(start: Any, tools: Any) -> None:
    service = start(login_attempts=1)
    service.parts.operators.add("li", tools.password)
    login(service, "li", "wrong wrong")
    assert login(service, "li", tools.password).status_code == 429
    assert login(service, "wang", tools.password).status_code == 201


def test_a_burst_of_guesses_is_locked_out_too(start: Any, tools: Any) -> None:
    service = start(login_attempts=4)
    with ThreadPoolExecutor(12) as pool:
        codes = [r.status_code for r in pool.map(lambda _: login(service, "wang", "guess guess"), range(30))]
    assert set(codes) <= {401, 429, 503}
    assert login(service, "wang", tools.password).status_code == 429


def test_the_password_is_kept_as_argon2id_and_the_token_as_a_hash(service: Any, tools: Any) -> None:
    stored = service.parts.access.operator("wang").password_hash
    assert stored.startswith("$argon2id$")
    assert tools.password not in stored
    token = login(service, "wang", tools.password).json()["token"]
    database = service.settings.data_dir.glob("platepay.db*")
    assert not any(token.encode() in file.read_bytes() for file in database)


def test_a_short_password_is_refused(service: Any) -> None:
    with pytest.raises(InvalidFact, match="10 to 256 characters"):
        service.parts.operators.add("short", "123456789")


def test_the_cookie_may_read_but_not_change(shared: Any, refused: Any, tools: Any) -> None:
    token = login(shared, "wang", tools.password).json()["token"]
    cookie = {"Cookie": f"platepay_session={token}"}
    assert shared.http.get("/v1/accounts", headers=cookie).status_code == 200
    strange = {**cookie, "Idempotency-Key": "x"}
    refused(shared.http.post("/v1/accounts", json={"name": "x"}, headers=strange), 401, "not_signed_in")
