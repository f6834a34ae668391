"""The first reader: plain convolutions down to 21 steps across the plate, a class of each for CTC.

Plain convolutions are what processors with matrix units run best; shuffles, attention and depth-wise layers
cost more there than they save.
"""

from collections.abc import Sequence
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from models.alphabet import ALPHABET, INPUT_HEIGHT, INPUT_WIDTH, METADATA

CLASSES = len(ALPHABET) + 1


def convolution(
    inputs: int, outputs: int, size: tuple[int, int], stride: tuple[int, int] = (1, 1)
) -> nn.Module:
    """Convolution without bias, batch norm, ReLU."""
    padding = (size[0] // 2, size[1] // 2)
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, padding, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(True)
    )


class Residual(nn.Module):
    """Two convolutions and what came in."""

    def __init__(self, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.first = convolution(channels, channels, size)
        padding = (size[0] // 2, size[1] // 2)
        self.second = nn.Sequential(
            nn.Conv2d(channels, channels, size, 1, padding, bias=False), nn.BatchNorm2d(channels)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Same shape."""
        return torch.relu(features + self.second(self.first(features)))


class FirstReader(nn.Module):
    """crops: (N, 3, 48, 168), -1..1, BGR. Returns logits (N, 21, classes), class 0 the blank."""

    def __init__(self, channels: Sequence[int], steps_channels: int) -> None:
        super().__init__()
        c1, c2, c3, c4, c5 = channels
        three = (3, 3)
        self.features = nn.Sequential(
            convolution(3, c1, three, (2, 2)),  # 24 x 84
            convolution(c1, c2, three),
            convolution(c2, c3, three, (2, 2)),  # 12 x 42
            Residual(c3, three),
            convolution(c3, c4, three, (2, 2)),  # 6 x 21
            Residual(c4, three),
            convolution(c4, c5, three, (2, 1)),  # 3 x 21
            Residual(c5, three),
            nn.Conv2d(c5, steps_channels, (3, 3), 1, (0, 1), bias=False),  # 1 x 21
            nn.BatchNorm2d(steps_channels),
            nn.ReLU(True),
            Residual(steps_channels, (1, 5)),
        )
        self.drop = nn.Dropout(0.1)
        self.classes = nn.Linear(steps_channels, CLASSES)

    def forward(self, crops: Tensor) -> Tensor:
        """Logits of every step."""
        steps = self.features(crops).squeeze(2).transpose(1, 2)
        logits: Tensor = self.classes(self.drop(steps))
        return logits


class WithSoftmax(nn.Module):
    """What is shipped: probabilities instead of logits."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> Tensor:
        """Probabilities (N, 21, classes)."""
        probabilities: Tensor = self.network(crops).softmax(2)
        return probabilities


def export(network: FirstReader, version: str, path: Path) -> Path:
    """Write the network as ONNX, batch norms folded away by the engines, any batch."""
    network = network.eval()
    crops = torch.zeros(1, 3, INPUT_HEIGHT, INPUT_WIDTH)
    torch.onnx.export(
        WithSoftmax(network),
        (crops,),
        str(path),
        input_names=["crops"],
        output_names=["probabilities"],
        dynamic_axes={"crops": {0: "batch"}, "probabilities": {0: "batch"}},
        dynamo=False,
    )
    model = onnx.load(str(path))
    for key, value in {**METADATA, "version": version}.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.save(model, str(path))
    return path
