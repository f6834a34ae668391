"""Train the first reader from nothing on real, swapped, recombined and drawn crops.

    python -m models.plate_crops.pool   --out runs/crops --source drawn --source swapped --source recombined
    python -m models.plate_reader.train --pool runs/crops --out runs/plate_reader

Progress, the score on held-out plates and a checkpoint are written to `--out` again and again: a run can be
stopped at any time and goes on with the same command. The pool may still grow meanwhile.
"""

import argparse
import json
import time
import tomllib
from pathlib import Path
from typing import Any

import cv2
import torch
from torch import nn
from tqdm import tqdm

from models.pictures import data_root
from models.plate_crops.mixture import Crops
from models.plate_reader.network import FirstReader, export
from models.reader_training import Average, ctc_loss, held_out_crops, rate, score, to_batch

CONFIG = Path(__file__).with_name("config.toml")


def train(config: dict[str, Any], root: Path, pool: Path, out: Path, start: Path | None = None) -> Path:
    """Train by the configuration; returns the file with the averaged weights."""
    options = config["train"]
    torch.set_num_threads(options["threads"])
    torch.manual_seed(options["seed"])
    cv2.setNumThreads(1)
    out.mkdir(parents=True, exist_ok=True)
    network = FirstReader(**config["network"])
    if start is not None:
        network.load_state_dict(torch.load(start, weights_only=True)["averaged"])
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=options["learning_rate"], weight_decay=options["weight_decay"]
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, options))
    average = Average(network, options["average"])
    checkpoint, path = out / "checkpoint.pt", out / "plate_reader.onnx"
    first = resume(checkpoint, network, optimizer, schedule, average)
    crops = Crops(root, pool, config["mixture"], options["seed"] + first)
    validation = held_out_crops(root, config)
    started = time.monotonic()
    bar = tqdm(range(first + 1, options["steps"] + 1), initial=first, total=options["steps"])
    for step in bar:
        batch, classes, lengths = to_batch(crops.batch(options["batch"]))
        with torch.autocast("cpu", torch.bfloat16, enabled=torch.cpu._is_amx_tile_supported()):
            logits = network(batch.contiguous(memory_format=torch.channels_last))
        loss = ctc_loss(logits, classes, lengths)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        average.add(network)
        bar.set_postfix(loss=f"{loss.item():.3f}")
        if step % options["report_every"] == 0 or step == options["steps"]:
            averaged = averaged_network(network, average, config)
            state = {"averaged": averaged.state_dict(), "network": network.state_dict(), "step": step}
            state |= {"optimizer": optimizer.state_dict(), "schedule": schedule.state_dict()}
            torch.save(state | {"average": average.weights, "average_steps": average.steps}, checkpoint)
            export(averaged, f"{config['version']}-step{step}", path)
            report = {"step": step, "seconds": round(time.monotonic() - started), "loss": loss.item()}
            with (out / "progress.jsonl").open("a") as log:
                log.write(json.dumps(report | score(path, validation)) + "\n")
            crops.look_again()
    return path


def averaged_network(network: FirstReader, average: Average, config: dict[str, Any]) -> FirstReader:
    """A copy with the averaged weights; its batch norms keep the statistics of the training."""
    copy = FirstReader(**config["network"])
    copy.load_state_dict(network.state_dict() | average.weights)
    return copy.eval()


def resume(checkpoint: Path, network: Any, optimizer: Any, schedule: Any, average: Average) -> int:
    """Go on where a checkpoint stands; returns its step, 0 where there is none."""
    if not checkpoint.exists():
        return 0
    state = torch.load(checkpoint, weights_only=True)
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    average.weights, average.steps = state["average"], state["average_steps"]
    return int(state["step"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=data_root())
    parser.add_argument("--pool", type=Path, default=Path("runs/crops"))
    parser.add_argument("--out", type=Path, default=Path("runs/plate_reader"))
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--start", type=Path, default=None, help="a checkpoint whose average to begin from")
    arguments = parser.parse_args()
    with arguments.config.open("rb") as file:
        config = tomllib.load(file)
    print(train(config, arguments.data, arguments.pool, arguments.out, arguments.start))


if __name__ == "__main__":
    main()
