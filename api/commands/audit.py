"""`platepay audit` and `platepay statement`: the ledger proved from its rows, and a wallet at any moment."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from api.commands.failures import CommandError
from api.settings import Settings, read_settings

if TYPE_CHECKING:
    from wallet.facts import AuditReport
    from wallet.service import Wallet


def audit(
    *, as_json: bool, seal: bool = False, since_last: bool = False, expect_head: str | None = None
) -> int:
    """Prove the ledger of the configured database; returns 0, or 1 where a check does not hold."""
    from api.commands.database import open_existing_wallet

    settings = read_settings()
    wallet = open_existing_wallet(settings)
    try:
        report = _report(wallet, settings, seal=seal, since_last=since_last)
        missing = _missing_head(wallet, expect_head)
    finally:
        wallet.close()
    if as_json:
        found = {**as_dict(report), "ok": report.ok and missing is None, "missing_head": missing}
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
    else:
        Console().print(audit_table(report))
        # Once more in full: a table folds long lines, and this is what somebody wants to copy.
        sys.stdout.write(
            "".join(f"{check.name}: {check.first_bad}\n" for check in report.checks if not check.ok)
        )
        sys.stdout.write(_chain_line(report))
        if missing:
            sys.stdout.write(f"{missing}\n")
    return 0 if report.ok and missing is None else 1


def _report(wallet: Wallet, settings: Settings, *, seal: bool, since_last: bool) -> AuditReport:
    from api.keys import find_secret, ledger_key

    secret = find_secret(settings)
    key = None if secret is None else ledger_key(secret)
    if not seal:
        return wallet.proving.audit(key, since_last=since_last)
    if key is None:
        raise CommandError(
            "there is no secret to sign with; set PLATEPAY_SECRET or PLATEPAY_DATA_DIR as the service does"
        )
    return wallet.proving.prove(key, datetime.now(UTC), since_last=since_last)


def _missing_head(wallet: Wallet, expected: str | None) -> str | None:
    """What is wrong where the chain has not the block that was written down elsewhere as NUMBER:HASH."""
    if expected is None:
        return None
    number, _, wanted = expected.partition(":")
    if not number.isdigit() or not wanted:
        raise CommandError(f"--expect-head is NUMBER:HASH as an audit printed it, not {expected!r}")
    block = wallet.proving.block(int(number))
    if block is not None and block.block_hash == wanted:
        return None
    return f"block {number} is not the one that was written down: {wanted}"


def as_dict(report: AuditReport) -> dict[str, Any]:
    """The report for machines."""
    return {
        "ok": report.ok,
        "since_block": report.since_block,
        "head": None if report.head is None else f"{report.head[0]}:{report.head[1]}",
        "unsealed": report.unsealed,
        "signatures_checked": report.signatures_checked,
        "checks": [
            {
                "name": check.name,
                "rule": check.rule,
                "ok": check.ok,
                "count": check.count,
                "first_bad": check.first_bad,
            }
            for check in report.checks
        ],
    }


def audit_table(report: AuditReport) -> Table:
    """The report for people: one line a check, the first bad row named."""
    table = Table(title="ledger audit", title_justify="left")
    table.add_column("check")
    table.add_column("rule")
    table.add_column("rows", justify="right")
    table.add_column("result")
    for check in report.checks:
        verdict = "[green]holds[/green]" if check.ok else f"[bold red]broken: {check.first_bad}[/bold red]"
        table.add_row(check.name, check.rule, str(check.count), verdict)
    return table


def _chain_line(report: AuditReport) -> str:
    head = "no block yet" if report.head is None else f"head {report.head[0]}:{report.head[1]}"
    signed = "signatures checked" if report.signatures_checked else "signatures not checked: no secret here"
    since = "" if report.since_block is None else f", looked at what came after block {report.since_block}"
    return f"chain: {head}, {report.unsealed} rows not sealed yet, {signed}{since}\n"


def statement(account_id: str, at: str | None, limit: int, *, as_json: bool) -> int:
    """Print a wallet and its transfers as they were at a moment, now by default."""
    from api.commands.database import open_existing_wallet

    moment = _moment(at)
    wallet = open_existing_wallet(read_settings())
    try:
        balance = wallet.balance_at(account_id, moment)
        lines = wallet.statement(account_id, limit, at=moment)
    finally:
        wallet.close()
    shown: dict[str, Any] = {
        "account_id": account_id,
        "at": moment.isoformat(),
        "principal_fen": balance.principal_fen,
        "bonus_fen": balance.bonus_fen,
        "held_fen": balance.held_fen,
        "available_fen": balance.available_fen,
    }
    if as_json:
        rows = [
            {
                "line_id": line.id,
                "recorded_at": line.recorded_at.isoformat(),
                "kind": line.kind,
                "part": line.part,
                "amount_fen": line.amount_fen,
                "balance_after_fen": line.balance_after_fen,
                "name": line.name,
            }
            for line in lines
        ]
        sys.stdout.write(json.dumps({**shown, "lines": rows}, ensure_ascii=False) + "\n")
        return 0
    sys.stdout.write("".join(f"{name}: {value}\n" for name, value in shown.items()))
    for line in lines:
        sys.stdout.write(
            f"{line.recorded_at.isoformat()}  {line.kind:<10} {line.part:<9} {line.amount_fen:>+12}"
            f" {line.balance_after_fen:>12}  {line.id}\n"
        )
    return 0


def _moment(written: str | None) -> datetime:
    if written is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise CommandError(f"--at is a time with its zone such as 2026-11-21T08:00:00Z, not {written!r}")
    return moment
