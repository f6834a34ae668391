"""Box operations in plain torch."""

import torch
from torch import Tensor


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Indices of the boxes that survive greedy non-maximum suppression, best score first.

    boxes: (N, 4) as x1, y1, x2, y2; scores: (N,).
    """
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    waiting = scores.argsort(descending=True)
    kept: list[Tensor] = []
    while waiting.numel():
        best, waiting = waiting[0], waiting[1:]
        kept.append(best)
        upper_left = torch.maximum(boxes[best, :2], boxes[waiting, :2])
        lower_right = torch.minimum(boxes[best, 2:], boxes[waiting, 2:])
        overlap = (lower_right - upper_left).clamp(min=0).prod(dim=1)
        iou = overlap / (area[best] + area[waiting] - overlap).clamp(min=1e-9)
        waiting = waiting[iou <= iou_threshold]
    return torch.stack(kept) if kept else scores.new_zeros(0, dtype=torch.long)


def roi_align(*_arguments: object, **_options: object) -> Tensor:
    """Stands here only because onnx2torch imports the name; none of our networks uses it."""
    raise NotImplementedError("roi_align is not part of the stand-in")
