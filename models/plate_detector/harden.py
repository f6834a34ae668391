"""Give a trained detector the hard swish in place of the swish: an exponential less at every value.

    python -m models.plate_detector.harden --checkpoint last.pt --data data.yaml --out runs/harden

On a processor that multiplies matrices by itself the exponentials cost as much as the products. The network
learns to say of the training pictures what it said before, layer by layer (distillation): nothing has to be
labelled.
"""

import argparse
import tomllib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm
from ultralytics import YOLO
from ultralytics.nn.modules import Conv

from models.plate_detector.slim import batch_of, difference, pictures_of

CONFIG = Path(__file__).with_name("config-harden.toml")
# The layers whose values are compared: the ends of the blocks that hand theirs on.
COMPARED = (2, 4, 6, 9, 12, 15, 18, 21)
# How much the scores count beside the values of the layers.
SCORES = 0.003


def harden(model: nn.Module, scale: float) -> None:
    """Changes the activations, and biases so that every layer's values are `scale` times what they were.

    The hard swish x * clip(x / 6 + 1 / 2, 0, 1) is nearest to the swish at a scale a little above 1. The
    last layers of the head undo the scale.
    """
    first, head = model.model[0], model.model[-1]
    for layer in model.modules():
        if isinstance(layer, Conv):
            layer.act = nn.Hardswish(inplace=False)
            layer.bn.bias.data *= scale
            if layer is first:
                layer.bn.weight.data *= scale
            else:
                layer.bn.running_mean *= scale
    for branches in (head.cv2, head.cv3, head.cv4):
        for branch in branches:
            branch[-1].weight.data /= scale


def values_of(model: nn.Module, batch: Tensor) -> list[Tensor]:
    """What each layer before the head says, in order."""
    values: list[Tensor] = []
    x = batch
    for layer in model.model[:-1]:
        if layer.f != -1:
            x = (
                values[layer.f]
                if isinstance(layer.f, int)
                else [x if f == -1 else values[f] for f in layer.f]
            )
        x = layer(x)
        values.append(x)
    return values


def said_by_head(model: nn.Module, values: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Scores (N, 1, h, w) and corners (N, 12, h, w) of each size of map, before decoding."""
    head = model.model[-1]
    maps = [values[source] for source in head.f]
    scores = [branch(each) for branch, each in zip(head.cv3, maps, strict=True)]
    return scores, [branch(each) for branch, each in zip(head.cv4, maps, strict=True)]


def layers_apart(student: list[Tensor], teacher: list[Tensor], scale: float) -> Tensor:
    """How far the layers are from the teacher's: the mean of what they do not explain, as a share."""
    shares = [
        (student[i].float() / scale - teacher[i].float()).square().mean() / teacher[i].float().var()
        for i in COMPARED
    ]
    return torch.stack(shares).mean()


def corners_apart(student: Tensor, teacher: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """How far the corners are from the teacher's as shares of the plate's width, and how much that counts.

    student, teacher: (N, 12, h, w) before decoding; scores: (N, 1, h, w) of the teacher, 0 to 1.
    """
    wanted, said = (t.float().unflatten(1, (4, 3))[:, :, :2] for t in (teacher, student))
    width = (wanted[:, :, 0].amax(1) - wanted[:, :, 0].amin(1)).clamp_min(0.5)
    away = (said - wanted).abs().mean((1, 2)) / width
    weight = scores[:, 0] * (scores[:, 0] > 0.1)
    return (away.clamp_max(1.0) * weight).sum(), weight.sum()


def losses(student: nn.Module, teacher: nn.Module, batch: Tensor, scale: float) -> dict[str, Tensor]:
    """What is to become small: layers, scores, corners."""
    with torch.autocast("cpu", torch.bfloat16, enabled=torch.cpu._is_amx_tile_supported()):
        with torch.no_grad():
            told = values_of(teacher, batch)
            told_scores, told_corners = said_by_head(teacher, told)
        said = values_of(student, batch)
        scores, corners = said_by_head(student, said)
    apart = [difference(one.float(), other.float()) for one, other in zip(scores, told_scores, strict=True)]
    away = [
        corners_apart(one, other, score.float().sigmoid())
        for one, other, score in zip(corners, told_corners, told_scores, strict=True)
    ]
    total, counted = (torch.stack(column).sum() for column in zip(*away, strict=True))
    return {
        "layers": layers_apart(said, told, scale),
        "scores": SCORES * torch.stack(apart).sum(),
        "corners": total / counted.clamp_min(1.0),
    }


def distil(config: dict[str, Any], start: Path, told_by: Path, data: Path, out: Path) -> Path:
    """Train the network with its new activation; returns a checkpoint of it.

    start: the network as it was, or one that a stage before this made of it; told_by: as it was.
    """
    options = config["train"]
    torch.set_num_threads(options["threads"])
    torch.manual_seed(options["seed"])
    cv2.setNumThreads(1)
    rng = np.random.default_rng(options["seed"])
    yolo = YOLO(str(start))
    student = yolo.model.float().to(memory_format=torch.channels_last).eval()
    teacher = YOLO(str(told_by)).model.float().to(memory_format=torch.channels_last).eval()
    if not isinstance(student.model[0].act, nn.Hardswish):
        harden(student, options["scale"])
    paths = pictures_of(data)
    if not paths:
        raise SystemExit(f"{data} names no training pictures")
    learning = list(student.parameters())
    for parameter in learning:
        parameter.requires_grad_(True)
    optimizer = torch.optim.AdamW(learning, lr=options["learning_rate"], weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options["learning_rate"], total_steps=options["steps"], pct_start=0.1
    )
    bar = tqdm(range(options["steps"]), mininterval=5)
    for _ in bar:
        size = (options["image_size"] + 32 * int(rng.integers(-2, 3)), 32 * int(rng.integers(6, 9)))
        chosen = [paths[rng.integers(len(paths))] for _ in range(options["batch"])]
        batch = batch_of(chosen, size, rng, options["nearest"])
        apart = losses(student, teacher, batch, options["scale"])
        optimizer.zero_grad()
        (apart["layers"] + apart["scores"] + options["corners"] * apart["corners"]).backward()
        nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        schedule.step()
        bar.set_postfix({name: f"{value.item():.4f}" for name, value in apart.items()}, refresh=False)
    out.mkdir(parents=True, exist_ok=True)
    path = out / "last.pt"
    yolo.save(path)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoint", type=Path, required=True, help="the network as it was")
    parser.add_argument("--start", type=Path, default=None, help="what an earlier stage made of it")
    parser.add_argument("--data", type=Path, default=Path("runs/plate_detector/data/data.yaml"))
    parser.add_argument("--out", type=Path, default=Path("runs/plate_detector/harden"))
    parser.add_argument("--config", type=Path, default=CONFIG)
    arguments = parser.parse_args()
    with arguments.config.open("rb") as file:
        config = tomllib.load(file)
    start = arguments.start or arguments.checkpoint
    print(distil(config, start, arguments.checkpoint, arguments.data, arguments.out))


if __name__ == "__main__":
    main()
