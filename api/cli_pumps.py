"""The commands of pumps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli_options import JsonOption
from api.commands.failures import CommandError

# Without a name: its commands stand beside those of api/cli.py.
pumps = typer.Typer()


@pumps.command("pump-simulator")
def pump_simulator(
    key_file: Annotated[Path, typer.Option(help="File with the key that `platepay device add` printed.")],
    url: Annotated[str, typer.Option(help="Address of the service.")] = "http://127.0.0.1:8080",
    station: Annotated[str, typer.Option(help="The station the pump stands at.")] = "demo",
    pump: Annotated[str, typer.Option(help="The pump.")] = "1",
    device: Annotated[str, typer.Option(help="The device that signs.")] = "pump-1",
    grade: Annotated[str, typer.Option(help="What is sold.")] = "92",
    litres: Annotated[str, typer.Option(help="How much the driver wants.")] = "20",
    unit_price_fen: Annotated[int, typer.Option(help="Price a litre.")] = 785,
    wait_s: Annotated[float, typer.Option(help="How long to wait for a car.")] = 60.0,
    seed: Annotated[int | None, typer.Option(help="Of a line that loses calls; none: a good line.")] = None,
    json: JsonOption = False,
) -> None:
    """Stand at a real service as a pump: wait for a car, fuel, report, clear; exit 1 where none came."""
    from api.commands.pump_simulator import simulate_pump

    if not key_file.is_file():
        raise CommandError(f"{key_file} is not a file; `platepay device add` prints the key to put there")
    raise typer.Exit(
        simulate_pump(
            url=url,
            station=station,
            pump=pump,
            device=device,
            key=key_file.read_text("utf-8").strip(),
            grade=grade,
            litres=litres,
            unit_price_fen=unit_price_fen,
            wait_s=wait_s,
            seed=seed,
            as_json=json,
        )
    )
