"""`platepay audit`: the ledger proved from its rows."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from api.settings import read_settings

if TYPE_CHECKING:
    from wallet.audit import AuditReport


def audit(*, as_json: bool) -> int:
    """Prove the ledger of the configured database; returns 0, or 1 where a check does not hold."""
    from api.commands.database import open_existing_wallet

    wallet = open_existing_wallet(read_settings())
    try:
        report = wallet.audit()
    finally:
        wallet.close()
    if as_json:
        sys.stdout.write(json.dumps(as_dict(report), ensure_ascii=False) + "\n")
    else:
        Console().print(audit_table(report))
    return 0 if report.ok else 1


def as_dict(report: AuditReport) -> dict[str, Any]:
    """The report for machines."""
    return {
        "ok": report.ok,
        "checks": [
            {"name": check.name, "ok": check.ok, "count": check.count, "first_bad": check.first_bad}
            for check in report.checks
        ],
    }


def audit_table(report: AuditReport) -> Table:
    """The report for people: one line a check, the first bad row named."""
    table = Table(title="ledger audit", title_justify="left")
    table.add_column("check")
    table.add_column("rows", justify="right")
    table.add_column("result")
    for check in report.checks:
        verdict = "[green]holds[/green]" if check.ok else f"[bold red]broken: {check.first_bad}[/bold red]"
        table.add_row(check.name, str(check.count), verdict)
    return table
