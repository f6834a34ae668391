"""Fine-tune the second reader on real and drawn crops.

    python -m models.second_reader.train --base runs/second_reader/base.onnx --pool runs/crops

`--base` is the file that `build.py` makes. Progress, the score on held-out plates and the averaged weights
are written to `--out` again and again, so that a run can be stopped at any time.
"""

import argparse
import json
import time
import tomllib
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from models.pictures import data_root
from models.plate_crops.mixture import Crops
from models.reader_training import Average, ctc_loss, held_out_crops, rate, score, to_batch
from models.second_reader.network import PlateReaderNetwork, initializer_names, store

CONFIG = Path(__file__).with_name("config.toml")


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
    path = out / "second_reader.onnx"
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
    parser.add_argument("--out", type=Path, default=Path("runs/second_reader"))
    parser.add_argument("--config", type=Path, default=CONFIG)
    arguments = parser.parse_args()
    with arguments.config.open("rb") as file:
        config = tomllib.load(file)
    print(train(config, arguments.data, arguments.pool, arguments.base, arguments.out))


if __name__ == "__main__":
    main()
