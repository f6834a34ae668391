"""ONNX Runtime: runs anywhere."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnxruntime  # type: ignore[import-untyped]
from onnxruntime.capi import onnxruntime_pybind11_state as refusals  # type: ignore[import-untyped]

Floats = npt.NDArray[np.float32]


class OnnxNetwork:
    """An ONNX file on the processor; one thread.

    scale: it is shown pictures, uint8, and takes their levels times this; without, float32. takes_batches:
    whether they are quicker than one after the other; measured, they are not. notes: the metadata of the
    file. Raises ValueError where the content is no network.
    """

    takes_batches = False

    def __init__(self, content: bytes, scale: float | None = None) -> None:
        self._scale = scale
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except (refusals.InvalidProtobuf, refusals.InvalidGraph, refusals.Fail) as error:
            raise ValueError(str(error)) from error
        self._input = self._session.get_inputs()[0].name
        self.notes: dict[str, str] = dict(self._session.get_modelmeta().custom_metadata_map)

    def run(self, batch: npt.NDArray[np.generic]) -> Floats:
        """The first output for `batch`."""
        floats = batch if self._scale is None else np.multiply(batch, self._scale, dtype=np.float32)
        return np.asarray(self._session.run(None, {self._input: floats})[0], np.float32)
