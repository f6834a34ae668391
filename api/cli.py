"""The command line: `platepay --help`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from api.cli_bench import bench
from api.cli_cameras import cameras
from api.cli_fees import fees
from api.cli_options import EngineOption, JsonOption
from api.cli_proof import proof
from api.cli_pumps import pumps
from api.commands.failures import CommandError, readable_failures

app = typer.Typer(
    name="platepay",
    help="Pay for fuel by plate (车牌付): read the plate, hold on arrival, take what the pump sold.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
operator = typer.Typer(help="The people who may see the match log.", no_args_is_help=True)
device = typer.Typer(help="The cameras and pumps that may speak to the service.", no_args_is_help=True)
outbox = typer.Typer(help="Events that wait for other systems.", no_args_is_help=True)
app.add_typer(bench, name="bench")
app.add_typer(operator, name="operator")
app.add_typer(device, name="device")
app.add_typer(outbox, name="outbox")
app.add_typer(fees, name="fees")
app.add_typer(cameras)
app.add_typer(proof)
app.add_typer(pumps)

ReadersOption = Annotated[str, typer.Option(help="first, second or both: who reads the plates.")]


@app.command()
def demo(
    headless: Annotated[bool, typer.Option(help="End when the last car has left; start no page.")] = False,
    json: JsonOption = False,
    port: Annotated[int, typer.Option(help="Port of the service on loopback; 0 takes a free one.")] = 0,
) -> None:
    """Run a small forecourt: real service, real camera worker, real RTSP stream, simulated cars and pumps."""
    from api.demo.run import run_demo

    raise typer.Exit(run_demo(headless=headless, as_json=json, port=port))


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; PLATEPAY_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; PLATEPAY_PORT.")] = None,
) -> None:
    """Run the service: HTTP interface and operator page."""
    from api.commands.serve import serve as run

    run(host, port)


@app.command()
def read(
    paths: Annotated[list[Path], typer.Argument(help="Pictures, or folders of pictures.")],
    json: JsonOption = False,
    crops: Annotated[bool, typer.Option(help="Each picture is an already cut plate.")] = False,
    engine: EngineOption = "auto",
    readers: ReadersOption = "both",
) -> None:
    """Read the plates in pictures."""
    from api.commands.read import read as run

    raise typer.Exit(run(paths, as_json=json, crops=crops, engine=engine, readers=readers))


@app.command()
def evaluate(
    labels: Annotated[
        Path | None, typer.Argument(help="labels.csv of a folder of labelled pictures; or --all.")
    ] = None,
    json: JsonOption = False,
    crops: Annotated[bool, typer.Option(help="The pictures are already cut plates.")] = False,
    engine: EngineOption = "auto",
    readers: ReadersOption = "both",
    errors: Annotated[
        Path | None, typer.Option(help="Folder, outside any git working tree, for a sheet of the misses.")
    ] = None,
    every_set: Annotated[
        bool, typer.Option("--all", help="Every set of the data folder, the negatives and the videos.")
    ] = False,
    data: Annotated[
        Path | None, typer.Option(help="The data folder; else PLATEPAY_DATA, else ../shared/data.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Exit 1 and name the bars that are missed.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="A seeded sample, under 50 s: misses only what is surely missed.")
    ] = False,
) -> None:
    """Score the recogniser on labelled pictures: exact plates, coverage at a given error, 95 % intervals."""
    if every_set:
        from api.commands.evaluate_all import evaluate_all

        given = [name for name, is_given in (("LABELS", labels), ("--crops", crops)) if is_given]
        if given:
            raise CommandError(f"--all judges every set in its own form: leave out {' and '.join(given)}")
        raise typer.Exit(
            evaluate_all(
                data=data,
                as_json=json,
                check=check,
                quick=quick,
                engine=engine,
                readers=readers,
                errors=errors,
            )
        )
    from api.commands.evaluate import evaluate as run

    if labels is None:
        raise CommandError("evaluate: give a labels.csv, or --all")
    given = [name for name, on in (("--data", data), ("--check", check), ("--quick", quick)) if on]
    if given:
        raise CommandError(f"{' and '.join(given)} go with --all only")
    raise typer.Exit(run(labels, as_json=json, crops=crops, engine=engine, readers=readers, errors=errors))


@app.command("measure-misreads")
def measure_misreads(
    data: Annotated[
        Path | None, typer.Option(help="The data folder; else PLATEPAY_DATA, else ../shared/data.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The file to write; else the one the service ships with.")
    ] = None,
    stills: Annotated[
        int | None, typer.Option(min=1, help="How many stills drive by and come to a pump.")
    ] = None,
    json: JsonOption = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="A few of them, under 50 s; writes only with --out.")
    ] = False,
    engine: EngineOption = "auto",
    workers: Annotated[int, typer.Option(min=1, help="So many processes; the file is the same.")] = 1,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of how the same stills pass by; else the usual one.")
    ] = None,
) -> None:
    """Measure how both readers err over simulated passes of labelled stills; keeps no plate."""
    from api.commands.measure_misreads import measure_misreads as run

    raise typer.Exit(
        run(
            data=data,
            out=out,
            as_json=json,
            quick=quick,
            engine=engine,
            stills=stills,
            workers=workers,
            seed=seed,
        )
    )


@app.command()
def audit(
    json: JsonOption = False,
    seal: Annotated[
        bool, typer.Option(help="Seal new rows into the chain, and remember what holds.")
    ] = False,
    since_last: Annotated[bool, typer.Option(help="Only what came after the last proof.")] = False,
    expect_head: Annotated[
        str | None, typer.Option(help="NUMBER:HASH that an earlier audit printed: it must still be there.")
    ] = None,
) -> None:
    """Prove the ledger: every sum, balance and hold; exit 1 and the first bad row where it does not hold."""
    from api.commands.audit import audit as run

    raise typer.Exit(run(as_json=json, seal=seal, since_last=since_last, expect_head=expect_head))


@app.command()
def statement(
    account: Annotated[str, typer.Argument(help="The account's id.")],
    at: Annotated[
        str | None, typer.Option(help="A moment with its zone, such as 2026-11-21T08:00:00Z.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many transfers, newest first.")] = 100,
    json: JsonOption = False,
) -> None:
    """Show a wallet and its transfers as they were at a moment; now by default."""
    from api.commands.audit import statement as run

    raise typer.Exit(run(account, at, limit, as_json=json))


@outbox.command("list")
def outbox_list(
    waiting: Annotated[
        bool, typer.Option(help="Those that wait, instead of those that were given up.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many, oldest first.")] = 100,
    json: JsonOption = False,
) -> None:
    """List the events that were given up after too many attempts."""
    from api.commands.outbox import list_events

    raise typer.Exit(list_events(waiting=waiting, limit=limit, as_json=json))


@outbox.command("requeue")
def outbox_requeue(
    ids: Annotated[list[int] | None, typer.Argument(help="Ids as `outbox list` prints them.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that were given up.")] = False,
) -> None:
    """Have events delivered again that were given up."""
    from api.commands.outbox import requeue

    raise typer.Exit(requeue(ids or [], everything=everything))


@app.command()
def twins(
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Look for the twins of every registered plate again.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many pairs, worst first.")] = 100,
    json: JsonOption = False,
) -> None:
    """List registered plates of two accounts that our readers take for each other."""
    from api.commands.twins import twins as run

    raise typer.Exit(run(refresh=refresh, limit=limit, as_json=json))


@app.command()
def torture(
    seed: Annotated[int, typer.Option(help="The same seed plays the same faults.")] = 1,
    commands: Annotated[int, typer.Option(min=1_000, help="Commands of all storms together.")] = 1_000_000,
    kills: Annotated[int, typer.Option(min=10, help="Kills of all storms together.")] = 520,
    only: Annotated[str, typer.Option(help="Part of the name of the faults to play.")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="Small storms, within a minute.")] = False,
    folder: Annotated[Path | None, typer.Option(help="Where the databases stand; decides the disk.")] = None,
    state: Annotated[
        Path | None, typer.Option(help="File that keeps what is done; the same again goes on from there.")
    ] = None,
    minutes: Annotated[
        int | None, typer.Option(min=1, help="Send no more after so long; show what was played.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Kill, cut, lose, repeat: prove that no answered command is lost or doubled; exit 1 where one is."""
    from api.commands.torture import torture as run

    raise typer.Exit(
        run(
            seed=seed,
            commands=commands,
            kills=kills,
            only=only,
            quick=quick,
            as_json=json,
            folder=folder,
            state=state,
            minutes=minutes,
        )
    )


