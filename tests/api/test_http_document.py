"""docs/http.md is what the service does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cameras.signing import canonical, sign

TEXT = (Path(__file__).parents[2] / "docs" / "http.md").read_text()


def block(kind: str) -> str:
    found = re.search(rf"^```\w+ {kind}\n(.*?)\n```$", TEXT, re.MULTILINE | re.DOTALL)
    assert found, kind
    return found.group(1)


def test_the_worked_example_is_signed_as_written() -> None:
    headers = dict(line.split(": ") for line in block("headers").splitlines())
    body = block("body").encode()
    timestamp, nonce = int(headers["Platepay-Timestamp"]), headers["Platepay-Nonce"]
    assert canonical("POST", "/v1/authorisations", body, "pump-1", timestamp, nonce).decode() == block(
        "signed"
    )
    key = block("key").encode()
    assert sign(key, "POST", "/v1/authorisations", body, "pump-1", timestamp, nonce) == headers


def test_the_worked_examples_body_is_taken(shared: Any) -> None:
    assert shared.pump.post("/v1/authorisations", json.loads(block("body"))).status_code == 200


def test_every_address_in_the_document_exists(shared: Any) -> None:
    there = {
        (method.upper(), path)
        for path, operations in shared.app.openapi()["paths"].items()
        for method in operations
    }
    named = re.findall(r"`(GET|POST|PUT|DELETE)\s+(/[^\s`]*)`", TEXT)
    assert len(named) >= 12
    assert set(named) <= there


@pytest.mark.parametrize("number", ["300 s", "64 KiB", "2 MiB"])
def test_the_documents_numbers_are_the_services(number: str) -> None:
    from api import auth, body_limit, evidence

    assert number in TEXT
    assert (auth.WINDOW_S, body_limit.LARGEST_JSON_BYTES, evidence.LARGEST_BYTES) == (300, 65_536, 2_097_152)
