"""Stock PP-OCR mobile recognition: the graph of our second reader with as many classes as the stock one."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import ModelProto, numpy_helper

# The characters of the stock Chinese dictionary, the space and the blank.
CLASSES = 6625


def with_stock_classes(content: bytes, classes: int = CLASSES) -> ModelProto:
    """The exported reader with its classifier widened; the added weights repeat the others.

    Raises ValueError where the network does not end in a linear layer.
    """
    model = onnx.load_from_string(content)
    weights = {constant.name: constant for constant in model.graph.initializer}
    layers = [node for node in model.graph.node if node.op_type in ("MatMul", "Gemm")]
    if not layers or layers[-1].input[1] not in weights:
        raise ValueError("the second reader does not end in a linear layer, so it cannot be widened")
    columns = weights[layers[-1].input[1]].dims[-1]
    behind = list(model.graph.node)[list(model.graph.node).index(layers[-1]) :]
    for name in {name for node in behind for name in node.input}:
        if name in weights and weights[name].dims and weights[name].dims[-1] == columns:
            values = numpy_helper.to_array(weights[name])
            wide = np.resize(np.moveaxis(values, -1, 0), (classes, *values.shape[:-1]))
            weights[name].CopyFrom(numpy_helper.from_array(np.moveaxis(wide, 0, -1).copy(), name))
    model.graph.output[0].type.tensor_type.shape.dim[2].dim_value = classes
    del model.graph.value_info[:]
    return model
