"""Turn a trained checkpoint into the ONNX file the service runs, and publish it with its card.

    python -m models.plate_detector.export --checkpoint runs/plate_detector/train/weights/last.pt --publish

images: (N, 3, H, W) float32 RGB 0..1, H and W multiples of 32. output0: (N, 17, anchors): box centre x, y,
width, height in input pixels, score 0..1, then x, y, visibility 0..1 of each corner (top-left, top-right,
bottom-right, bottom-left). Nothing is suppressed inside.
"""

import argparse
import json
import tomllib
from pathlib import Path
from typing import Any

import onnx
from ultralytics import YOLO

from models.cards import publish

CONFIG = Path(__file__).with_name("config.toml")
METADATA = {
    "kind": "plate_detector",
    "kpt_shape": "[4, 3]",
    "corners": "top-left, top-right, bottom-right, bottom-left",
    "stride": "32",
    "input": "RGB 0..1",
    "output": "cx cy w h score (x y visibility)*4",
}
CARD = {
    "name": "plate_detector",
    "licence": "AGPL-3.0-or-later",
    "source": "YOLOv8n-pose (ultralytics, AGPL-3.0), started from the detector of fastanpr 0.1.13 (AGPL-3.0)",
    "trained_on": "CCPD scenes (MIT) as they are and with drawn plates laid over the real ones; "
    "drawn plates on other pictures; open-lpr and RobertLucian foreign plates (boxes only); "
    "COCO pictures without plates",
    "made_with": "models/plate_detector: dataset, train, export; config.toml to config-third.toml",
    "long_side_px": 384,
    "score": 0.42,
}


def export(checkpoint: Path, version: str) -> Path:
    """The ONNX file beside the checkpoint: any batch, height and width."""
    path = Path(YOLO(str(checkpoint)).export(format="onnx", dynamic=True, simplify=True, opset=17))
    model = onnx.load(str(path))
    # Ultralytics' own entries carry the date and local paths; ours say what a reader of the file needs.
    del model.metadata_props[:]
    for key, value in (METADATA | {"version": version}).items():
        model.metadata_props.add(key=key, value=value)
    model.doc_string = ""
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--publish", action="store_true", help="copy to vision/weights and write the card")
    parser.add_argument("--metrics", type=Path, default=None, help="JSON of evaluate.py, for the card")
    parser.add_argument("--version", default=None)
    arguments = parser.parse_args()
    with CONFIG.open("rb") as file:
        config: dict[str, Any] = tomllib.load(file)
    path = export(arguments.checkpoint, arguments.version or config["version"])
    if path.stat().st_size > config["export"]["limit_mb"] * 1e6:
        raise SystemExit(f"{path.name} is larger than {config['export']['limit_mb']} MB")
    if arguments.publish:
        metrics = json.loads(arguments.metrics.read_text()) if arguments.metrics else {}
        path = publish(path, CARD | {"metrics": metrics})
    print(path)


if __name__ == "__main__":
    main()
