"""Turn a trained checkpoint into the ONNX file the service runs, and publish it with its card.

    python -m models.plate_detector.export --checkpoint runs/plate_detector/train/weights/last.pt --publish

images: (N, 3, H, W) float32 RGB 0..1, H and W multiples of 32. output0: (N, 17, anchors): box centre x, y,
width, height in input pixels, score 0..1, then x, y, visibility 0..1 of each corner (top-left, top-right,
bottom-right, bottom-left). Nothing is suppressed inside. The box is the one around the corners: the layers
that training gave the box, an eighth of the network's cost, are left out.
"""

import argparse
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
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
    "made_with": "models/plate_detector: dataset, train, slim, export; "
    "config.toml to config-fifth.toml, config-slim.toml",
    "long_side_px": 384,
    "score": 0.42,
}


def export(checkpoint: Path, version: str) -> Path:
    """The ONNX file beside the checkpoint: any batch, height and width."""
    path = Path(YOLO(str(checkpoint)).export(format="onnx", dynamic=True, simplify=True, opset=17))
    model = onnx.load(str(path))
    take_boxes_from_corners(model.graph)
    # Ultralytics' own entries carry the date and local paths; ours say what a reader of the file needs.
    del model.metadata_props[:]
    for key, value in (METADATA | {"version": version}).items():
        model.metadata_props.add(key=key, value=value)
    model.doc_string = ""
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def take_boxes_from_corners(graph: onnx.GraphProto) -> None:
    """Puts the box around the four corners where the box's own layers ended; those go, with all behind them.

    Raises ValueError where the network does not end as ultralytics' pose networks do.
    """
    producers = {name: node for node in graph.node for name in node.output}
    joined = producers["output0"]
    corners = producers[producers[joined.input[2]].input[0]].input[0]  # (N, 4, 2, anchors), before visibility
    if joined.op_type != "Concat" or producers[corners].op_type != "Mul":
        raise ValueError("the network does not end in boxes, scores and corners")
    graph.initializer.append(numpy_helper.from_array(np.array([0.5], np.float32), "half"))
    around = [
        helper.make_node("ReduceMin", [corners], ["low"], axes=[1], keepdims=0),
        helper.make_node("ReduceMax", [corners], ["high"], axes=[1], keepdims=0),
        helper.make_node("Add", ["low", "high"], ["twice_middle"]),
        helper.make_node("Mul", ["twice_middle", "half"], ["middle"]),
        helper.make_node("Sub", ["high", "low"], ["size"]),
        helper.make_node("Concat", ["middle", "size"], ["around_corners"], axis=1),
    ]
    joined.input[0] = "around_corners"
    place = next(number for number, node in enumerate(graph.node) if "output0" in node.output)
    nodes = [*graph.node[:place], *around, *graph.node[place:]]
    needed, kept = {"output0"}, []
    for node in reversed(nodes):
        if needed & set(node.output):
            kept.append(node)
            needed |= set(node.input)
    constants = [each for each in graph.initializer if each.name in needed]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(constants)


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
