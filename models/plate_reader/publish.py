"""Put a trained reader into the shipped weights, with its card.

python -m models.plate_reader.publish --weights runs/plate_reader/plate_reader.onnx --metrics metrics.json
"""

import argparse
import json
from pathlib import Path

from models.cards import publish

CARD = {
    "name": "plate_reader",
    "licence": "Apache-2.0",
    "source": "PP-OCRv4 mobile recognition (PaddleOCR), as shipped in rapidocr_onnxruntime 1.4.4, "
    "classifier cut to the plate alphabet",
    "trained_on": "CCPD plates (MIT) levelled by their corners, the same with another province drawn in, "
    "and drawn plates of all kinds",
    "made_with": "models/plate_reader: build, train; config.toml",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, required=True, help="JSON of evaluate.py")
    arguments = parser.parse_args()
    metrics = json.loads(arguments.metrics.read_text(encoding="utf-8"))
    print(publish(arguments.weights, CARD | {"metrics": metrics}))


if __name__ == "__main__":
    main()
