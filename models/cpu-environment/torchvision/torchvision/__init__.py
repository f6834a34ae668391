"""The part of torchvision that training on a CPU needs: `ops.nms` and `ops.roi_align`."""

from . import ops

__all__ = ["ops"]
__version__ = "0.28.0"
