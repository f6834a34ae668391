"""The commands `platepay bench ...`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli_options import EngineOption, JsonOption

bench = typer.Typer(
    help="Measure this machine; with --check a missed bar is named and the exit code is 1.",
    no_args_is_help=True,
)


@bench.command("watch")
def bench_watch(
    seconds: Annotated[int, typer.Option(min=10, help="Length of the measured stream.")] = 60,
    json: JsonOption = False,
    engine: EngineOption = "auto",
) -> None:
    """One 720p camera at 10 frames a second: memory and CPU of worker and service, time of each stage."""
    from api.commands.bench_watch import bench_watch as run

    run(seconds=seconds, as_json=json, engine=engine)


@bench.command("tracks")
def bench_tracks(
    data: Annotated[
        Path | None, typer.Option(help="The data folder; else PLATEPAY_DATA, else ../shared/data.")
    ] = None,
    json: JsonOption = False,
    check: Annotated[bool, typer.Option("--check", help="Exit 1 and name the bars that are missed.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="A few passes, under 50 s.")] = False,
    passes: Annotated[int | None, typer.Option(min=1, help="How many passes over each set.")] = None,
    engine: EngineOption = "auto",
) -> None:
    """Simulated camera passes over labelled stills: right, sure and wrongly sure by number of looks."""
    from api.commands.bench_tracks import bench_tracks as run

    raise typer.Exit(run(data=data, as_json=json, check=check, quick=quick, engine=engine, passes=passes))


@bench.command("read")
def bench_read(
    json: JsonOption = False,
    check: Annotated[bool, typer.Option("--check", help="Exit 1 and name the bars that are missed.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="End within 50 seconds.")] = False,
    engine: EngineOption = "auto",
) -> None:
    """A 720p frame with one plate: CPU time of each stage, on each engine, next to a stock pipeline."""
    from api.commands.bench_read import bench_read as run

    raise typer.Exit(run(as_json=json, check=check, quick=quick, engine=engine))


@bench.command("decide")
def bench_decide(
    json: JsonOption = False,
    check: Annotated[bool, typer.Option("--check", help="Exit 1 where the bar is missed.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes, under 50 s.")] = False,
    plates: Annotated[
        list[int] | None, typer.Option(min=1_000, help="Registered plates; may be given several times.")
    ] = None,
) -> None:
    """CPU of one decision (look-up, history, posterior, expected loss) among 10,000 to 10,000,000 plates."""
    from api.commands.bench_decide import bench_decide as run

    raise typer.Exit(run(as_json=json, check=check, quick=quick, sizes=plates))


@bench.command("ledger")
def bench_ledger(
    json: JsonOption = False,
    check: Annotated[bool, typer.Option("--check", help="Exit 1 where a bar is missed.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes, within a minute.")] = False,
    only: Annotated[str, typer.Option(help="both, sqlite or postgresql.")] = "both",
) -> None:
    """Debits a second on SQLite and PostgreSQL, next to pgbench TPC-B on the same server in the same run."""
    from api.commands.bench_ledger import bench_ledger as run

    raise typer.Exit(run(as_json=json, check=check, quick=quick, only=only))


@bench.command("http")
def bench_http(
    json: JsonOption = False,
    check: Annotated[bool, typer.Option("--check", help="Exit 1 and name the bars that are missed.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Few requests, under 50 s.")] = False,
    only: Annotated[str, typer.Option(help="both, sqlite or postgresql.")] = "both",
) -> None:
    """CPU of the service for a sighting and a sale, next to a request that does nothing, under load."""
    from api.commands.bench_http import bench_http as run

    raise typer.Exit(run(as_json=json, check=check, quick=quick, only=only))
