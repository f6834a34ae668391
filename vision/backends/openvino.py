"""OpenVINO: the quickest engine on x86, in particular where the processor multiplies bfloat16 matrices."""

from __future__ import annotations

import io
import threading
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import openvino  # type: ignore[import-untyped]

Floats = npt.NDArray[np.float32]


class OpenVinoNetwork:
    """An ONNX file compiled for this processor; one thread, usable from any one thread at a time.

    notes: the metadata of the file.
    """

    def __init__(self, content: bytes, precision: Literal["auto", "f32"] = "auto") -> None:
        core = openvino.Core()
        model = core.read_model(io.BytesIO(content))
        self.notes = _notes(model)
        options: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": 1,
            "ENABLE_CPU_PINNING": False,
        }
        if precision == "f32":
            options["INFERENCE_PRECISION_HINT"] = "f32"
        self._compiled = core.compile_model(model, "CPU", options)
        self._lock = threading.Lock()

    def run(self, batch: Floats) -> Floats:
        """The first output for `batch`."""
        with self._lock:
            results = self._compiled([batch])
            return np.array(results[0], np.float32)


def _notes(model: Any) -> dict[str, str]:
    """The ONNX metadata, which OpenVINO keeps under `framework`."""
    kept = model.get_rt_info()
    if "framework" not in kept:
        return {}
    return {str(key): str(value.value) for key, value in kept["framework"].items()}
