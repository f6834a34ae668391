"""The reference as one would write it: letterbox, yolo11n, suppression, crop, PP-OCR, best path."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from api.commands.bench_reference.recognition import with_stock_classes
from api.commands.bench_reference.yolo11 import SIZE, yolo11n
from vision.backends import SECOND_READER, load_network
from vision.cards import Weights, open_weights
from vision.detector import Network
from vision.types import Image

Floats = npt.NDArray[np.float32]
Timed = TypeVar("Timed")
Box = tuple[int, int, int, int]

LINE_WIDTH, LINE_HEIGHT = 320, 48
SCORE = 0.25
OVERLAP = 0.45
# Weights by chance find nothing. So many boxes a frame are suppressed all the same, as a street scene has.
BOXES = 30


class ReferencePipeline:
    """Finds and reads, and is wrong about everything: only its cost means something."""

    def __init__(self, detector: Network, recogniser: Network) -> None:
        self._detector = detector
        self._recogniser = recogniser

    def run(self, image: Image, plate: Box, timed: Callable[[str, Callable[[], Timed]], Timed]) -> None:
        """One frame. plate: x1, y1, x2, y2 of the crop that is read; timed: runs the work of a stage."""
        timed("detect", lambda: self._detect(image))
        line = timed("crop", lambda: self._cut(image, plate))
        timed("read", lambda: self._read(line))

    def _detect(self, image: Image) -> list[int]:
        output = self._detector.run(square(image))[0]
        scores = output[4:].max(axis=0)
        likely = np.flatnonzero(scores >= SCORE)
        if len(likely) < BOXES:
            likely = np.argpartition(scores, -BOXES)[-BOXES:]
        boxes, classes = output[:4, likely].T, output[4:, likely].argmax(axis=0)
        boxes[:, :2] -= boxes[:, 2:] / 2
        # Boxes of different classes are moved apart, so that they do not suppress each other.
        boxes[:, :2] += classes[:, None] * SIZE
        return [
            int(likely[k]) for k in cv2.dnn.NMSBoxes(boxes.tolist(), scores[likely].tolist(), 0.0, OVERLAP)
        ]

    def _cut(self, image: Image, plate: Box) -> Floats:
        x1, y1, x2, y2 = plate
        crop = image[y1:y2, x1:x2]
        width = min(LINE_WIDTH, max(1, round(LINE_HEIGHT * crop.shape[1] / crop.shape[0])))
        line = cv2.resize(crop, (width, LINE_HEIGHT), interpolation=cv2.INTER_LINEAR)
        batch = np.zeros((1, 3, LINE_HEIGHT, LINE_WIDTH), np.float32)
        batch[0, :, :, :width] = (line.transpose(2, 0, 1).astype(np.float32) / 255 - 0.5) / 0.5
        return batch

    def _read(self, line: Floats) -> list[int]:
        best = self._recogniser.run(line)[0].argmax(axis=1).tolist()
        return [character for character, _ in itertools.groupby(best) if character]


def square(image: Image) -> Floats:
    """(1, 3, 640, 640) float32 RGB 0..1, the picture amid grey."""
    height, width = image.shape[:2]
    scale = SIZE / max(height, width)
    w, h = round(width * scale), round(height * scale)
    small = cv2.resize(image, (w, h), interpolation=cv2.INTER_LINEAR)
    left, top = (SIZE - w) // 2, (SIZE - h) // 2
    framed = cv2.copyMakeBorder(
        small, top, SIZE - h - top, left, SIZE - w - left, cv2.BORDER_CONSTANT, value=(114, 114, 114)
    )
    return np.asarray(cv2.dnn.blobFromImage(framed, 1 / 255, swapRB=True), np.float32)


def load_reference(engine: str) -> ReferencePipeline:
    """The reference in an engine, warm. Raises VisionError, ValueError."""
    second = open_weights(SECOND_READER)
    detector, _ = yolo11n()
    built = {
        "detector": (detector, (1, 3, SIZE, SIZE)),
        "recogniser": (with_stock_classes(second.content), (1, 3, LINE_HEIGHT, LINE_WIDTH)),
    }
    networks = {}
    for name, (model, shape) in built.items():
        weights = Weights(second.path, model.SerializeToString(), "", {})
        networks[name] = load_network(weights, engine, "auto", shape)
        networks[name].run(np.zeros(shape, np.float32))
    return ReferencePipeline(**networks)
