"""Make the first plate reader: PP-OCRv4 mobile recognition with its classifier cut down to plate characters.

    python -m models.second_reader.build --source ch_PP-OCRv4_rec_infer.onnx

The source is in the wheel `rapidocr_onnxruntime` 1.4.4 (Apache-2.0). Nothing is trained: of 6,625 output
classes those of `ALPHABET` and the blank are kept, and the softmax then runs over these alone.

crops: (N, 3, 48, W) float32 BGR, (value / 255 - 0.5) / 0.5. probabilities: (N, W / 8, 1 + characters).
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxslim
from onnx import helper, numpy_helper

from models.alphabet import ALPHABET, INPUT_HEIGHT, METADATA
from models.cards import publish

CARD = {
    "name": "plate_reader",
    "licence": "Apache-2.0",
    "source": "PP-OCRv4 mobile recognition (PaddleOCR), as shipped in rapidocr_onnxruntime 1.4.4",
    "trained_on": "nothing of ours: the classifier is cut to the plate alphabet",
    "metrics": {},
    "made_with": "python -m models.second_reader.build --source ch_PP-OCRv4_rec_infer.onnx",
}


def kept_classes(model: onnx.ModelProto) -> list[int]:
    """The source's class numbers of the blank and of every character of `ALPHABET`, in that order."""
    properties = {p.key: p.value for p in model.metadata_props}
    # Class 0 of PP-OCR is the blank; the listed characters follow.
    characters = properties["character"].splitlines()
    return [0, *(characters.index(character) + 1 for character in ALPHABET)]


def slice_classifier(model: onnx.ModelProto, classes: list[int]) -> None:
    """Cut the last matrix and its bias to these columns; changes `model`."""
    softmax = next(
        n for n in model.graph.node if n.op_type == "Softmax" and n.output[0] == model.graph.output[0].name
    )
    add = next(n for n in model.graph.node if softmax.input[0] in n.output)
    product = next(n for n in model.graph.node if add.input[0] in n.output)
    for name in (product.input[1], add.input[1]):
        tensor = next(t for t in model.graph.initializer if t.name == name)
        values = np.ascontiguousarray(numpy_helper.to_array(tensor)[..., classes])
        tensor.CopyFrom(numpy_helper.from_array(values, name))


def rename_ends(model: onnx.ModelProto) -> None:
    """Call the input `crops` and the output `probabilities`, with their shapes; changes `model`."""
    old_in, old_out = model.graph.input[0].name, model.graph.output[0].name
    for node in model.graph.node:
        node.input[:] = ["crops" if name == old_in else name for name in node.input]
        node.output[:] = ["probabilities" if name == old_out else name for name in node.output]
    float32 = onnx.TensorProto.FLOAT
    shape_in, shape_out = ["batch", 3, INPUT_HEIGHT, "width"], ["batch", "steps", len(ALPHABET) + 1]
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("crops", float32, shape_in))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("probabilities", float32, shape_out))


def set_metadata(model: onnx.ModelProto, values: dict[str, str]) -> None:
    """Replace all metadata of the model; changes `model`."""
    del model.metadata_props[:]
    for key, value in values.items():
        model.metadata_props.add(key=key, value=value)


def build(source: Path) -> onnx.ModelProto:
    """The reader, ready to save."""
    # Slimming turns the constants into named tensors, among them the classifier's.
    model = onnxslim.slim(onnx.load(str(source)))
    slice_classifier(model, kept_classes(model))
    rename_ends(model)
    del model.graph.value_info[:]
    set_metadata(model, METADATA | {"version": "0-stock"})
    onnx.checker.check_model(model)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", type=Path, required=True, help="ch_PP-OCRv4_rec_infer.onnx")
    parser.add_argument("--out", type=Path, default=None, help="where to save; without it: publish")
    arguments = parser.parse_args()
    model = build(arguments.source)
    if arguments.out is not None:
        onnx.save(model, str(arguments.out))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plate_reader.onnx"
        onnx.save(model, str(path))
        print(publish(path, CARD))


if __name__ == "__main__":
    main()
