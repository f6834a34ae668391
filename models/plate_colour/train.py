"""Train the network that weighs the measures of a plate's colour.

    python -m models.plate_colour.train --data runs/colour --out runs/colour/plate_colour.json

All colours are equally many in the training, so that what comes out is how well the pixels fit each of them;
`vision.paint` adds how often each is met. The last step divides the outputs by the temperature at which they
are the least surprised on plates kept apart. With `--publish` the file and its card are shipped.
"""

import argparse
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.cards import publish
from models.plate_colour.dataset import CONFIG
from vision.colour import COLOURS, LIGHTNESS, OFFSET, PRIOR

NAME = "plate_colour"
VERSION = "1"
DIGITS = 6
TEMPERATURES = np.round(np.arange(0.7, 2.01, 0.05), 2)


def load(folder: Path, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The measures, (N, F) float32, and the numbers of the colours, (N,)."""
    content = np.load(folder / f"{name}.npz")
    return torch.from_numpy(content["measures"]), torch.from_numpy(content["colours"])


def faded(measures: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """The same plates with less colour, (N, F). shares: (N,) of grey, 1 for an infrared camera.

    The order of the pixels is that of their lightness, so that fading is the same for means as for pixels.
    """
    means = (measures.exp() - OFFSET).reshape(len(measures), -1, 3)
    grey = (means @ torch.tensor(LIGHTNESS))[..., None]
    mixed = means + shares[:, None, None] * (grey - means)
    return (mixed + OFFSET).log().reshape(measures.shape)


def often_faded(measures: torch.Tensor, config: dict[str, Any]) -> torch.Tensor:
    """Some of them faded, some of those down to grey; by the seed."""
    chance = torch.Generator().manual_seed(config["seed"])
    drawn, share = torch.rand((2, len(measures)), generator=chance)
    is_grey, is_pale = drawn < config["grey"], drawn < config["grey"] + config["pale"]
    return faded(measures, torch.where(is_grey, 1.0, torch.where(is_pale, share.sqrt(), 0.0)))


def network(measures: torch.Tensor, hidden: int) -> nn.Sequential:
    """Two hidden layers behind measures brought to mean 0 and spread 1."""
    first = nn.Linear(measures.shape[1], measures.shape[1])
    spread = measures.std(0)
    with torch.no_grad():
        first.weight.copy_(torch.diag(1 / spread))
        first.bias.copy_(-measures.mean(0) / spread)
    first.requires_grad_(False)
    return nn.Sequential(
        first,
        nn.Linear(measures.shape[1], hidden),
        nn.ReLU(),
        nn.Linear(hidden, hidden // 2),
        nn.ReLU(),
        nn.Linear(hidden // 2, len(COLOURS)),
    )


def train(measures: torch.Tensor, colours: torch.Tensor, config: dict[str, Any]) -> nn.Sequential:
    """The trained network."""
    torch.manual_seed(config["seed"])
    torch.set_num_threads(1)
    net = network(measures, config["hidden"])
    loss = nn.CrossEntropyLoss(label_smoothing=config["smoothing"])
    steps = config["epochs"] * -(-len(measures) // config["batch"])
    learned = [parameter for parameter in net.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(learned, config["rate"], weight_decay=config["weight_decay"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config["rate"], total_steps=steps)
    for epoch in range(config["epochs"]):
        total, seen = 0.0, often_faded(measures, config | {"seed": config["seed"] * 1000 + epoch})
        for part in torch.randperm(len(measures)).split(config["batch"]):
            optimiser.zero_grad()
            value = loss(net(seen[part]), colours[part])
            value.backward()
            optimiser.step()
            schedule.step()
            total += float(value.detach()) * len(part)
        print(f"epoch {epoch + 1}: {total / len(measures):.4f}", flush=True)
    return net.eval()


def with_prior(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities, (N, colours), of plates as often as they are met. logs: of likelihoods."""
    logs = logs + np.log([PRIOR[colour] for colour in COLOURS])
    raised = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def surprise(logs: NDArray[np.float64], colours: NDArray[np.int64]) -> float:
    """Mean surprise at colours that are met as often as they are."""
    said = -np.log(np.maximum(with_prior(logs)[np.arange(len(colours)), colours], 1e-4))
    means = [said[colours == number].mean() for number in range(len(COLOURS))]
    return float(sum(PRIOR[colour] * mean for colour, mean in zip(COLOURS, means, strict=True)))


def layers_of(net: nn.Sequential, temperature: float) -> list[dict[str, Any]]:
    """The layers as `vision.paint` takes them; the first two, without a bend between them, become one."""
    linear = [layer for layer in net if isinstance(layer, nn.Linear)]
    found = [(layer.weight.detach().double().T, layer.bias.detach().double()) for layer in linear]
    (scale, shift), (weights, biases) = found[:2]
    found = [(scale @ weights, shift @ weights + biases), *found[2:]]
    found[-1] = found[-1][0] / temperature, found[-1][1] / temperature
    return [
        {"weights": np.round(w.numpy(), DIGITS).tolist(), "biases": np.round(b.numpy(), DIGITS).tolist()}
        for w, b in found
    ]


def judged(logs: NDArray[np.float64], colours: NDArray[np.int64]) -> dict[str, Any]:
    """How often each colour is taken for which, on plates kept apart in poor light."""
    said = with_prior(logs).argmax(axis=1)
    return {
        true: {seen: int(np.sum((colours == i) & (said == j))) for j, seen in enumerate(COLOURS)}
        for i, true in enumerate(COLOURS)
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--data", type=Path, default=Path("runs/colour"))
    parser.add_argument("--out", type=Path, default=Path("runs/colour/plate_colour.json"))
    parser.add_argument("--publish", action="store_true", help="ship the file with a new card")
    arguments = parser.parse_args()
    config = tomllib.loads(arguments.config.read_text(encoding="utf-8"))["training"]
    parts = [load(arguments.data, name) for name in ("train", "plain")]
    net = train(torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts]), config)
    measures, numbers = load(arguments.data, "held_out")
    with torch.no_grad():
        logs, colours = net(often_faded(measures, config)).double().numpy(), numbers.numpy()
    temperature = float(min(TEMPERATURES, key=lambda t: surprise(logs / t, colours)))
    metrics = judged(logs / temperature, colours)
    content = {"kind": NAME, "version": VERSION, "colours": COLOURS, "layers": layers_of(net, temperature)}
    arguments.out.write_text(json.dumps(content, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"temperature {temperature}, surprise {surprise(logs / temperature, colours):.4f}")
    print(json.dumps(metrics, indent=2))
    if arguments.publish:
        publish(arguments.out, card(metrics, temperature))


def card(metrics: dict[str, Any], temperature: float) -> dict[str, Any]:
    """What `vision/weights/cards.json` says of it."""
    return {
        "name": NAME,
        "licence": "AGPL-3.0-or-later",
        "source": "our own network of three small layers, trained from nothing",
        "trained_on": "CCPD plates (MIT) as they are, and painted and recombined to plates of every colour; "
        "drawn plates of all kinds; all of them in many lights",
        "made_with": "models/plate_colour: dataset, train; config.toml",
        "temperature": temperature,
        "metrics": {"held out, in poor light": metrics},
    }


if __name__ == "__main__":
    main()
