"""Make the score's own layers of a trained detector narrower: one class needs fewer channels than eighty.

    python -m models.plate_detector.slim --checkpoint last.pt --data data.yaml --out runs/slim

All other layers stay as they are. The new layers learn to say what the old ones say of the training pictures
(distillation), so nothing has to be labelled and corners cannot change.
"""

import argparse
import copy
import tomllib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor, nn
from tqdm import tqdm
from ultralytics import YOLO
from ultralytics.nn.modules import Conv

from models.pictures import Image, load_image

CONFIG = Path(__file__).with_name("config-slim.toml")
GREY = 114


def pictures_of(data: Path) -> list[Path]:
    """The training pictures that ultralytics' data.yaml names."""
    line = next(line for line in data.read_text().splitlines() if line.startswith("train:"))
    return sorted((data.parent / line.split(":", 1)[1].strip()).rglob("*.jpg"))


def seen(picture: Image, size: tuple[int, int], rng: Generator) -> Image:
    """The picture larger or smaller, cut or framed to (width, height), in other light."""
    w, h = size
    scale = w / picture.shape[1] * float(np.exp(rng.uniform(-0.5, 0.5)))
    matrix = np.float32([[scale, 0, 0], [0, scale, 0]])
    for axis, (whole, part) in enumerate(zip(picture.shape[1::-1], size, strict=True)):
        matrix[axis, 2] = rng.uniform(min(0, part - whole * scale), max(0, part - whole * scale))
    cut = cv2.warpAffine(picture, matrix, (w, h), flags=cv2.INTER_AREA, borderValue=(GREY,) * 3)
    lit = cut.astype(np.float32) * rng.uniform(0.5, 1.3) + rng.uniform(-15, 15)
    return np.clip(lit, 0, 255).astype(np.uint8)


def batch_of(paths: list[Path], size: tuple[int, int], rng: Generator) -> Tensor:
    """(N, 3, H, W) float32 RGB 0..1."""
    stacked = np.stack([seen(load_image(path), size, rng) for path in paths])
    batch = torch.from_numpy(stacked[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 255)
    return batch.contiguous(memory_format=torch.channels_last)


def narrower(branches: nn.ModuleList, channels: int) -> nn.ModuleList:
    """Untrained layers that take what the given ones take; the last bias is taken over."""
    made = nn.ModuleList()
    for branch in branches:
        last = nn.Conv2d(channels, 1, 1)
        last.bias.data.copy_(branch[-1].bias.data)
        made.append(
            nn.Sequential(Conv(branch[0].conv.in_channels, channels, 3), Conv(channels, channels, 3), last)
        )
    return made


class Features:
    """What the frozen layers hand to the head: a picture's maps at three sizes."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model.eval()
        self.maps: list[Tensor] = []
        self.hook = model.model[-1].register_forward_pre_hook(lambda _, inputs: self.maps.extend(inputs[0]))

    @torch.no_grad()
    def of(self, batch: Tensor) -> list[Tensor]:
        """(N, C, H / 8, W / 8), then / 16 and / 32, float32."""
        self.maps.clear()
        with torch.autocast("cpu", torch.bfloat16, enabled=torch.cpu._is_amx_tile_supported()):
            self.model(batch)
        return [each.float().clone() for each in self.maps]


def difference(student: Tensor, teacher: Tensor) -> Tensor:
    """How far the scores are from the teacher's: where the teacher sees a plate, much more."""
    wanted = teacher.sigmoid()
    weight = 1 + 30 * wanted
    crossed = nn.functional.binary_cross_entropy_with_logits(student, wanted, weight, reduction="sum")
    apart = (student.clamp(-7, 7) - teacher.clamp(-7, 7)).abs() * weight
    return (crossed + 0.1 * apart.sum()) / wanted.shape[0]


def slim(config: dict[str, Any], checkpoint: Path, data: Path, out: Path) -> Path:
    """Train the narrower layers; returns a checkpoint with them in place."""
    options = config["train"]
    torch.set_num_threads(options["threads"])
    torch.manual_seed(options["seed"])
    cv2.setNumThreads(1)
    rng = np.random.default_rng(options["seed"])
    yolo = YOLO(str(checkpoint))
    yolo.model.float().to(memory_format=torch.channels_last)
    head = yolo.model.model[-1]
    teacher = copy.deepcopy(head.cv3).eval()
    student = narrower(head.cv3, options["channels"]).train()
    features, paths = Features(yolo.model), pictures_of(data)
    if not paths:
        raise SystemExit(f"{data} names no training pictures")
    optimizer = torch.optim.AdamW(student.parameters(), lr=options["learning_rate"], weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, options["learning_rate"], total_steps=options["steps"]
    )
    bar = tqdm(range(options["steps"]))
    for _ in bar:
        size = (options["image_size"] + 32 * int(rng.integers(-2, 3)), 32 * int(rng.integers(6, 9)))
        chosen = [paths[rng.integers(len(paths))] for _ in range(options["batch"])]
        maps = features.of(batch_of(chosen, size, rng))
        with torch.no_grad():
            told = [branch(each) for branch, each in zip(teacher, maps, strict=True)]
        losses = [
            difference(branch(each), goal) for branch, each, goal in zip(student, maps, told, strict=True)
        ]
        loss = torch.stack(losses).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        bar.set_postfix(loss=f"{loss.item():.3f}")
    features.hook.remove()
    head.cv3 = student.eval()
    out.mkdir(parents=True, exist_ok=True)
    path = out / "last.pt"
    yolo.save(path)
    return path


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=Path("runs/plate_detector/data/data.yaml"))
    parser.add_argument("--out", type=Path, default=Path("runs/plate_detector/slim"))
    parser.add_argument("--config", type=Path, default=CONFIG)
    arguments = parser.parse_args()
    with arguments.config.open("rb") as file:
        config = tomllib.load(file)
    print(slim(config, arguments.checkpoint, arguments.data, arguments.out))


if __name__ == "__main__":
    main()
