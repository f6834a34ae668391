"""Build the training set of the plate detector, in the layout ultralytics reads.

    python -m models.plate_detector.dataset --out runs/plate_detector/data

Real scenes with known corners, the same scenes with another plate laid over the real one, drawn plates on
pictures without any, foreign plates as boxes only, and pictures with nothing to find.
"""

import argparse
import shutil
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from rich.progress import track

from models.pictures import LabelledPicture, data_root, load_image, read_pictures
from models.plate_art.random_plates import pick
from models.plate_crops.scenes import mounted_plate, weather
from models.plate_detector.compose import (
    Image,
    Sample,
    Target,
    cut,
    damage,
    light_gain,
    lit,
    overlaps,
    paste,
    random_corners,
    target_of,
    transform,
    transform_target,
    visible_share,
    widen,
    window,
)
from models.plate_detector.decoys import with_decoys
from vision.plates import DIGITS, LETTERS

CONFIG = Path(__file__).with_name("config.toml")
SIZES = ((16, 9), (16, 9), (4, 3), (4, 3), (3, 4), (1, 1), (9, 16))
GREY_FILL = (90, 90, 90)
HELD_OUT_EVERY = 20  # each twentieth source picture is for validation only
YAML = """path: {path}
train: images/train
val: images/val
names:
  0: plate
kpt_shape: [4, 3]
flip_idx: [1, 0, 3, 2]
kpt_oks_sigmas: [{sigma}, {sigma}, {sigma}, {sigma}]
"""


def read_config(path: Path = CONFIG) -> dict[str, Any]:
    """The configuration, by default `config.toml` beside this file."""
    with path.open("rb") as file:
        return tomllib.load(file)


