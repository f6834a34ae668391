"""Builds ONNX graphs of convolutional networks, with weights by chance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper

IR_VERSION = 8
OPSET = 17


@dataclass(frozen=True, slots=True)
class Tensor:
    """A value of the graph, (N, channels, ...)."""

    name: str
    channels: int


class Graph:
    """A graph being built. seed: of its weights. parameters: how many weights and biases it has so far."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self.parameters = 0

    def add(
        self, operator: str, inputs: Sequence[str], channels: int, outputs: int = 1, **attributes: Any
    ) -> list[Tensor]:
        """A node with so many outputs, of `channels` each."""
        number = len(self._nodes)
        names = [f"{operator.lower()}_{number}_{i}" for i in range(outputs)]
        self._nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return [Tensor(name, channels) for name in names]

    def constant(self, values: npt.ArrayLike, dtype: npt.DTypeLike = np.float32) -> str:
        """The name of a constant with these values."""
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def convolution(
        self,
        x: Tensor,
        channels: int,
        size: int = 1,
        stride: int = 1,
        *,
        groups: int = 1,
        activated: bool = True,
        bias: float = 0.0,
    ) -> Tensor:
        """A convolution with its batch normalisation folded in, and SiLU behind it unless told otherwise."""
        shape = (channels, x.channels // groups, size, size)
        # Variance stays near 1 from layer to layer: numbers too small to be normal would cost extra time.
        scale = math.sqrt(2 / math.prod(shape[1:]))
        weights = self._rng.normal(0, scale, shape)
        biases = np.full(channels, bias)
        self.parameters += weights.size + biases.size
        inputs = [x.name, self.constant(weights), self.constant(biases)]
        pads = [size // 2] * 4
        kernel, strides = [size, size], [stride, stride]
        [y] = self.add(
            "Conv", inputs, channels, kernel_shape=kernel, strides=strides, pads=pads, group=groups
        )
        return self.silu(y) if activated else y

    def silu(self, x: Tensor) -> Tensor:
        """x times its sigmoid."""
        [gate] = self.add("Sigmoid", [x.name], x.channels)
        return self.binary("Mul", x, gate)

    def binary(self, operator: str, x: Tensor, y: Tensor | str) -> Tensor:
        """An operator of two values, or of one and a constant."""
        return self.add(operator, [x.name, y if isinstance(y, str) else y.name], x.channels)[0]

    def concat(self, tensors: Sequence[Tensor], axis: int = 1) -> Tensor:
        """One behind the other."""
        channels = sum(t.channels for t in tensors) if axis == 1 else tensors[0].channels
        return self.add("Concat", [t.name for t in tensors], channels, axis=axis)[0]

    def split(self, x: Tensor, parts: Sequence[int], axis: int = 1) -> list[Tensor]:
        """Parts of so many channels each."""
        sizes = self.constant(parts, np.int64)
        tensors = self.add("Split", [x.name, sizes], 0, outputs=len(parts), axis=axis)
        return [Tensor(t.name, size) for t, size in zip(tensors, parts, strict=True)]

    def reshape(self, x: Tensor, shape: Sequence[int]) -> Tensor:
        """The same values in another shape."""
        return self.add("Reshape", [x.name, self.constant(shape, np.int64)], shape[1])[0]

    def model(self, input_shape: Sequence[int], output: Tensor, output_shape: Sequence[int]) -> ModelProto:
        """The finished network, from `image` to `output0`. Raises onnx.checker.ValidationError."""
        self._nodes.append(helper.make_node("Identity", [output.name], ["output0"]))
        graph = helper.make_graph(
            self._nodes,
            "reference",
            [helper.make_tensor_value_info(INPUT.name, TensorProto.FLOAT, input_shape)],
            [helper.make_tensor_value_info("output0", TensorProto.FLOAT, output_shape)],
            self._constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = IR_VERSION
        checker.check_model(model, full_check=True)
        return model


INPUT = Tensor("image", 3)
