"""Measure a plate detector on the labelled scenes: found and false plates, with counts.

    python -m models.plate_detector.evaluate [--weights vision/weights/plate_detector.onnx]

A plate is found where a detection meets its labelled box with an intersection over union of at least `iou`.
Also reports the mean distance of the corners, as a share of the plate's width, where people marked them.
"""

import argparse
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from rich.progress import track

from models.cards import WEIGHTS
from models.intervals import wilson
from models.pictures import Image, LabelledPicture, data_root, load_image, read_pictures

CONFIG = Path(__file__).with_name("config.toml")
SETS = (
    "dev/passerbyzzz_provinces",
    "dev/cn_misc",
    "dev/cn_extra",
    "dev/shaowenfu_boxes",
    "dev/casuallyname_test",
    "dev/ccpd_misc",
    "dev/duany049",
    "dev/openalpr_foreign",
    # Cars from above, no plate to be read: every detection is false.
    "video/intel_car-detection.mp4",
)
STRIDE = 32
GREY = 114
SUPPRESSION_IOU = 0.5


@dataclass(frozen=True)
class Found:
    """Detections of one picture, best first: boxes (N, 4) x1 y1 x2 y2, scores (N,), corners (N, 4, 3)."""

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    corners: NDArray[np.float32]


class Detector:
    """The network with letterboxing and suppression."""

    def __init__(self, path: Path, long_side: int, score: float) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.long_side = long_side
        self.score = score

    def find(self, image: Image) -> Found:
        """The plates of a picture, (H, W, 3) uint8 BGR, in its own pixels."""
        h, w = image.shape[:2]
        scale = self.long_side / max(h, w)
        size = round(w * scale), round(h * scale)
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        canvas = np.full((-(-size[1] // STRIDE) * STRIDE, -(-size[0] // STRIDE) * STRIDE, 3), GREY, np.uint8)
        canvas[: size[1], : size[0]] = cv2.resize(image, size, interpolation=method)
        feed = canvas[None, :, :, ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 255
        output = self.session.run(None, {"images": np.ascontiguousarray(feed)})[0][0].T
        output = output[output[:, 4] >= self.score]
        output = output[np.argsort(-output[:, 4])]
        centre, half = output[:, :2], output[:, 2:4] / 2
        boxes = np.concatenate([centre - half, centre + half], axis=1)
        kept = suppress(boxes)
        corners = output[:, 5:].reshape(-1, 4, 3).copy()
        corners[..., :2] /= scale
        return Found(boxes[kept] / scale, output[kept, 4], corners[kept])


def iou_table(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of every box of `a` (N, 4) with every box of `b` (M, 4)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(2)
    area_a, area_b = (a[:, 2:] - a[:, :2]).prod(1), (b[:, 2:] - b[:, :2]).prod(1)
    table: NDArray[np.float32] = common / np.maximum(area_a[:, None] + area_b - common, 1e-9)
    return table


def suppress(boxes: NDArray[np.float32]) -> list[int]:
    """Which boxes (best first) stay when each drops the later ones it overlaps."""
    table = iou_table(boxes, boxes)
    kept: list[int] = []
    for i in range(len(boxes)):
        if all(table[i, k] < SUPPRESSION_IOU for k in kept):
            kept.append(i)
    return kept


def judge(found: Found, picture: LabelledPicture, iou: float) -> dict[str, float]:
    """Counts of one picture: plates, found, false, and the corner errors of those found."""
    labelled = [p for p in picture.plates if p.box is not None]
    truth = np.array([p.box for p in labelled], np.float32).reshape(-1, 4)
    table = iou_table(truth, found.boxes) if len(truth) and len(found.boxes) else np.zeros((len(truth), 0))
    counts = {"plates": len(truth), "found": 0, "false": len(found.boxes), "corner_error": 0.0, "corners": 0}
    for i, plate in enumerate(labelled):
        if table.shape[1] == 0 or table[i].max() < iou:
            continue
        best = int(table[i].argmax())
        table[:, best] = 0
        counts["found"] += 1
        counts["false"] -= 1
        if plate.corners is not None:
            away = np.linalg.norm(found.corners[best, :, :2] - plate.corners, axis=1).mean()
            counts["corner_error"] += float(away / max(plate.box[2] - plate.box[0], 1))
            counts["corners"] += 1
    return counts


def measure(detector: Detector, pictures: list[LabelledPicture], iou: float, name: str) -> dict[str, Any]:
    """Sums over a set; corner error becomes the mean in percent of the plate's width."""
    total: dict[str, Any] = {"pictures": len(pictures), "plates": 0, "found": 0, "false": 0}
    error, corners = 0.0, 0
    for picture in track(pictures, description=name, transient=True):
        counts = judge(detector.find(load_image(picture.path)), picture, iou)
        for key in ("plates", "found", "false"):
            total[key] += int(counts[key])
        error, corners = error + counts["corner_error"], corners + int(counts["corners"])
    total["corner_error_percent_of_width"] = round(100 * error / corners, 2) if corners else None
    return total


def measure_video(detector: Detector, path: Path, every: int = 15) -> dict[str, Any]:
    """Detections on every so many-th frame of a video in which no plate can be read: all are false."""
    video = cv2.VideoCapture(str(path))
    total: dict[str, Any] = {"pictures": 0, "plates": 0, "found": 0, "false": 0}
    number = 0
    while video.grab():
        if number % every == 0:
            ok, frame = video.retrieve()
            if ok:
                total["pictures"] += 1
                total["false"] += len(detector.find(np.asarray(frame, np.uint8)).boxes)
        number += 1
    video.release()
    return total | {"corner_error_percent_of_width": None}


def pictures_of(root: Path, name: str) -> list[LabelledPicture]:
    """A set by its folder; a folder whose rows name no plate gives its pictures as negatives."""
    pictures = read_pictures(root / name)
    return [p for p in pictures if not p.plates or any(plate.box is not None for plate in p.plates)]


def main() -> None:
    with CONFIG.open("rb") as file:
        config = tomllib.load(file)["evaluate"]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=Path, default=WEIGHTS / "plate_detector.onnx")
    parser.add_argument("--data", type=Path, default=data_root())
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    parser.add_argument("--score", type=float, default=config["score"])
    parser.add_argument("--long-side", type=int, default=config["long_side_px"])
    parser.add_argument("--json", type=Path, default=None, help="also write the counts here")
    arguments = parser.parse_args()
    detector = Detector(arguments.weights, arguments.long_side, arguments.score)
    results = {}
    for name in arguments.sets:
        if name.endswith(".mp4"):
            r = results[name] = measure_video(detector, arguments.data / name)
        else:
            r = results[name] = measure(detector, pictures_of(arguments.data, name), config["iou"], name)
        low, high = wilson(r["found"], r["plates"])
        print(
            f"{name:26} found {r['found']}/{r['plates']} ({low:.1f} to {high:.1f} %)  false {r['false']} in"
            f" {r['pictures']} pictures  corners {r['corner_error_percent_of_width']} % of width"
        )
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
