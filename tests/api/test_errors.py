"""One table of errors: complete, in the documents, and on every route."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from api import errors
from api.errors import PROBLEMS, ApiError, problem_for
from api.problems import problem_response
from wallet import errors as wallet_errors

DOCUMENT = Path(__file__).parents[2] / "docs" / "http.md"
ABSTRACT = {wallet_errors.NotFound, wallet_errors.Conflict, wallet_errors.Invalid, wallet_errors.Broken}
OF_LIBRARIES = {RequestValidationError, OperationalError, PoolTimeout}


def leaves(kind: type[Exception]) -> Iterator[type[Exception]]:
    for below in kind.__subclasses__():
        yield below
        yield from leaves(below)


def test_every_error_of_the_wallet_and_the_service_has_a_row() -> None:
    known = {*leaves(ApiError), *leaves(wallet_errors.WalletError)} - ABSTRACT
    assert known - set(PROBLEMS) == set()
    assert set(PROBLEMS) - known == OF_LIBRARIES


def test_a_wallet_error_keeps_its_own_code() -> None:
    for kind, row in PROBLEMS.items():
        if issubclass(kind, wallet_errors.WalletError):
            assert row.code == kind.code


def test_codes_are_unique_and_well_formed() -> None:
    rows = {row.code: row for row in PROBLEMS.values()}
    assert all(PROBLEMS[kind] == rows[row.code] for kind, row in PROBLEMS.items())
    assert all(re.fullmatch(r"[a-z_]+", code) for code in rows)
    assert all(row.title and row.remedy.endswith(".") for row in rows.values())


def test_the_tree_at_the_top_names_every_error() -> None:
    drawn = set(re.findall(r"\b[A-Z]\w+\b", errors.__doc__ or ""))
    assert {kind.__name__ for kind in leaves(ApiError)} <= drawn


def test_the_document_has_exactly_the_rows_of_the_table() -> None:
    found = re.findall(r"^\| (\d{3}) \| `(\w+)` \| (.+?) \| (.+?) \|$", DOCUMENT.read_text(), re.MULTILINE)
    rows = {(str(int(row.status)), row.code, row.title, row.remedy) for row in PROBLEMS.values()}
    assert set(found) == rows
    assert len(found) == len(rows)


def test_an_unknown_error_tells_nothing() -> None:
    answer = problem_response(RuntimeError("password=hunter2"))
    assert answer.status_code == 500
    assert b"hunter2" not in answer.body


def test_a_database_error_tells_no_statement() -> None:
    answer = problem_response(OperationalError("SELECT secret", {"p": "粤B12345"}, Exception("locked")))
    assert answer.status_code == 503
    assert b"SELECT" not in answer.body
    assert "粤B12345".encode() not in answer.body


def test_an_error_below_a_row_gets_that_row() -> None:
    class SpecialKeyReused(wallet_errors.KeyReused):
        pass

    found = problem_for(SpecialKeyReused("sale", "1", "hash"))
    assert found is not None
    assert found.code == "key_reused"


def routes_of(service: Any) -> list[Any]:
    schema = service.app.openapi()
    return [
        (method.upper(), path, operation)
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    ]


def resolve(service: Any, schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        found: dict[str, Any] = service.app.openapi()["components"]["schemas"][name]
        return found
    for option in schema.get("anyOf", []):
        if "$ref" in option:
            return resolve(service, option)
    return schema


def test_every_route_shows_an_example_of_its_body_and_answer(shared: Any) -> None:
    missing = []
    for method, path, operation in routes_of(shared):
        bodies = operation.get("requestBody", {}).get("content", {})
        answers = {k: v for k, v in operation["responses"].items() if k.startswith("2")}
        assert answers, path
        for content in [bodies, *(answer.get("content", {}) for answer in answers.values())]:
            for media_type, shown in content.items():
                if media_type in ("image/jpeg", "application/zip"):
                    continue
                schema = resolve(shared, shown["schema"])
                if not (shown.get("example") or shown.get("examples") or schema.get("examples")):
                    missing.append((method, path, media_type))
    assert missing == []


def test_every_refusal_of_every_route_is_in_the_table_with_an_example(shared: Any) -> None:
    codes = {row.code: int(row.status) for row in PROBLEMS.values()}
    for method, path, operation in routes_of(shared):
        refusals = {k: v for k, v in operation["responses"].items() if not k.startswith("2")}
        assert "500" in refusals, (method, path)
        for status, refusal in refusals.items():
            assert list(refusal["content"]) == ["application/problem+json"], (method, path, status)
            examples = refusal["content"]["application/problem+json"]["examples"]
            assert all(codes[code] == int(status) for code in examples), (method, path)


def test_every_route_says_what_it_is_for(shared: Any) -> None:
    for method, path, operation in routes_of(shared):
        assert operation.get("description"), (method, path)


def test_the_examples_are_messages_that_are_taken(shared: Any) -> None:
    from api.schemas import devices, log, operators
    from api.schemas.fields import Message

    models = [
        model
        for module in (devices, log, operators)
        for model in vars(module).values()
        if isinstance(model, type)
        and issubclass(model, Message)
        and "json_schema_extra" in model.model_config
    ]
    assert len(models) > 25
    for model in models:
        extra = model.model_config["json_schema_extra"]
        assert isinstance(extra, dict)
        examples = extra["examples"]
        assert isinstance(examples, list)
        for example in examples:
            model.model_validate(example)


def test_no_answer_holds_a_float(shared: Any) -> None:
    for name, schema in shared.app.openapi()["components"]["schemas"].items():
        assert '"number"' not in str(schema).replace("'", '"'), name


def test_addresses_not_there_are_told_in_the_same_form(shared: Any, refused: Any) -> None:
    refused(shared.http.get("/v1/nothing"), 404, "not_found")
    answer = shared.http.put("/v1/accounts")
    refused(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["allow"]


def test_an_error_nobody_expected_is_logged_with_its_request_id(
    service: Any, refused: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("password=hunter2")

    monkeypatch.setattr(type(service.parts.wallet), "accounts", fail)
    body = refused(service.operator.get("/v1/accounts"), 500, "internal_error")
    assert "hunter2" not in str(body)
    [record] = [one for one in caplog.records if one.levelname == "ERROR"]
    assert body["request_id"] in record.getMessage()
    assert record.exc_info is not None


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=501"])
def test_a_bad_query_names_its_field(shared: Any, refused: Any, query: str) -> None:
    body = refused(shared.operator.get(f"/v1/accounts?{query}"), 422, "invalid_request")
    assert body["problems"][0]["field"] == "limit"
    assert body["problems"][0]["in"] == "query"


def test_every_route_that_moves_money_is_closed(shared: Any) -> None:
    open_to_all = {
        "/healthz",
        "/readyz",
        "/metrics",
        "/v1/sessions",
        "/v1/signing-key",
        "/v1/channels/{channel}/callbacks",
        "/v1/channels/sandbox/orders/{order_id}/pay",
    }
    for method, path, _operation in routes_of(shared):
        filled = re.sub(r"\{\w+\}", "0" * 64, path)
        answer = shared.http.request(method, filled, headers={"Content-Type": "application/json"})
        if path in open_to_all:
            assert answer.status_code != 401 or "callbacks" in path, path
        else:
            assert answer.status_code == 401, (method, path, answer.text)
