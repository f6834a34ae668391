"""The detector through ultralytics and torch: for training machines and GPUs (extra `train`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vision.cards import open_weights
from vision.detector import clipped
from vision.errors import EngineMissingError
from vision.rectify import is_plausible
from vision.types import Detection, Image


class UltralyticsDetector:
    """Finds plates with a pose network that ultralytics loads (.pt, .onnx).

    device: as ultralytics names them, such as "cpu" or "0" for the first GPU; None: that GPU where there is
    one. A `.pt` file is a pickle: load only what you made. Raises EngineMissingError, WeightsError.
    """

    def __init__(
        self,
        path: Path | str,
        device: str | None = None,
        *,
        long_side_px: int = 640,
        score: float = 0.35,
        overlap: float = 0.5,
    ) -> None:
        weights = open_weights(Path(path).name, Path(path))
        try:
            import torch  # type: ignore[import-not-found, unused-ignore]
            from ultralytics import YOLO  # type: ignore[attr-defined, import-not-found, unused-ignore]
        except ImportError as error:
            raise EngineMissingError("ultralytics", "ultralytics", "train") from error
        self._network: Any = YOLO(str(weights.path), task="pose")
        self._network.add_callback("on_predict_start", _name_the_class)
        self._options = {
            "device": device or ("0" if torch.cuda.is_available() else "cpu"),
            "imgsz": long_side_px,
            "conf": score,
            "iou": overlap,
            "verbose": False,
        }

    def detect(self, image: Image) -> list[Detection]:
        """Plates, best first. image: (H, W, 3) uint8 BGR; not changed."""
        [result] = self._network.predict(image, **self._options)
        if result.keypoints is None or result.boxes is None:
            return []
        corners = np.asarray(result.keypoints.xy.cpu(), np.float32)
        scores = np.asarray(result.boxes.conf.cpu(), np.float32)
        size = (image.shape[1], image.shape[0])
        return [
            Detection(clipped(found, size), float(score))
            for found, score in zip(corners, scores, strict=True)
            if is_plausible(found)
        ]


def _name_the_class(predictor: Any) -> None:
    """Ultralytics counts the classes by their names, which our exported files do not carry."""
    predictor.model.names = {0: "plate"}
