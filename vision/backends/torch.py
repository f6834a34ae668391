"""PyTorch: the exported networks on a GPU, or on the processor where there is none (extra `train`)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx  # type: ignore[import-not-found, unused-ignore]
import torch  # type: ignore[import-not-found, unused-ignore]
from onnx2torch import convert  # type: ignore[import-not-found, unused-ignore]

Floats = npt.NDArray[np.float32]


class TorchNetwork:
    """An ONNX file as a module of PyTorch.

    scale: it is shown pictures, uint8, and takes their levels times this; without, float32. device: as torch
    names them; None: the GPU where there is one. takes_batches: whether they are quicker than one after the
    other. notes: the metadata of the file. Raises ValueError where the content is no network, or has a layer
    that onnx2torch does not know.
    """

    def __init__(self, content: bytes, scale: float | None = None, *, device: str | None = None) -> None:
        self._scale = scale
        self._device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.takes_batches = self._device.type != "cpu"
        try:
            model = onnx.load_from_string(content)
            self.notes = {entry.key: entry.value for entry in model.metadata_props}
            self._module = convert(_with_plain_constants(model)).eval().to(self._device)
        except (NotImplementedError, RuntimeError, ValueError) as error:
            raise ValueError(str(error)) from error

    def run(self, batch: npt.NDArray[np.generic]) -> Floats:
        """The first output for `batch`."""
        floats = batch if self._scale is None else np.multiply(batch, self._scale, dtype=np.float32)
        with torch.inference_mode():
            output = self._module(torch.from_numpy(floats).to(self._device))
        first = output if isinstance(output, torch.Tensor) else output[0]
        return np.asarray(first.float().cpu().numpy(), np.float32)


def _with_plain_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network with its constants among the weights: onnx2torch knows their nodes up to opset 18."""
    nodes = [node for node in model.graph.node if node.op_type == "Constant"]
    for node in nodes:
        value = onnx.numpy_helper.to_array(next(a.t for a in node.attribute if a.name == "value"))
        model.graph.initializer.append(onnx.numpy_helper.from_array(value, node.output[0]))
        model.graph.node.remove(node)
    return model