class Sources:
    """The labelled pictures, split so that training and validation share no source picture."""

    def __init__(self, root: Path, held_out: bool) -> None:
        def chosen(folder: str) -> list[LabelledPicture]:
            pictures = read_pictures(root / "train" / folder)
            return [p for i, p in enumerate(pictures) if (i % HELD_OUT_EVERY == 0) == held_out]

        far = [p for p in chosen("scenes") if p.plates and p.plates[0].corners is not None]
        near = [p for p in chosen("scenes_near") if p.plates and p.plates[0].corners is not None]
        self.scenes = far + near
        # The near scenes are few and sharp: cut them as often as the far ones.
        self.scenes_balanced = far + near * max(1, len(far) // max(2 * len(near), 1))
        self.foreign = chosen("foreign_boxes") + chosen("foreign_boxes_road")
        self.negatives = chosen("negatives")
        # Some negatives are thumbnails: true examples of nothing, but a poor ground for plates.
        self.grounds = [p for p in self.negatives if min(load_image(p.path).shape[:2]) >= 200]


def sample_of(picture: LabelledPicture) -> Sample:
    """The picture as it lies on disk."""
    targets = []
    for plate in picture.plates:
        if plate.corners is not None:
            targets.append(target_of(plate.corners))
        elif plate.box is not None:
            targets.append(Target(plate.box, None))
    return Sample(load_image(picture.path), targets)


def random_size(rng: Generator, long_side: int) -> tuple[int, int]:
    """(width, height) of a picture of some usual shape."""
    w, h = SIZES[rng.integers(len(SIZES))]
    return round(long_side * w / max(w, h)), round(long_side * h / max(w, h))


def random_share(rng: Generator) -> float:
    """How much of the picture's width a plate takes: small ones more often, close-ups often enough."""
    return float(np.exp(rng.uniform(np.log(0.06), np.log(0.95))))


def least_share(
    box: tuple[float, float, float, float], source: tuple[int, int], size: tuple[int, int]
) -> float:
    """The share of the width at which the whole source just fits the (width, height) picture."""
    scale = min(size[0] / source[0], size[1] / source[1])
    return (box[2] - box[0]) * scale / size[0]


def cut_scene(picture: LabelledPicture, rng: Generator, long_side: int) -> Sample:
    """A window on a picture, around its first plate if it has one."""
    sample = sample_of(picture)
    size = random_size(rng, long_side)
    h, w = sample.image.shape[:2]
    if sample.targets:
        box = sample.targets[0].box
        share = max(random_share(rng), least_share(box, (w, h), size))
    else:
        box, share = (0.0, 0.0, float(w), float(h)), float(rng.uniform(0.9, 2.0))
    cut_out = cut(sample, window(box, size, share, rng), size)
    return Sample(damage(cut_out.image, rng), cut_out.targets)


def hide_plate(picture: LabelledPicture, rng: Generator, long_side: int) -> Sample:
    """A window on a scene whose plate is smoothed away: lamps, badges and grilles, nothing to find."""
    scene = sample_of(picture)
    image = scene.image
    for target in scene.targets:
        if target.corners is None:
            raise ValueError("the corners of a scene must be known")
        behind = widen(target.corners, 1.15, 1.4)
        x1, y1, _, y2 = (max(0, round(v)) for v in target_of(behind).box)
        beside = image[y1:y2, max(0, x1 - 12) : x1 + 3].reshape(-1, 3)
        colour = np.median(beside, axis=0) if len(beside) else np.array([90, 90, 90])
        panel = np.full((40, 120, 3), colour, np.uint8)
        image = paste(image, panel, behind, 3.0)
    h, w = image.shape[:2]
    size = random_size(rng, long_side)
    x, y = scene.targets[0].corners.mean(axis=0)  # type: ignore[union-attr]
    # Look at the neighbourhood of where the plate was: that is where the look-alikes are.
    scale = max(float(rng.uniform(1.0, 2.0)) * size[0] / w, size[0] / w, size[1] / h)
    left = float(np.clip(size[0] * rng.uniform(0.2, 0.8) - x * scale, size[0] - w * scale, 0))
    top = float(np.clip(size[1] * rng.uniform(0.3, 0.9) - y * scale, size[1] - h * scale, 0))
    matrix = np.array([[scale, 0, left], [0, scale, top], [0, 0, 1]], np.float64)
    return Sample(damage(cut(Sample(image), matrix, size).image, rng), [])


def replace_plate(picture: LabelledPicture, rng: Generator, long_side: int) -> Sample:
    """A window on a scene with a drawn plate laid over the real one, in the light of the real one.

    The scene is cut first and the plate drawn at the cut's resolution, so that close-ups are sharp.
    """
    scene = sample_of(picture)
    corners = scene.targets[0].corners
    if corners is None:
        raise ValueError("the corners of a scene must be known")
    plate = mounted_plate(rng)
    h, w = plate.picture.shape[:2]
    # A longer or taller plate must still hide the real one, hence a hair over the true size.
    wide = widen(corners, 1.03 * w / 440, 1.05 * h / 140)
    size = random_size(rng, long_side)
    box = target_of(wide).box
    source_size = (scene.image.shape[1], scene.image.shape[0])
    share = max(random_share(rng), least_share(box, source_size, size))
    matrix = window(box, size, share, rng)
    background = cut(Sample(scene.image), matrix, size).image
    laid = transform(wide, matrix)
    picture_lit = lit(plate.picture, light_gain(scene.image, corners) * rng.uniform(0.85, 1.15))
    image = paste(background, picture_lit, laid, rng.uniform(0.4, 1.2))
    return Sample(damage(weather(image, rng), rng), [target_of(laid)])


def compose(background: Sample, rng: Generator) -> Sample:
    """Some drawn plates, and now and then a sign that is none, on a picture."""
    image, targets = background.image, list(background.targets)
    h, w = image.shape[:2]
    count = int(rng.choice([1, 2, 3, 5], p=[0.45, 0.3, 0.15, 0.1]))
    largest = {1: 0.98, 2: 0.7, 3: 0.45, 5: 0.3}[count]
    for _ in range(count):
        plate = mounted_plate(rng)
        ph, pw = plate.picture.shape[:2]
        for _attempt in range(5):
            width = w * float(np.exp(rng.uniform(np.log(0.06), np.log(largest))))
            centre = rng.uniform(0.02, 0.98) * w, rng.uniform(0.02, 0.98) * h
            corners = random_corners(centre, width, pw / ph, rng)
            target = target_of(corners)
            if visible_share(target, (w, h)) > 0.85 and not overlaps(target, targets):
                if rng.random() < 0.6:
                    image = mount(image, corners, rng)
                shade = lit(plate.picture, rng.uniform(0.35, 1.15))
                image = paste(image, shade, corners, rng.uniform(0.4, 1.2))
                targets.append(target)
                break
    for _ in range(int(rng.choice([0, 1, 2, 4], p=[0.4, 0.25, 0.2, 0.15]))):
        image = put_sign(image, targets, rng)
    return Sample(damage(weather(image, rng), rng), targets)


def mount(image: Image, corners: np.ndarray, rng: Generator) -> Image:
    """A plain panel behind the plate, as a bumper or a frame would be, so that its edge is no giveaway."""
    panel = np.full((40, 120, 3), rng.uniform(5, 235), np.uint8) + rng.integers(0, 12, 3).astype(np.uint8)
    behind = widen(corners, rng.uniform(1.03, 1.6), rng.uniform(1.06, 2.2))
    return paste(image, panel, behind, rng.uniform(0.5, 3))


def put_sign(image: Image, targets: list[Target], rng: Generator) -> Image:
    """A board with the wrong number of characters, or a lamp, put on the picture: nothing to find."""
    h, w = image.shape[:2]
    count = int(rng.choice([0, 1, 2, 3, 4, 10, 12], p=[0.3, 0.1, 0.15, 0.15, 0.1, 0.1, 0.1]))
    board = np.full((70, 40 * count + 30, 3), rng.integers(0, 255, 3), np.uint8)
    if count == 0:
        board = lamp(rng)
    ink = tuple(int(v) for v in rng.integers(0, 255, 3))
    for position in range(count):
        text = pick(rng, LETTERS + DIGITS)
        origin = (18 + 40 * position, 52)
        cv2.putText(
            board, text, origin, cv2.FONT_HERSHEY_SIMPLEX, 1.5, ink, int(rng.integers(2, 5)), cv2.LINE_AA
        )
    centre = rng.uniform(0.1, 0.9) * w, rng.uniform(0.1, 0.9) * h
    corners = random_corners(centre, rng.uniform(0.04, 0.3) * w, board.shape[1] / board.shape[0], rng)
    return image if overlaps(target_of(corners), targets) else paste(image, board, corners)


def lamp(rng: Generator) -> Image:
    """A tail lamp: red or orange, brighter in the middle, with a few bars. (60, 150, 3) uint8 BGR."""
    x, y = np.linspace(-1, 1, 150), np.linspace(-1, 1, 60)[:, None]
    glow = np.exp(-rng.uniform(0.3, 2) * (x**2 + y**2))[..., None] * rng.uniform(120, 255)
    picture = glow * np.array([rng.uniform(0.05, 0.5), rng.uniform(0.05, 0.6), 1.0])
    for bar in rng.uniform(0, 150, int(rng.integers(0, 6))):
        picture[:, int(bar) : int(bar) + 3] *= rng.uniform(0.3, 1.6)
    return np.clip(picture, 0, 255).astype(np.uint8)


def pick_background(sources: Sources, rng: Generator, long_side: int) -> Sample:
    """A picture to put plates on: no plate of its own, or only labelled ones."""
    size = random_size(rng, long_side)
    kind = rng.random()
    if kind < 0.35:
        picture = sources.grounds[rng.integers(len(sources.grounds))]
    elif kind < 0.65:
        picture = sources.foreign[rng.integers(len(sources.foreign))]
    else:
        picture = sources.scenes[rng.integers(len(sources.scenes))]
    sample = sample_of(picture)
    h, w = sample.image.shape[:2]
    fill = max(size[0] / w, size[1] / h) * float(rng.uniform(1.0, 2.0))
    left, top = rng.uniform(size[0] - w * fill, 0), rng.uniform(size[1] - h * fill, 0)
    matrix = np.array([[fill, 0, left], [0, fill, top], [0, 0, 1]], np.float64)
    whole = cut(Sample(sample.image, sample.targets), matrix, size)
    # A plate cut by the border is neither there nor not there: paint it over.
    for target in (transform_target(t, matrix) for t in sample.targets):
        if visible_share(target, size) > 0 and not any(target.box == kept.box for kept in whole.targets):
            x1, y1, x2, y2 = (round(v) for v in target.box)
            whole.image[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)] = GREY_FILL
    return whole


