"""Measure a plate reader on labelled crops, greedy decoding, without the grammar.

    python -m models.evaluate_reader [--weights vision/weights/plate_reader.onnx]

Crop sets are resized as they lie; pictures with corners are levelled by them first. Reports the whole plate,
the province alone and the rest alone, in counts, and a 95 % interval of the first.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from rich.progress import track

from models.cards import WEIGHTS
from models.intervals import wilson
from models.pictures import Image, LabelledPlate, data_root, load_image, read_pictures
from vision.rectify import level, merge_rows

CROP_SETS = ("lprnet_test", "lyl8213_crops", "cn_misc_crops", "edenatoniuma_crops")
SCENE_SETS = (
    "passerbyzzz_provinces",
    "cn_misc",
    "cn_extra",
    "shaowenfu_boxes",
    "casuallyname_test",
    "ccpd_misc",
)


class Reader:
    """A reader network with greedy CTC decoding; the metadata says how to feed it."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        about = self.session.get_modelmeta().custom_metadata_map
        self.alphabet = about["alphabet"]
        self.size = int(about["input_width"]), int(about["input_height"])

    def read(self, crops: list[Image]) -> list[str]:
        """The text of each levelled crop, (H, W, 3) uint8 BGR."""
        resized = [cv2.resize(crop, self.size, interpolation=cv2.INTER_LINEAR) for crop in crops]
        batch = (np.stack(resized).astype(np.float32) / 255 - 0.5) / 0.5
        feed = {self.session.get_inputs()[0].name: np.ascontiguousarray(batch.transpose(0, 3, 1, 2))}
        return [self.greedy(steps) for steps in self.session.run(None, feed)[0]]

    def greedy(self, probabilities: NDArray[np.float32]) -> str:
        """The best class of each step, repeats and blanks taken out."""
        best = probabilities.argmax(1)
        kept = [c for i, c in enumerate(best) if c and (i == 0 or c != best[i - 1])]
        text = "".join(self.alphabet[c - 1] for c in kept)
        # The one rule of the grammar applied here: O stands in the second place only.
        return text[:2] + text[2:].replace("O", "0")


def labelled_crops(root: Path, name: str) -> Iterator[tuple[Image, LabelledPlate]]:
    """Every readable plate of a development set, levelled where corners are known."""
    for picture in read_pictures(root / "dev" / name):
        image = load_image(picture.path)
        for plate in picture.plates:
            if not plate.text:
                continue
            if plate.corners is not None:
                crop = level(image, plate.corners)
                yield crop if plate.rows == 1 else merge_rows(crop), plate
            elif name in CROP_SETS:
                yield image, plate


def measure(reader: Reader, root: Path, name: str) -> dict[str, int]:
    """Counts of one set: plates, whole plate right, province right, the rest right."""
    counts = {"plates": 0, "exact": 0, "province": 0, "rest": 0}
    for crop, plate in track(list(labelled_crops(root, name)), description=name, transient=True):
        text = reader.read([crop])[0]
        counts["plates"] += 1
        counts["exact"] += text == plate.text
        counts["province"] += text[:1] == plate.text[:1]
        counts["rest"] += text[-len(plate.text) + 1 :] == plate.text[1:]
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=Path, default=WEIGHTS / "plate_reader.onnx")
    parser.add_argument("--data", type=Path, default=data_root())
    parser.add_argument("--sets", nargs="*", default=[*CROP_SETS, *SCENE_SETS])
    parser.add_argument("--json", type=Path, default=None, help="also write the counts here")
    arguments = parser.parse_args()
    reader = Reader(arguments.weights)
    results = {}
    for name in arguments.sets:
        counts = results[name] = measure(reader, arguments.data, name)
        low, high = wilson(counts["exact"], counts["plates"])
        print(
            f"{name:24} exact {counts['exact']}/{counts['plates']} ({low:.1f} to {high:.1f} %)"
            f"  province {counts['province']}  rest {counts['rest']}"
        )
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
