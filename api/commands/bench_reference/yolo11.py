"""Stock yolo11n with 80 classes, block by block as its authors publish it (yolo11.yaml, scale n).

Its names for the blocks are kept: C3k2, C3k, SPPF, C2PSA, Detect. A test holds parameters and multiply-adds
against the original where that is installed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from onnx import ModelProto

from api.commands.bench_reference.graph import INPUT, Graph, Tensor

SIZE = 640
CLASSES = 80
# Boxes are described by a distribution over this many distances to each side.
BINS = 16
STRIDES = (8, 16, 32)
HEAD_CHANNELS = 64
# Unseen classes are rare: the sigmoid of this is about one in 150.
CLASS_BIAS = -5.0


def yolo11n(seed: int = 0) -> tuple[ModelProto, int]:
    """The network (1, 3, 640, 640) to (1, 84, 8400), and how many parameters it has."""
    g = Graph(seed)
    x = g.convolution(INPUT, 16, 3, 2)
    x = g.convolution(x, 32, 3, 2)
    x = c3k2(g, x, 64, share=0.25)
    x = g.convolution(x, 64, 3, 2)
    eighth = c3k2(g, x, 128, share=0.25)
    x = g.convolution(eighth, 128, 3, 2)
    sixteenth = c3k2(g, x, 128, deep=True)
    x = g.convolution(sixteenth, 256, 3, 2)
    x = c3k2(g, x, 256, deep=True)
    bottom = c2psa(g, sppf(g, x, 256))

    middle = c3k2(g, g.concat([upsampled(g, bottom), sixteenth]), 128)
    small = c3k2(g, g.concat([upsampled(g, middle), eighth]), 64)
    medium = c3k2(g, g.concat([g.convolution(small, 64, 3, 2), middle]), 128)
    large = c3k2(g, g.concat([g.convolution(medium, 128, 3, 2), bottom]), 256, deep=True)
    found = detect(g, (small, medium, large))
    # The distribution over distances counts as parameters with its authors.
    parameters = g.parameters + BINS
    anchors = sum((SIZE // stride) ** 2 for stride in STRIDES)
    return g.model((1, 3, SIZE, SIZE), found, (1, 4 + CLASSES, anchors)), parameters


def bottleneck(g: Graph, x: Tensor, share: float) -> Tensor:
    """Two 3x3 convolutions and what came in."""
    inner = g.convolution(x, int(x.channels * share), 3)
    return g.binary("Add", x, g.convolution(inner, x.channels, 3))


def c3k(g: Graph, x: Tensor) -> Tensor:
    """Two bottlenecks on one half, nothing on the other."""
    half = x.channels // 2
    worked = g.convolution(x, half)
    plain = g.convolution(x, half)
    for _ in range(2):
        worked = bottleneck(g, worked, share=1.0)
    return g.convolution(g.concat([worked, plain]), x.channels)


def c3k2(g: Graph, x: Tensor, channels: int, *, share: float = 0.5, deep: bool = False) -> Tensor:
    """One block on the second half; both halves and its result go on."""
    half = int(channels * share)
    parts = g.split(g.convolution(x, 2 * half), (half, half))
    parts.append(c3k(g, parts[1]) if deep else bottleneck(g, parts[1], share=0.5))
    return g.convolution(g.concat(parts), channels)


def sppf(g: Graph, x: Tensor, channels: int) -> Tensor:
    """What is near, by three maxima over ever larger neighbourhoods; what came in is added."""
    parts = [g.convolution(x, x.channels // 2, activated=False)]
    for _ in range(3):
        parts += g.add(
            "MaxPool",
            [parts[-1].name],
            parts[-1].channels,
            kernel_shape=[5, 5],
            strides=[1, 1],
            pads=[2, 2, 2, 2],
        )
    return g.convolution(g.concat(parts), channels)


def c2psa(g: Graph, x: Tensor) -> Tensor:
    """Attention over places on one half."""
    half = x.channels // 2
    plain, worked = g.split(g.convolution(x, 2 * half), (half, half))
    worked = g.binary("Add", worked, attention(g, worked))
    inner = g.convolution(worked, 2 * half)
    worked = g.binary("Add", worked, g.convolution(inner, half, activated=False))
    return g.convolution(g.concat([plain, worked]), x.channels)


def attention(g: Graph, x: Tensor) -> Tensor:
    """Each place looks at every other, in heads of 64 channels with keys of half as many."""
    places = (SIZE // STRIDES[-1]) ** 2
    side = SIZE // STRIDES[-1]
    heads = x.channels // 64
    value, key = 64, 32
    mixed = g.convolution(x, x.channels + 2 * heads * key, activated=False)
    stacked = g.reshape(mixed, (1, heads, 2 * key + value, places))
    q, k, v = g.split(stacked, (key, key, value), axis=2)
    [q] = g.add("Transpose", [q.name], heads, perm=[0, 1, 3, 2])
    scores = g.binary("Mul", g.binary("MatMul", q, k), g.constant(key**-0.5))
    [shares] = g.add("Softmax", [scores.name], heads, axis=-1)
    [shares] = g.add("Transpose", [shares.name], heads, perm=[0, 1, 3, 2])
    seen = g.reshape(g.binary("MatMul", v, shares), (1, x.channels, side, side))
    values = g.reshape(v, (1, x.channels, side, side))
    placed = g.convolution(values, x.channels, 3, groups=x.channels, activated=False)
    return g.convolution(g.binary("Add", seen, placed), x.channels, activated=False)


def upsampled(g: Graph, x: Tensor) -> Tensor:
    """Twice as wide and high."""
    scales = g.constant([1.0, 1.0, 2.0, 2.0])
    return g.add("Resize", [x.name, "", scales], x.channels, mode="nearest")[0]


def detect(g: Graph, levels: Sequence[Tensor]) -> Tensor:
    """Boxes (centre, width, height in pixels) and class scores of every place of three levels."""
    boxes, scores = [], []
    class_channels = max(levels[0].channels, min(CLASSES, 100))
    for x, stride in zip(levels, STRIDES, strict=True):
        places = (SIZE // stride) ** 2
        b = g.convolution(g.convolution(x, HEAD_CHANNELS, 3), HEAD_CHANNELS, 3)
        b = g.convolution(b, 4 * BINS, activated=False)
        c = g.convolution(g.convolution(x, x.channels, 3, groups=x.channels), class_channels)
        c = g.convolution(g.convolution(c, class_channels, 3, groups=class_channels), class_channels)
        c = g.convolution(c, CLASSES, activated=False, bias=CLASS_BIAS)
        boxes.append(g.reshape(b, (1, 4 * BINS, places)))
        scores.append(g.reshape(c, (1, CLASSES, places)))
    [likely] = g.add("Sigmoid", [g.concat(scores, axis=2).name], CLASSES)
    return g.concat([decoded_boxes(g, g.concat(boxes, axis=2)), likely])


def decoded_boxes(g: Graph, x: Tensor) -> Tensor:
    """The expected distance to each side, from every place, as boxes in pixels."""
    grid = [
        np.stack(np.meshgrid(np.arange(n) + 0.5, np.arange(n) + 0.5), 0).reshape(2, -1)
        for n in (SIZE // stride for stride in STRIDES)
    ]
    places = np.concatenate(grid, axis=1)[None]
    strides = np.repeat(STRIDES, [points.shape[1] for points in grid])[None, None]
    anchors = places.shape[2]
    [bins] = g.add("Transpose", [g.reshape(x, (1, 4, BINS, anchors)).name], BINS, perm=[0, 2, 1, 3])
    [shares] = g.add("Softmax", [bins.name], BINS, axis=1)
    expected = g.constant(np.arange(BINS).reshape(1, BINS, 1, 1))
    [sides] = g.add("Conv", [shares.name, expected], 1, kernel_shape=[1, 1])
    near, far = g.split(g.reshape(sides, (1, 4, anchors)), (2, 2))
    centre = g.constant(places)
    low = g.add("Sub", [centre, near.name], 2)[0]
    high = g.binary("Add", far, centre)
    middle = g.binary("Mul", g.binary("Add", low, high), g.constant(0.5))
    box = g.concat([middle, g.binary("Sub", high, low)])
    return g.binary("Mul", box, g.constant(strides))


def multiply_adds(model: ModelProto) -> int:
    """Multiply-adds of all convolutions of a network with fixed shapes."""
    from onnx import numpy_helper, shape_inference

    inferred = shape_inference.infer_shapes(model, strict_mode=True)
    sizes = {
        info.name: [d.dim_value for d in info.type.tensor_type.shape.dim]
        for info in (*inferred.graph.value_info, *inferred.graph.output)
    }
    weights = {c.name: numpy_helper.to_array(c).shape for c in inferred.graph.initializer}
    return sum(
        math.prod(sizes[node.output[0]]) * math.prod(weights[node.input[1]][1:])
        for node in inferred.graph.node
        if node.op_type == "Conv"
    )
