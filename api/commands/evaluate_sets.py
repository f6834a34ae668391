"""The labelled sets that `platepay evaluate --all` judges, and how each is shown to the recogniser."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import av
import numpy as np

from api.commands.failures import CommandError
from vision.labelled import LabelledPicture, LabelledPlate, add_picture, evaluate_labels, read_labels
from vision.metrics import Report
from vision.picture import Detector, Reader, read_picture

# scenes and crops hold plates to be read; foreign those of other countries; a video none of ours.
Form = Literal["scenes", "crops", "foreign", "no plates", "video"]

VIDEO_STEP_S: Final = 0.5
SEED: Final = 3
# How many pictures a sample takes of each set of a form.
SAMPLED: Final = {"scenes": 12, "crops": 40, "foreign": 5, "no plates": 6, "video": 4}


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """One set of the data folder. path: of its folder, or of the video."""

    name: str
    path: str
    form: Form


SETS: Final = (
    LabelledSet("passerbyzzz_provinces", "dev/passerbyzzz_provinces", "scenes"),
    LabelledSet("cn_misc", "dev/cn_misc", "scenes"),
    LabelledSet("cn_extra", "dev/cn_extra", "scenes"),
    LabelledSet("shaowenfu_boxes", "dev/shaowenfu_boxes", "scenes"),
    LabelledSet("duany049", "dev/duany049", "scenes"),
    LabelledSet("casuallyname_test", "dev/casuallyname_test", "scenes"),
    LabelledSet("ccpd_misc", "dev/ccpd_misc", "scenes"),
    LabelledSet("lprnet_test", "dev/lprnet_test", "crops"),
    LabelledSet("lyl8213_crops", "dev/lyl8213_crops", "crops"),
    LabelledSet("cn_misc_crops", "dev/cn_misc_crops", "crops"),
    LabelledSet("edenatoniuma_crops", "dev/edenatoniuma_crops", "crops"),
    LabelledSet("openalpr_foreign", "dev/openalpr_foreign", "foreign"),
    LabelledSet("negatives", "train/negatives", "no plates"),
    LabelledSet("intel_car-detection", "video/intel_car-detection.mp4", "video"),
    LabelledSet("parkpow_cars", "video/parkpow_cars.mp4", "video"),
)


class LoadedSet:
    """One set with what of it is judged: its pictures, or its video and how many frames of it."""

    def __init__(self, labelled_set: LabelledSet, folder: Path, *, is_sample: bool) -> None:
        self.set = labelled_set
        self.path = folder / labelled_set.path
        self.pictures: list[LabelledPicture] = []
        limit = SAMPLED[labelled_set.form] if is_sample else None
        if labelled_set.form == "video":
            self.frame_numbers = frame_numbers(self.path, limit)
            self.length = len(self.frame_numbers)
            return
        self.pictures = sampled(self._labels(), limit)
        self.length = len(self.pictures)

    def _labels(self) -> list[LabelledPicture]:
        try:
            pictures = read_labels(self.path / "labels.csv")
        except OSError as error:
            raise CommandError(f"{self.path / 'labels.csv'}: cannot be read ({error.strerror})") from error
        except (KeyError, ValueError) as error:
            raise CommandError(f"{self.path / 'labels.csv'}: is no labels.csv ({error})") from error
        if self.set.form != "foreign":
            return pictures
        # Of a stranger's plate only the place counts: no text that is given there is right.
        return [
            LabelledPicture(p.path, tuple(LabelledPlate("", plate.kind, plate.box) for plate in p.plates))
            for p in pictures
        ]

    def steps(
        self, detector: Detector, reader: Reader, report: Report, *, with_views: bool
    ) -> Iterator[None]:
        """Judge picture by picture into `report`; one step a picture."""
        if self.set.form == "video":
            for picture, image in self._frames():
                add_picture(
                    report, picture, read_picture(image, detector, reader), image if with_views else None
                )
                yield
            return
        crops = self.set.form == "crops"
        for picture in self.pictures:
            evaluate_labels([picture], detector, reader, crops=crops, report=report, with_views=with_views)
            yield

    def _frames(self) -> Iterator[tuple[LabelledPicture, np.ndarray]]:
        wanted = set(self.frame_numbers)
        with av.open(str(self.path)) as container:
            for number, frame in enumerate(container.decode(video=0)):
                if number in wanted:
                    name = self.path.with_name(f"{self.path.stem} frame {number}")
                    yield LabelledPicture(name, ()), np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
                if number >= self.frame_numbers[-1]:
                    return


def load_sets(folder: Path, *, is_sample: bool, sets: Sequence[LabelledSet] = SETS) -> list[LoadedSet]:
    """The sets that the folder holds. Raises CommandError where it holds none, or one cannot be read."""
    present = [s for s in sets if (folder / s.path).exists()]
    if not present:
        raise CommandError(
            f"{folder}: holds none of the labelled sets; give --data the folder that has dev/ and train/"
        )
    return [LoadedSet(s, folder, is_sample=is_sample) for s in present]


def sampled(pictures: list[LabelledPicture], limit: int | None) -> list[LabelledPicture]:
    """At most `limit` pictures, the same ones every time, in their order."""
    if limit is None or len(pictures) <= limit:
        return pictures
    chosen = np.random.default_rng(SEED).choice(len(pictures), limit, replace=False)
    return [pictures[i] for i in sorted(chosen)]


def frame_numbers(video: Path, limit: int | None) -> list[int]:
    """Numbers of frames half a second apart; with a limit fewer, spread evenly."""
    try:
        with av.open(str(video)) as container:
            stream = container.streams.video[0]
            rate = float(stream.average_rate or 10)
            frames = stream.frames or sum(1 for _ in container.decode(video=0))
    except (OSError, av.FFmpegError, IndexError) as error:
        raise CommandError(f"{video}: is no video that can be read ({error})") from error
    step = max(1, round(rate * VIDEO_STEP_S))
    if limit is not None:
        step = max(step, -(-frames // limit))
    return list(range(0, frames, step))