@app.command()
def simulate(
    seed: Annotated[int, typer.Option(min=0, help="The same seed plays the same city.")] = 1,
    only: Annotated[str, typer.Option(help="all, city or forecourt.")] = "all",
    customers: Annotated[int | None, typer.Option(min=1_000, help="Customers of the city.")] = None,
    visits: Annotated[int | None, typer.Option(min=1_000, help="Visits of the city to draw.")] = None,
    misreads: Annotated[
        Path | None, typer.Option(help="What `measure-misreads` wrote; else the file the service ships with.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0, help="How long the forecourt plays; 0 plays one seed only.")
    ] = None,
    bug: Annotated[str | None, typer.Option(help="Plant this bug in the forecourt and find it.")] = None,
    bugs: Annotated[bool, typer.Option("--bugs", help="Plant every bug in turn and find it.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes, within 50 s.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit 1 and name the bars that are missed.")] = False,
    json: JsonOption = False,
    workers: Annotated[int, typer.Option(min=1, help="So many processes play the cities.")] = 1,
) -> None:
    """A simulated city: how often would the wrong customer pay, and does the forecourt always add up."""
    from api.commands.simulate import Asked
    from api.commands.simulate import simulate as run

    raise typer.Exit(
        run(
            Asked(
                seed=seed,
                only=only,
                customers=customers,
                visits=visits,
                misreads=misreads,
                seconds=seconds,
                bug=bug,
                bugs=bugs,
                quick=quick,
                check=check,
                as_json=json,
                workers=workers,
            )
        )
    )


@app.command()
def migrate(
    grant_to: Annotated[
        str | None, typer.Option(help="A PostgreSQL role that the service shall run as: gets what it needs.")
    ] = None,
) -> None:
    """Bring the database to the tables of this version."""
    from api.commands.serve import migrate as run

    run(grant_to)


@operator.command("add")
def operator_add(
    name: Annotated[str, typer.Argument(help="The name the operator logs in with.")],
    password_file: Annotated[
        Path | None, typer.Option(help="File whose first line is the password; without it you are asked.")
    ] = None,
    role: Annotated[
        str, typer.Option(help="admin, finance, reviewer or auditor: what they may do besides reading.")
    ] = "admin",
) -> None:
    """Create an operator."""
    from api.commands.access import add_operator

    add_operator(name, password_file, role)


@app.command()
def corrections(
    export: Annotated[
        Path, typer.Option(help="Folder for corrections.jsonl and the pictures; made where it is not there.")
    ],
    json: JsonOption = False,
) -> None:
    """Hand out what reviewers said of readings as labelled samples, for training."""
    from api.commands.corrections import export_corrections

    raise typer.Exit(export_corrections(export, as_json=json))


@device.command("add")
def device_add(
    name: Annotated[str, typer.Argument(help="The device's id, unique in the service.")],
    role: Annotated[str, typer.Option(help="camera or pump.")],
    station: Annotated[str, typer.Option(help="The station it stands at and speaks for.")],
) -> None:
    """Register a camera or pump and print the key it signs with."""
    from api.commands.access import add_device

    add_device(name, role, station)


def main() -> None:
    """Entry point: expected failures become one line on stderr and exit code 2."""
    with readable_failures():
        app(prog_name="platepay")


if __name__ == "__main__":
    sys.exit(main())
