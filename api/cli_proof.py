"""The commands of proof: packs, their verifier, replays."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli_options import JsonOption

# Without a name: its commands stand beside those of api/cli.py.
proof = typer.Typer()


@proof.command()
def dispute(
    visit: Annotated[str, typer.Argument(help="The visit's id.")],
    out: Annotated[Path, typer.Option(help="The zip to write.")],
    purpose: Annotated[str, typer.Option(help="Why it is made; kept with who and when.")] = "dispute",
    whole: Annotated[
        bool, typer.Option("--whole", help="Pictures as they were taken, with other cars and plates.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Write all that is known of a visit into one signed zip: pictures, readings, decision, sale, ledger."""
    from api.commands.dispute import dispute as run

    raise typer.Exit(run(visit, out, purpose, whole=whole, as_json=json))


@proof.command()
def verify(
    pack: Annotated[Path, typer.Argument(help="The zip that `platepay dispute` wrote.")],
    key: Annotated[
        str | None, typer.Option(help="The service's public key, or a file of it: `platepay signing-key`.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Check a pack by its bytes alone; exit 1 and name what was changed, dropped, added, renamed or moved."""
    from api.commands.dispute import verify as run

    raise typer.Exit(run(pack, key, as_json=json))


@proof.command("signing-key")
def signing_key() -> None:
    """Print the public key that packs are checked with."""
    from api.commands.dispute import signing_key as run

    raise typer.Exit(run())


@proof.command()
def replay(
    since: Annotated[str | None, typer.Option(help="From this moment on, with its zone.")] = None,
    until: Annotated[str | None, typer.Option(help="Before this moment.")] = None,
    station: Annotated[str | None, typer.Option(help="Only this station.")] = None,
    rules: Annotated[Path | None, typer.Option(help="Rules to decide by, JSON or TOML.")] = None,
    change: Annotated[list[str] | None, typer.Option("--set", help="NAME=NUMBER: one rule changed.")] = None,
    shadow: Annotated[bool, typer.Option("--shadow", help="By the rules of PLATEPAY_SHADOW_RULES.")] = False,
    reader_calibration: Annotated[
        float, typer.Option(help="Raise each character's chance to this power before it is weighed.")
    ] = 1.0,
    out: Annotated[Path | None, typer.Option(help="Where each decision is written, a line of JSON.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Exit 1 where one drifts, or a car pays from a wrong account.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Decide stored sightings again: by the rules of then, or by others with the difference in fen."""
    from api.commands.replay import Asked
    from api.commands.replay import replay as run

    changes, sharp = tuple(change or ()), reader_calibration
    asked = Asked(since, until, station, rules, changes, shadow, sharp, out, check, json)
    raise typer.Exit(run(asked))


privacy = typer.Typer(help="What is forgotten, and what a customer may ask for.", no_args_is_help=True)
proof.add_typer(privacy, name="privacy")


@privacy.command("sweep")
def privacy_sweep(json: JsonOption = False) -> None:
    """Erase strangers' plates and pictures whose time is over (PLATEPAY_RETAIN_STRANGERS_S)."""
    from api.commands.privacy import sweep

    raise typer.Exit(sweep(as_json=json))


@privacy.command("export")
def privacy_export(
    account: Annotated[str, typer.Argument(help="The account's id.")],
    out: Annotated[Path | None, typer.Option(help="The file to write; else it is printed.")] = None,
    purpose: Annotated[str, typer.Option(help="Why; kept with who and when.")] = "customer export",
) -> None:
    """Everything that is kept of a customer, as JSON."""
    from api.commands.privacy import export

    raise typer.Exit(export(account, out, purpose))


@privacy.command("delete")
def privacy_delete(
    account: Annotated[str, typer.Argument(help="The account's id.")], json: JsonOption = False
) -> None:
    """Delete a customer whose wallet is empty: plates, name, phone, pictures; the ledger stays."""
    from api.commands.privacy import delete

    raise typer.Exit(delete(account, as_json=json))


@privacy.command("reindex")
def privacy_reindex() -> None:
    """Make the index of plates anew, after the secret has changed."""
    from api.commands.privacy import reindex

    raise typer.Exit(reindex())
