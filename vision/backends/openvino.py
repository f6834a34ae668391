"""OpenVINO: the quickest engine on x86, in particular where the processor multiplies bfloat16 matrices."""

from __future__ import annotations

import io
import threading
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import openvino  # type: ignore[import-untyped]
from openvino import opset13 as ops
from openvino.preprocess import PrePostProcessor  # type: ignore[import-untyped]

Floats = npt.NDArray[np.float32]
Shape = tuple[int, int, int, int]


class OpenVinoNetwork:
    """An ONNX file compiled for this processor; one thread, usable from any one thread at a time.

    shape: compiled for batches of this shape, which saves a tenth to a fifth of the time; the first batch of
    another shape compiles the network once more, for any. by_pixel: the batches lie in memory pixel by pixel;
    others are taken too and copied first. scale: it is shown pictures, uint8, by pixel, and takes their
    levels times this; without, float32. notes: the metadata of the file. Raises ValueError where the content
    is no network.
    """

    takes_batches = True

    def __init__(
        self,
        content: bytes,
        precision: Literal["auto", "f32"] = "auto",
        shape: Shape | None = None,
        *,
        by_pixel: bool = False,
        scale: float | None = None,
    ) -> None:
        self._content = content
        self._shape = shape
        self._by_pixel = by_pixel or scale is not None
        self._scale = scale
        self._options: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": 1,
            "ENABLE_CPU_PINNING": False,
        }
        if precision == "f32":
            self._options["INFERENCE_PRECISION_HINT"] = "f32"
        self._core = openvino.Core()
        try:
            model = self._core.read_model(io.BytesIO(content))
            self.notes = _notes(model)
            self._usual = self._compiled(model, shape)
        except RuntimeError as error:
            raise ValueError(str(error).strip().splitlines()[-1]) from error
        self._any = None if shape is not None else self._usual
        self._lock = threading.Lock()

    def run(self, batch: npt.NDArray[np.generic]) -> Floats:
        """The first output for `batch`."""
        if self._scale is not None and batch.shape != self._shape:
            batch = np.multiply(batch, self._scale, dtype=np.float32)
        laid_out = np.ascontiguousarray(batch.transpose(0, 2, 3, 1) if self._by_pixel else batch)
        with self._lock:
            request = self._request_for(batch)
            request.set_input_tensor(openvino.Tensor(laid_out, shared_memory=True))
            request.infer()
            return np.array(request.get_output_tensor(0).data, np.float32)

    def _request_for(self, batch: npt.NDArray[np.generic]) -> Any:
        if batch.shape == self._shape:
            return self._usual
        if self._any is None:
            self._any = self._compiled(self._core.read_model(io.BytesIO(self._content)), None)
        return self._any

    def _compiled(self, model: Any, shape: Shape | None) -> Any:
        """What runs the network, for batches of one shape or of any."""
        if shape is not None:
            model.reshape(shape)
        if self._scale is not None and shape is not None:
            model = _shown_pictures(model, self._scale)
        elif self._by_pixel:
            steps = PrePostProcessor(model)
            steps.input().tensor().set_layout(openvino.Layout("NHWC"))
            steps.input().model().set_layout(openvino.Layout("NCHW"))
            model = steps.build()
        return self._core.compile_model(model, "CPU", self._options).create_infer_request()


def _shown_pictures(model: Any, scale: float) -> Any:
    """The same network, of one shape, for pictures: (N, h, w, 3) uint8.

    Scaled before the channels come first, no value is moved in memory, and all come out as scaled outside.
    Networks for any shape would do it in bfloat16, and not the same.
    """
    count, channels, height, width = model.input(0).shape
    pictures = ops.parameter([count, height, width, channels], np.uint8)
    scaled = ops.multiply(ops.convert(pictures, "f32"), ops.constant(np.float32(scale)))
    channels_first = ops.transpose(scaled, ops.constant([0, 3, 1, 2]))
    for target in model.input(0).get_target_inputs():
        target.replace_source_output(channels_first.output(0))
    return openvino.Model(model.get_results(), [pictures])


def _notes(model: Any) -> dict[str, str]:
    """The ONNX metadata, which OpenVINO keeps under `framework`."""
    kept = model.get_rt_info()
    if "framework" not in kept:
        return {}
    return {str(key): str(value.value) for key, value in kept["framework"].items()}
