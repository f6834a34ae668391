"""The commands of fees."""

from __future__ import annotations

from typing import Annotated

import typer

from api.cli_options import JsonOption

fees = typer.Typer(help="What stations' sales cost them: agree, settle, look at it.", no_args_is_help=True)

Station = Annotated[str, typer.Option(help="The station.")]
By = Annotated[str, typer.Option(help="The operator who asks, with the right to move money.")]
Key = Annotated[str, typer.Option(help="Names the command for ever: the same again gets the first answer.")]


@fees.command("set")
def set_fee(
    station: Station,
    rate_ppm: Annotated[int, typer.Option(help="Of each sale, in parts per million; 6000 is 0.6 %.")],
    reason: Annotated[str, typer.Option(help="Why; kept with who and when.")],
    by: By,
    key: Key,
    fixed_fen: Annotated[int, typer.Option(help="On top for each sale.")] = 0,
    valid_from: Annotated[
        str | None, typer.Option("--from", help="For sales from this moment on, with its zone; now.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Write down what each sale of a station costs it from a moment on; exit 1 where that is rejected."""
    from api.commands.fees import set_fee as run

    raise typer.Exit(
        run(
            station=station,
            rate_ppm=rate_ppm,
            fixed_fen=fixed_fen,
            valid_from=valid_from,
            reason=reason,
            by=by,
            key=key,
            as_json=json,
        )
    )


@fees.command("settle")
def settle(
    by: By,
    key: Key,
    station: Annotated[str | None, typer.Option(help="Only this station.")] = None,
    through: Annotated[
        str | None, typer.Option(help="Only what was sealed by this moment, with its zone.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Book the fees of what was sold and given back since the last settlement."""
    from api.commands.fees import settle as run

    raise typer.Exit(run(station=station, through=through, by=by, key=key, as_json=json))


@fees.command("list")
def list_fees(
    station: Annotated[str | None, typer.Option(help="Only this station.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many settlements.")] = 100,
    json: JsonOption = False,
) -> None:
    """List terms and settlements, of each station the newest first."""
    from api.commands.fees import list_fees as run

    raise typer.Exit(run(station=station, limit=limit, as_json=json))


@fees.command("statement")
def statement(
    station: Station,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many settlements.")] = 100,
    json: JsonOption = False,
) -> None:
    """Show what a station sold, less refunds and fees, and its fees; it reads the whole ledger."""
    from api.commands.fees import statement as run

    raise typer.Exit(run(station=station, limit=limit, as_json=json))
