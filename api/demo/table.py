"""The live table of the demo: one row a car, narrow enough for a terminal of 80 columns."""

from __future__ import annotations

from rich import box
from rich.console import JustifyMethod
from rich.markup import escape
from rich.table import Table

from api.demo.outcome import CarRecord
from wallet.money import format_yuan

COLOURS = {"blue": "bold white on blue", "green": "bold black on green", "yellow": "bold black on yellow"}
OUTCOMES = {"auto": "[green]auto[/green]", "review": "[yellow]review[/yellow]", "none": "[dim]none[/dim]"}

# Heading, justification, whether a cell may be wrapped.
COLUMNS: tuple[tuple[str, JustifyMethod, bool], ...] = (
    ("car\n[dim]account[/dim]", "left", True),
    ("pump", "left", False),
    ("plate read\n[dim]sure[/dim]", "left", False),
    ("match\n[dim]why[/dim]", "left", True),
    ("litres", "right", True),
    ("hold ¥\ncaptured ¥", "right", False),
    ("balance\nafter ¥", "right", False),
    ("ok", "left", False),
)


def cars_table(records: list[CarRecord], accounts: dict[str, str]) -> Table:
    """accounts: names of the account holders by account id."""
    table = Table(title="forecourt 加油站", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for heading, justify, wraps in COLUMNS:
        table.add_column(heading, justify=justify, no_wrap=not wraps)
    for record in records:
        table.add_row(*_cells(record, accounts))
    return table


def _cells(record: CarRecord, accounts: dict[str, str]) -> list[str]:
    match = record.match
    if match is None:
        return [record.car.title, record.car.pump, "[dim]not seen yet[/dim]", *[""] * 5]
    sighting = match["sighting"]
    account = accounts.get(match["account_id"] or "", "")
    style = COLOURS.get(sighting["colour"], "bold")
    text = escape(sighting["text"] or "unreadable")
    why = ", ".join(reason["code"].replace("_", " ") for reason in match["reasons"])
    is_captured = match["visit_state"] == "captured"
    return [
        f"{record.car.title}\n[dim]{escape(account)}[/dim]",
        record.car.pump,
        f"[{style}] {text} [/]\n[dim]{_sure(sighting['wrong_ppm'])}[/dim]",
        f"{OUTCOMES[match['outcome']]}\n[dim]{why}[/dim]",
        str(record.car.litres) if is_captured else ("paid at till" if record.at_till else ""),
        "\n".join(_yuan(fen) for fen in (match["hold_fen"], record.captured_fen)),
        "" if record.balance_after_fen is None else format_yuan(record.balance_after_fen),
        _verdict(record),
    ]


def _sure(wrong_ppm: int) -> str:
    # Rounded down: nothing is ever quite certain.
    return f"{(1_000_000 - wrong_ppm) // 100 / 100:.2f}%" if wrong_ppm else "99.99%"


def _yuan(fen: int) -> str:
    return format_yuan(fen) if fen else "–"


def _verdict(record: CarRecord) -> str:
    if not record.is_settled:
        return ""
    return "[bold red]no[/bold red]" if record.problems() else "[green]yes[/green]"
