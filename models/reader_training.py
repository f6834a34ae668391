"""What the trainings of both readers share: batches, loss, learning rate, averaging, held-out plates."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.alphabet import ALPHABET
from models.evaluate_reader import Reader
from models.pictures import Image
from models.plate_crops.crops import RealCrops, degrade, drawn_crop, jitter
from vision.rectify import level

CLASS_OF = {character: number for number, character in enumerate(ALPHABET, start=1)}


def to_input(crops: list[Image]) -> Tensor:
    """Crops 168 x 48 as the network takes them: (N, 3, 48, 168) float32, -1 to 1, BGR."""
    stacked = np.stack(crops).astype(np.float32).transpose(0, 3, 1, 2)
    return torch.from_numpy((stacked / 255 - 0.5) / 0.5)


def to_batch(pairs: list[tuple[Image, str]]) -> tuple[Tensor, Tensor, Tensor]:
    """Crops, the classes of all texts in a row, the length of each text."""
    texts = [text for _, text in pairs]
    # The network has no class for the few characters outside its alphabet.
    classes = torch.tensor([CLASS_OF[c] for text in texts for c in text])
    return to_input([crop for crop, _ in pairs]), classes, torch.tensor([len(text) for text in texts])


def ctc_loss(logits: Tensor, classes: Tensor, lengths: Tensor) -> Tensor:
    """Mean CTC loss of a batch; logits: (N, T, classes)."""
    steps = torch.full((logits.shape[0],), logits.shape[1], dtype=torch.long)
    logarithms = logits.float().log_softmax(2).transpose(0, 1)
    return nn.functional.ctc_loss(logarithms, classes, steps, lengths, blank=0, zero_infinity=True)


def rate(step: int, train: dict[str, Any]) -> float:
    """Share of the learning rate at a step: a short rise, then half a cosine."""
    if step < train["warmup_steps"]:
        return float((step + 1) / train["warmup_steps"])
    done = (step - train["warmup_steps"]) / max(1, train["steps"] - train["warmup_steps"])
    return 0.02 + 0.49 * (1 + math.cos(math.pi * min(done, 1.0)))


class Average:
    """The running mean of the parameters: steadier than any single step."""

    def __init__(self, network: nn.Module, keep: float) -> None:
        self.keep = keep
        self.steps = 0
        self.weights = {name: p.detach().clone() for name, p in network.named_parameters()}

    @torch.no_grad()
    def add(self, network: nn.Module) -> None:
        """Take in the present parameters; early on the mean forgets faster."""
        self.steps += 1
        keep = min(self.keep, self.steps / (self.steps + 10))
        for name, parameter in network.named_parameters():
            self.weights[name].lerp_(parameter, 1 - keep)


def held_out_crops(root: Path, config: dict[str, Any], drawn: int = 200) -> list[tuple[str, Image, str]]:
    """Validation crops, always the same: (source, crop, text)."""
    rng = np.random.default_rng([config["train"]["seed"], 99])
    real = RealCrops(root, config["mixture"]["held_out_every"], held_out=True)
    crops = []
    for group in (real.home, real.others):
        for item in group:
            source = "home" if group is real.home else "others"
            crops.append((source, degrade(level(item.image, jitter(item.corners, rng)), rng), item.text))
    for _ in range(drawn):
        crop, text = drawn_crop(rng)
        crops.append(("drawn", degrade(crop, rng), text))
    return crops


def score(path: Path, crops: list[tuple[str, Image, str]]) -> dict[str, str]:
    """Plates read exactly, `right/all`, for each source of held-out crops."""
    reader = Reader(path)
    right: dict[str, list[int]] = {}
    for source, crop, text in crops:
        right.setdefault(source, []).append(int(reader.read([crop])[0] == text))
    return {source: f"{sum(hits)}/{len(hits)}" for source, hits in right.items()}
