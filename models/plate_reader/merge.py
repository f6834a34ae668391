"""The mean of two checkpoints of one training, which reads unseen plates better than either.

    python -m models.plate_reader.merge runs/reader/fourth/checkpoint.pt runs/reader/fifth/checkpoint.pt \\
        --out runs/reader/plate_reader.onnx

The later stage must have begun from the earlier one: only then lies something sensible between them
(M. Wortsman et al., Model soups, 2022).
"""

import argparse
import tomllib
from pathlib import Path
from typing import Any

import torch

from models.plate_reader.network import FirstReader, export
from models.plate_reader.train import CONFIG


def mean(states: list[dict[str, Any]]) -> dict[str, Any]:
    """Every number the mean of its counterparts; counters are taken from the last."""
    return {
        name: torch.stack([state[name] for state in states]).mean(0) if last.is_floating_point() else last
        for name, last in states[-1].items()
    }


def merge(checkpoints: list[Path], config: dict[str, Any], out: Path) -> Path:
    """Write the mean of the averaged weights of all checkpoints as ONNX."""
    network = FirstReader(**config["network"])
    network.load_state_dict(mean([torch.load(path, weights_only=True)["averaged"] for path in checkpoints]))
    return export(network, f"{config['version']}-mean", out)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("--config", type=Path, default=CONFIG.with_name("config-fifth.toml"))
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    with arguments.config.open("rb") as file:
        config = tomllib.load(file)
    print(merge(arguments.checkpoints, config, arguments.out))


if __name__ == "__main__":
    main()
