"""The commands of a camera's worker."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.cli_options import EngineOption, JsonOption

# Without a name: its commands stand beside those of api/cli.py.
cameras = typer.Typer()
spool = typer.Typer(help="What a camera has for the service and could not hand over.", no_args_is_help=True)
cameras.add_typer(spool, name="spool")

CameraArgument = Annotated[str, typer.Argument(help="Name of the camera.")]


@cameras.command()
def watch(
    camera: Annotated[str, typer.Option("--camera", help="Name of the camera in the file.")],
    cameras_file: Annotated[Path, typer.Option("--cameras", help="The file that names the cameras.")] = Path(
        "cameras.toml"
    ),
    engine: EngineOption = "auto",
) -> None:
    """Watch one camera and hand its sightings to the service, or print them where the file names none."""
    from api.commands.watch import watch as run

    raise typer.Exit(run(cameras_file, camera, engine))


@spool.command("list")
def spool_list(
    camera: CameraArgument,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many, oldest first.")] = 100,
    json: JsonOption = False,
) -> None:
    """List what the service refused for good, and count what waits."""
    from api.commands.spool import list_spool

    raise typer.Exit(list_spool(camera, limit=limit, as_json=json))


@spool.command("requeue")
def spool_requeue(camera: CameraArgument) -> None:
    """Have everything sent again that the service refused for good; nothing is recorded twice."""
    from api.commands.spool import requeue_spool

    raise typer.Exit(requeue_spool(camera))
