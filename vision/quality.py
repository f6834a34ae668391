"""How well a crop can be read, from its size and sharpness alone."""

from __future__ import annotations

import cv2
import numpy as np

from vision.rectify import READER_HEIGHT, READER_WIDTH
from vision.types import Image

# Plates narrower than this cannot be read; from the second width on, more pixels do not help.
UNREADABLE_WIDTH_PX, AMPLE_WIDTH_PX = 40.0, 130.0
# Share of the contrast that lies in the finest detail: a blurred crop, a sharp one.
BLURRED, SHARP = 0.003, 0.018
LEAST = 0.05


def sharpness(crop: Image) -> float:
    """Energy of the second derivative against the contrast; does not change with brightness or contrast."""
    grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
    grey = cv2.resize(grey, (READER_WIDTH, READER_HEIGHT), interpolation=cv2.INTER_AREA).astype(np.float32)
    contrast = float(grey.var())
    if contrast < 1.0:
        return 0.0
    return float(cv2.Laplacian(grey, cv2.CV_32F).var()) / (contrast * 16)


def quality(crop: Image, width_px: float) -> float:
    """0.05 to 1: what a reading of this crop should count for. width_px: of the plate in the picture."""
    size = (width_px - UNREADABLE_WIDTH_PX) / (AMPLE_WIDTH_PX - UNREADABLE_WIDTH_PX)
    fine = (sharpness(crop) - BLURRED) / (SHARP - BLURRED)
    return float(np.clip(np.clip(size, 0.0, 1.0) * np.clip(fine, 0.0, 1.0), LEAST, 1.0))
