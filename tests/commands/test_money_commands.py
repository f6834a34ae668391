"""audit, statement, outbox and migrate as an operator meets them on the command line."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli import app
from api.commands.failures import CommandError
from wallet.errors import AccountUnknown
from wallet.service import Wallet, open_wallet

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


@pytest.fixture
def wallet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wallet]:
    """The wallet the commands look at, with one account that was given 900 fen."""
    monkeypatch.setenv("PLATEPAY_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PLATEPAY_SECRET", "s" * 40)
    opened = open_wallet(f"sqlite:///{tmp_path}/platepay.db")
    account = opened.open_account("Li", None, "k", NOW)
    opened.commands.give_bonus(account.id, 900, "spring", key="b", actor="wang", now=NOW)
    yield opened
    opened.close()


def run(*arguments: str, code: int = 0) -> str:
    """What a command prints; fails where it ends with another exit code, or raises what it raised."""
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def audit(*options: str, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("audit", "--json", *options, code=code))
    return found


def test_audit_changes_nothing_until_it_is_asked_to_seal(wallet: Wallet) -> None:
    first = audit()
    assert (first["ok"], first["head"], first["unsealed"], first["since_block"]) == (True, None, 2, None)
    sealed = audit("--seal")
    assert (sealed["head"][:2], sealed["unsealed"], sealed["signatures_checked"]) == ("1:", 0, True)
    assert audit("--since-last")["since_block"] == 1
    assert audit("--expect-head", sealed["head"])["ok"] is True


def test_audit_exits_1_and_names_the_row_that_was_edited(wallet: Wallet, tmp_path: Path) -> None:
    audit("--seal")
    (line,) = wallet.statement(wallet.accounts()[0].id)
    connection = sqlite3.connect(tmp_path / "platepay.db")
    with connection:
        connection.execute("DROP TRIGGER transfers_no_update")
        connection.execute("UPDATE transfers SET recorded_at = '2026-01-01 00:00:00.000000'")
    connection.close()
    wrong = [check for check in audit(code=1)["checks"] if not check["ok"]]
    assert [(check["name"], check["rule"]) for check in wrong] == [("chain_is_unbroken", "I7")]
    assert line.id in wrong[0]["first_bad"]
    assert f"row {line.id} of transfers is not as block 1 sealed it" in run("audit", code=1)


def test_audit_misses_a_head_that_is_not_there(wallet: Wallet) -> None:
    audit("--seal")
    missing = audit("--expect-head", "1:" + "0" * 64, code=1)
    assert (missing["ok"], "block 1 is not" in missing["missing_head"]) == (False, True)
    with pytest.raises(CommandError, match="NUMBER:HASH"):
        run("audit", "--expect-head", "one")


def test_blocks_are_not_signed_without_a_secret(wallet: Wallet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLATEPAY_SECRET")
    assert audit()["signatures_checked"] is False
    with pytest.raises(CommandError, match="no secret"):
        run("audit", "--seal")


def test_a_statement_is_printed_as_it_was(wallet: Wallet) -> None:
    account_id = wallet.accounts()[0].id
    then = json.loads(run("statement", account_id, "--at", "2026-11-21T07:59:59Z", "--json"))
    assert (then["bonus_fen"], then["lines"]) == (0, [])
    now = json.loads(run("statement", account_id, "--at", "2026-11-21T16:00:00+08:00", "--json"))
    assert (now["bonus_fen"], [line["amount_fen"] for line in now["lines"]]) == (900, [900])
    assert "bonus_fen: 900" in run("statement", account_id)
    with pytest.raises(AccountUnknown):
        run("statement", "nobody")
    for moment in ("yesterday", "2026-11-21T08:00:00"):
        with pytest.raises(CommandError, match="--at"):
            run("statement", account_id, "--at", moment)


def test_dead_events_are_listed_and_delivered_again(wallet: Wallet) -> None:
    assert "no event was given up" in run("outbox", "list")
    (event,) = wallet.outbox.pending()
    assert str(event.id) in run("outbox", "list", "--waiting")
    for _ in range(8):
        wallet.outbox.lease("w")
        wallet.outbox.failed("w", event.id, "the printer is on fire")
    assert "the printer is on fire" in run("outbox", "list")
    (dead,) = (json.loads(line) for line in run("outbox", "list", "--json").splitlines())
    assert (dead["id"], dead["attempts"], dead["kind"]) == (event.id, 8, "bonus_granted")
    with pytest.raises(CommandError, match="1 of 2 events"):
        run("outbox", "requeue", str(event.id), "99")
    assert "0 events wait again" in run("outbox", "requeue", "--all")
    assert wallet.outbox.pending() == [event]
    for arguments in ((), ("1", "--all")):
        with pytest.raises(CommandError, match="--all"):
            run("outbox", "requeue", *arguments)


@pytest.mark.parametrize(("role", "says"), [("app", "SQLite has no roles"), ("x; DROP", "name of a role")])
def test_roles_are_for_postgresql_and_have_plain_names(wallet: Wallet, role: str, says: str) -> None:
    with pytest.raises(CommandError, match=says):
        run("migrate", "--grant-to", role)
