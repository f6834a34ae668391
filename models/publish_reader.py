"""Put a trained reader into the shipped weights, with its card.

    python -m models.publish_reader --name plate_reader --weights runs/reader/plate_reader.onnx \\
        --metrics metrics.json --calibration calibration.json --config models/plate_reader/config-fifth.toml

`--metrics` is what `models.evaluate_reader` wrote, `--calibration` what `models.calibrate` wrote; `--config`
is that of the last stage: from its mixture follows how much oftener some characters were shown than plates
have them.
"""

import argparse
import json
import shutil
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import onnx

from models.cards import publish
from models.pictures import data_root
from models.plate_crops.crops import RealCrops
from models.plate_crops.mixture import letters_oftener, provinces_oftener

TRAINED_ON = (
    "CCPD plates (MIT) as they are, with another province drawn in, and their characters recombined to "
    "plates of every kind and province; drawn plates of all kinds"
)
CARDS = {
    "plate_reader": {
        "name": "plate_reader",
        "licence": "AGPL-3.0-or-later",
        "source": "our own network of plain convolutions, trained from nothing",
        "trained_on": TRAINED_ON,
        "made_with": "models/plate_reader: train, merge; config.toml to config-fifth.toml",
    },
    "second_reader": {
        "name": "second_reader",
        "licence": "Apache-2.0",
        "source": "PP-OCRv4 mobile recognition (PaddleOCR), as shipped in rapidocr_onnxruntime 1.4.4, "
        "classifier cut to the plate alphabet",
        "trained_on": TRAINED_ON,
        "made_with": "models/second_reader: build, train, merge; config.toml to config-seventh.toml",
    },
}


def named(weights: Path, name: str, out: Path) -> Path:
    """A copy whose metadata say which of the two readers it is."""
    shutil.copyfile(weights, out)
    model = onnx.load(str(out))
    for entry in model.metadata_props:
        if entry.key == "kind":
            entry.value = name
    onnx.save(model, str(out))
    return out


def card_of(
    name: str,
    metrics: dict[str, Any],
    calibration: dict[str, Any],
    provinces: dict[str, float],
    letters: float,
) -> dict[str, Any]:
    """The card: what it is, what it measured, how far it is to be believed.

    provinces: how much oftener than the rarest each was shown in the training. letters: how much oftener
    than in life behind the energy letter of a small car.
    """
    which = "first" if name == "plate_reader" else "second"
    found = calibration[which]
    return CARDS[name] | {
        "metrics": metrics,
        "temperature": found["temperature"],
        "provinces_oftener": provinces,
        "letters_oftener": letters,
        "reliability": found["table"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--name", choices=sorted(CARDS), required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--calibration", type=Path, required=True)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=data_root())
    arguments = parser.parse_args()
    metrics = json.loads(arguments.metrics.read_text(encoding="utf-8"))
    calibration = json.loads(arguments.calibration.read_text(encoding="utf-8"))
    mixture = tomllib.loads(arguments.config.read_text(encoding="utf-8"))["mixture"]
    real = RealCrops(arguments.data, mixture["held_out_every"], held_out=False)
    card = card_of(
        arguments.name, metrics, calibration, provinces_oftener(mixture, real), letters_oftener(mixture)
    )
    with tempfile.TemporaryDirectory() as folder:
        ready = named(arguments.weights, arguments.name, Path(folder) / "reader.onnx")
        print(publish(ready, card))


if __name__ == "__main__":
    main()
