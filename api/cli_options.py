"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
EngineOption = Annotated[
    str,
    typer.Option(
        envvar="PLATEPAY_ENGINE", help="auto, openvino, onnx, torch or ultralytics: what runs the networks."
    ),
]
