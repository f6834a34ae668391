"""The reader as a torch module, and its trained numbers back in the ONNX file it came from.

The graph of the file is never rebuilt: training changes numbers only, so the exported network keeps its free
width and batch, and what was measured on the first file holds for its structure.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from onnx2torch import convert
from torch import Tensor, nn

# Smaller constants are shapes, scales and the like, which are no weights.
LEAST_WEIGHTS = 64


class PlateReaderNetwork(nn.Module):
    """A reader file for training: `forward` gives logits, before the softmax the file ends with.

    crops: (N, 3, 48, 168) float32. Returns (N, 21, classes).
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        model = onnx.load(str(path))
        last = model.graph.node[-1]
        if last.op_type != "Softmax":
            raise ValueError(f"{path.name} ends with {last.op_type}, not with a softmax")
        model.graph.output[0].name = last.input[0]
        model.graph.node.remove(last)
        self.layers = convert(model)
        make_constants_trainable(self.layers)
        keep_depthwise_exact(self.layers)

    def forward(self, crops: Tensor) -> Tensor:
        """Logits of every step."""
        logits: Tensor = self.layers(crops)
        return logits


def make_constants_trainable(layers: nn.Module) -> None:
    """onnx2torch keeps the factors of plain multiplications as buffers: make the large ones parameters."""
    for module in layers.modules():
        for name, buffer in list(module.named_buffers(recurse=False)):
            if buffer.is_floating_point() and buffer.numel() >= LEAST_WEIGHTS:
                del module._buffers[name]
                module.register_parameter(name, nn.Parameter(buffer.clone()))


class Exact(nn.Module):
    """A layer that stays in 32 bits while the rest runs in bfloat16."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, features: Tensor) -> Tensor:
        """What the layer makes of it."""
        with torch.autocast("cpu", enabled=False):
            result: Tensor = self.layer(features.float())
        return result


def keep_depthwise_exact(layers: nn.Module) -> None:
    """Depth-wise convolutions in bfloat16 train at less than half the speed on a CPU."""
    for name, layer in list(layers.named_children()):
        if isinstance(layer, nn.Conv2d) and layer.groups > 1:
            setattr(layers, name, Exact(layer))
        else:
            keep_depthwise_exact(layer)


def initializer_names(path: Path, network: PlateReaderNetwork) -> dict[str, str]:
    """Which tensor of the file each parameter of the untrained network is, by their equal contents."""
    waiting: dict[bytes, list[str]] = {}
    for tensor in onnx.load(str(path)).graph.initializer:
        waiting.setdefault(content(numpy_helper.to_array(tensor)), []).append(tensor.name)
    names = {}
    for name, parameter in network.named_parameters():
        same = waiting.get(content(parameter.detach().numpy()), [])
        if len(same) == 1:
            names[name] = same[0]
        else:
            # Nothing tells equal tensors apart, so they stay as they are.
            parameter.requires_grad_(False)
    return names


def content(values: NDArray[np.float32]) -> bytes:
    """Shape and numbers of an array, to compare by."""
    return repr(values.shape).encode() + np.ascontiguousarray(values).tobytes()


def store(base: Path, names: dict[str, str], weights: dict[str, Tensor], version: str, out: Path) -> None:
    """Write `base` with the trained numbers to `out`."""
    model = onnx.load(str(base))
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    for name, target in names.items():
        values = weights[name].detach().to(torch.float32).contiguous().numpy()
        tensors[target].CopyFrom(numpy_helper.from_array(values, target))
    for entry in model.metadata_props:
        if entry.key == "version":
            entry.value = version
    onnx.save(model, str(out))