def decoy(sources: Sources, rng: Generator, long_side: int) -> Sample:
    """A scene, a picture without plates or one with drawn plates, and on it what is taken for a plate."""
    kind = rng.random()
    if kind < 0.4:
        sample = cut_scene(
            sources.scenes_balanced[rng.integers(len(sources.scenes_balanced))], rng, long_side
        )
    elif kind < 0.7:
        sample = cut_scene(sources.grounds[rng.integers(len(sources.grounds))], rng, long_side)
    else:
        sample = compose(pick_background(sources, rng, long_side), rng)
    return with_decoys(sample, rng)


def label_line(target: Target, width: int, height: int) -> str:
    """One row of an ultralytics pose label: class, box, four corners with visibility, all relative."""
    x1, x2 = np.clip((target.box[0], target.box[2]), 0, width) / width
    y1, y2 = np.clip((target.box[1], target.box[3]), 0, height) / height
    numbers = [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]
    row = "0 " + " ".join(f"{v:.6f}" for v in numbers)
    for corner in range(4):
        if target.corners is None:
            row += " 0 0 0"
            continue
        x, y = target.corners[corner][0] / width, target.corners[corner][1] / height
        is_inside = 0 <= x <= 1 and 0 <= y <= 1
        row += f" {x:.6f} {y:.6f} 2" if is_inside else " 0 0 0"
    return row


