"""`platepay fees` as an operator meets it on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from api.cli import app
from api.commands.failures import CommandError
from wallet.errors import InvalidFact, KeyReused
from wallet.service import Wallet, open_wallet

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
BY = ("--by", "wang")


@pytest.fixture
def wallet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wallet]:
    """The wallet the commands look at, with an account of 900 yuan and two operators."""
    monkeypatch.setenv("PLATEPAY_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("PLATEPAY_SECRET", "s" * 40)
    opened = open_wallet(f"sqlite:///{tmp_path}/platepay.db")
    account = opened.open_account("Li", None, "k", NOW)
    opened.commands.give_bonus(account.id, 90_000, "spring", key="b", actor="wang", now=NOW)
    opened.access.add_operator("wang", "finance", "hash", NOW)
    opened.access.add_operator("zhou", "auditor", "hash", NOW)
    yield opened
    opened.close()


def run(*arguments: str, code: int = 0) -> str:
    """What a command prints; fails where it ends with another exit code, or raises what it raised."""
    result = CliRunner().invoke(app, ["fees", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def agree(*more: str, key: str, rate_ppm: int = 6_000, code: int = 0) -> dict[str, Any]:
    terms = ("--station", "demo", "--rate-ppm", str(rate_ppm), "--reason", "contract", *BY, "--key", key)
    found: dict[str, Any] = json.loads(run("set", *terms, *more, "--json", code=code))
    return found


def _charge(wallet: Wallet, amount_fen: int) -> None:
    by = {"key": f"c{amount_fen}", "actor": "wang", "now": datetime.now(UTC)}
    wallet.commands.charge(wallet.accounts()[0].id, "demo", amount_fen, "wash", **by)


def test_fees_are_set_settled_and_listed(wallet: Wallet) -> None:
    assert "no fee anywhere" in run("list")
    done = agree("--fixed-fen", "10", key="t")
    assert agree("--fixed-fen", "10", key="t") == done
    _charge(wallet, 24_531)
    settled = json.loads(run("settle", *BY, "--key", "night", "--json"))
    assert (settled["settlements"], settled["base_fen"], settled["fee_fen"]) == (1, 24_531, 157)
    _charge(wallet, 500)
    assert json.loads(run("settle", *BY, "--key", "night", "--json")) == settled
    assert "cost 13 fen" in run("settle", *BY, "--key", "noon")
    found = json.loads(run("list", "--station", "demo", "--json"))
    assert [one["rate_ppm"] for one in found["terms"]] == [6_000]
    assert [(one["number"], one["fee_fen"]) for one in found["settlements"]] == [(2, 13), (1, 157)]
    assert "demo/1" in run("list")
    assert "6000 ppm and 10 fen a sale, by wang: contract" in run("list")
    assert "nothing" not in run("list", "--station", "north")
    shown = json.loads(run("statement", "--station", "demo", "--json"))
    assert (shown["revenue_fen"], shown["fee_fen"]) == (25_031 - 170, 170)
    assert "fee_fen: 170" in run("statement", "--station", "demo")
    assert wallet.audit().ok


def test_what_cannot_be_is_said_in_one_line(wallet: Wallet) -> None:
    agree(key="t")
    with pytest.raises(KeyReused):
        agree(key="t", rate_ppm=1)
    with pytest.raises(InvalidFact, match="rate_ppm must be a whole number from 0 to 1000000"):
        agree(key="u", rate_ppm=-1)
    with pytest.raises(InvalidFact, match="must not be in the past"):
        agree("--from", "2026-01-01T00:00:00Z", key="u")
    with pytest.raises(CommandError, match="--from is a time with its zone"):
        agree("--from", "tomorrow", key="u")
    with pytest.raises(CommandError, match="--through is a time with its zone"):
        run("settle", *BY, "--key", "s", "--through", "2026-01-01T00:00:00")
    with pytest.raises(CommandError, match="zhou is auditor and may not move money"):
        run("settle", "--by", "zhou", "--key", "s")
    with pytest.raises(CommandError, match="--by names no operator: 'nobody'"):
        run("settle", "--by", "nobody", "--key", "s")
    assert len(wallet.fees.terms()) == 1


def test_terms_before_a_settled_sale_are_rejected(wallet: Wallet) -> None:
    agree(key="t")
    ahead = datetime(2098, 1, 1, tzinfo=UTC)
    by = {"key": "c", "actor": "wang", "now": ahead}
    wallet.commands.charge(wallet.accounts()[0].id, "demo", 1_000, "wash", **by)
    run("settle", *BY, "--key", "night")
    assert agree(key="u", code=1)["code"] == "sales_settled"
    assert agree("--from", "2099-01-01T00:00:00Z", key="v")["outcome"] == "done"
