"""Fine-tune the plate reader on real and drawn crops.

    python -m models.plate_reader.train --base runs/reader_base.onnx --pool runs/crops --out runs/plate_reader

`--base` is the file that `build.py` makes. Progress, the score on held-out plates and the averaged weights
are written to `--out` again and again, so that a run can be stopped at any time.
"""

import argparse
import json
import math
import time
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from models.pictures import Image, data_root
from models.plate_crops.mixture import Crops
from models.plate_reader.alphabet import ALPHABET
from models.plate_reader.crops import RealCrops, degrade, drawn_crop, jitter
from models.plate_reader.evaluate import Reader
from models.plate_reader.network import PlateReaderNetwork, initializer_names, store
from vision.rectify import level

CONFIG = Path(__file__).with_name("config.toml")
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


def rate(step: int, train: dict[str, Any]) -> float:
    """Share of the learning rate at a step: a short rise, then half a cosine."""
    if step < train["warmup_steps"]:
        return float((step + 1) / train["warmup_steps"])
    done = (step - train["warmup_steps"]) / max(1, train["steps"] - train["warmup_steps"])
    return 0.02 + 0.49 * (1 + math.cos(math.pi * min(done, 1.0)))


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


def ctc_loss(logits: Tensor, classes: Tensor, lengths: Tensor) -> Tensor:
    """Mean CTC loss of a batch; logits: (N, T, classes)."""
    steps = torch.full((logits.shape[0],), logits.shape[1], dtype=torch.long)
    logarithms = logits.float().log_softmax(2).transpose(0, 1)
    return nn.functional.ctc_loss(logarithms, classes, steps, lengths, blank=0, zero_infinity=True)


def train(config: dict[str, Any], root: Path, pool: Path, base: Path, out: Path) -> Path:
    """Train by the configuration; returns the file with the averaged weights."""
    options = config["train"]
    torch.set_num_threads(options["threads"])
    torch.manual_seed(options["seed"])
    out.mkdir(parents=True, exist_ok=True)
    validation = held_out_crops(root, config)
    source = Crops(root, pool, config["mixture"], options["seed"])
    network = PlateReaderNetwork(base)
    names = initializer_names(base, network)
    # Dropout and the like are not in the file; eval mode keeps every layer as the file has it.
    network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    trained = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=options["learning_rate"], weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, options))
    average = Average(network, options["average"])
    path = out / "plate_reader.onnx"
    started = time.monotonic()
    bar = tqdm(range(1, options["steps"] + 1))
    for step in bar:
        crops, classes, lengths = to_batch(source.batch(options["batch"]))
        with torch.autocast("cpu", torch.bfloat16, enabled=torch.cpu._is_amx_tile_supported()):
            logits = network(crops.contiguous(memory_format=torch.channels_last))
        loss = ctc_loss(logits, classes, lengths)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 5.0)
        optimizer.step()
        schedule.step()
        average.add(network)
        bar.set_postfix(loss=f"{loss.item():.3f}")
        if step % options["report_every"] == 0 or step == options["steps"]:
            store(base, names, average.weights, f"{config['version']}-step{step}", path)
            report = {"step": step, "seconds": round(time.monotonic() - started), **score(path, validation)}
            with (out / "progress.jsonl").open("a") as log:
                log.write(json.dumps(report) + "\n")
            tqdm.write(str(report))
            source.look_again()
    return path


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", type=Path, required=True, help="the file build.py makes")
    parser.add_argument("--data", type=Path, default=data_root())
    parser.add_argument("--pool", type=Path, default=Path("runs/crops"), help="the folder pool.py fills")
    parser.add_argument("--out", type=Path, default=Path("runs/plate_reader"))
    parser.add_argument("--config", type=Path, default=CONFIG)
    arguments = parser.parse_args()
    with arguments.config.open("rb") as file:
        config = tomllib.load(file)
    print(train(config, arguments.data, arguments.pool, arguments.base, arguments.out))


if __name__ == "__main__":
    main()