def write(sample: Sample, folder: Path, split: str, name: str) -> None:
    """Store one picture and its labels."""
    h, w = sample.image.shape[:2]
    cv2.imwrite(str(folder / "images" / split / f"{name}.jpg"), sample.image, [cv2.IMWRITE_JPEG_QUALITY, 92])
    rows = [label_line(target, w, h) for target in sample.targets]
    (folder / "labels" / split / f"{name}.txt").write_text("\n".join(rows) + "\n" if rows else "")


def plan(
    sources: Sources, numbers: dict[str, Any], part: float
) -> Iterator[tuple[str, Callable[[Generator], Sample]]]:
    """What to make: a name and a function of the random source each; `part` scales the counts."""
    side = numbers["long_side_px"]

    def any_of(pictures: list[LabelledPicture], rng: Generator) -> LabelledPicture:
        return pictures[rng.integers(len(pictures))]

    if part == 1:  # validation has enough with the cuts
        for picture in sources.scenes * numbers["scenes_as_they_are"]:
            yield "scene", lambda _, p=picture: sample_of(p)
    made: dict[str, tuple[str, Callable[[Generator], Sample]]] = {
        "scene_cuts": ("cut", lambda rng: cut_scene(any_of(sources.scenes_balanced, rng), rng, side)),
        "replaced": ("replaced", lambda rng: replace_plate(any_of(sources.scenes_balanced, rng), rng, side)),
        "hidden": ("hidden", lambda rng: hide_plate(any_of(sources.scenes_balanced, rng), rng, side)),
        "composites": ("composite", lambda rng: compose(pick_background(sources, rng, side), rng)),
        "decoys": ("decoy", lambda rng: decoy(sources, rng, side)),
    }
    for key, name_and_maker in made.items():
        for _ in range(round(numbers.get(key, 0) * part)):
            yield name_and_maker
    for picture in sources.foreign:
        yield "foreign", lambda _, p=picture: sample_of(p)
        for _ in range(numbers["foreign_cuts"] - 1):
            yield "foreign_cut", lambda rng, p=picture: cut_scene(p, rng, side)
    for picture in sources.negatives:
        yield "negative", lambda _, p=picture: sample_of(p)
        for _ in range(numbers["negative_cuts"] - 1):
            yield "negative_cut", lambda rng, p=picture: cut_scene(p, rng, side)


def build(out: Path, root: Path, config: dict[str, Any]) -> Path:
    """Make the whole data set under `out`; returns the path of its YAML file."""
    numbers = config["dataset"]
    made = numbers["scene_cuts"] + numbers["replaced"] + numbers["composites"]
    for split, part in (("train", 1.0), ("val", numbers["validation"] / max(made, 1))):
        for kind in ("images", "labels"):
            shutil.rmtree(out / kind / split, ignore_errors=True)
            (out / kind / split).mkdir(parents=True)
        jobs = list(plan(Sources(root, held_out=split == "val"), numbers, part))
        for number, (name, make) in enumerate(track(jobs, description=split)):
            rng = np.random.default_rng([numbers["seed"], split == "val", number])
            write(make(rng), out, split, f"{name}_{number:05d}")
    yaml = out / "data.yaml"
    yaml.write_text(YAML.format(path=out.resolve(), sigma=config["train"]["corner_sigma"]))
    return yaml


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=data_root(), help="labelled pictures")
    parser.add_argument("--out", type=Path, default=Path("runs/plate_detector/data"))
    parser.add_argument("--config", type=Path, default=CONFIG)
    arguments = parser.parse_args()
    print(build(arguments.out, arguments.data, read_config(arguments.config)))


if __name__ == "__main__":
    main()
