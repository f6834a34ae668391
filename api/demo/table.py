"""The live table of the demo: one row a car."""

from __future__ import annotations

from rich.console import JustifyMethod
from rich.markup import escape
from rich.table import Table

from api.demo.outcome import CarRecord
from wallet.money import format_yuan

COLOURS = {"blue": "bold white on blue", "green": "bold black on green", "yellow": "bold black on yellow"}
OUTCOMES = {"auto": "[green]auto[/green]", "review": "[yellow]review[/yellow]", "none": "[dim]none[/dim]"}


def cars_table(records: list[CarRecord], accounts: dict[str, str]) -> Table:
    """accounts: names of the account holders by account id."""
    table = Table(title="forecourt 加油站", title_justify="left")
    columns: tuple[tuple[str, JustifyMethod], ...] = (
        ("car", "left"),
        ("pump", "right"),
        ("plate read", "left"),
        ("sure", "right"),
        ("match", "left"),
        ("account", "left"),
        ("hold ¥", "right"),
        ("litres", "right"),
        ("captured ¥", "right"),
        ("balance ¥", "right"),
        ("ok", "left"),
    )
    for name, justify in columns:
        table.add_column(name, justify=justify, overflow="fold")
    for record in records:
        table.add_row(*_cells(record, accounts))
    return table


def _cells(record: CarRecord, accounts: dict[str, str]) -> list[str]:
    match = record.match
    if match is None:
        return [record.car.title, record.car.pump, "[dim]not here yet[/dim]", *[""] * 8]
    sighting = match["sighting"]
    text = escape(sighting["text"] or "unreadable")
    style = COLOURS.get(sighting["colour"], "bold")
    why = ", ".join(reason["code"].replace("_", " ") for reason in match["reasons"])
    outcome = OUTCOMES[match["outcome"]] + (f" [dim]{why}[/dim]" if match["outcome"] != "auto" else "")
    is_captured = match["visit_state"] == "captured"
    settled = record.is_settled
    problems = record.problems() if settled else []
    return [
        record.car.title,
        record.car.pump,
        f"[{style}] {text} [/]",
        f"{1 - sighting['wrong_ppm'] / 1_000_000:.2%}",
        outcome,
        escape(accounts.get(match["account_id"] or "", "")),
        format_yuan(match["hold_fen"]) if match["hold_fen"] else "",
        str(record.car.litres) if is_captured else ("at the till" if record.at_till else ""),
        format_yuan(record.captured_fen) if is_captured else "",
        "" if record.balance_after_fen is None else format_yuan(record.balance_after_fen),
        "" if not settled else ("[green]yes[/green]" if not problems else "[bold red]no[/bold red]"),
    ]
