"""Train the plate detector: YOLOv8n with a pose head whose four key points are the plate's corners.

    python -m models.plate_detector.train --data runs/plate_detector/data/data.yaml --start best.pt

`--start` is a YOLOv8n checkpoint to begin from: the plate detector in the `fastanpr` package (AGPL-3.0),
whose backbone and box layers fit, or a checkpoint of this recipe, which goes on as it is; without it the
network starts from nothing and needs many more epochs.
"""

import argparse
import tomllib
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn
from ultralytics import YOLO
from ultralytics.models.yolo.pose import PoseTrainer
from ultralytics.nn.modules import Conv
from ultralytics.nn.tasks import PoseModel
from ultralytics.utils.loss import v8PoseLoss

KEYPOINTS = (4, 3)
# Ultralytics never warms up for fewer steps.
WARM_UP_STEPS = 100
CONFIG = Path(__file__).with_name("config.toml")


class CornerLoss(nn.Module):
    """Distance of the corners in units of plate size, with a gradient at any distance.

    The usual key point score, 1 - exp(-e), is flat far from the truth: with a tolerance small enough for
    corners it never starts to learn. The logarithm of 1 + e (Cauchy) is as strict near by and still pulls
    from afar.
    """

    def __init__(self, sigmas: Tensor) -> None:
        super().__init__()
        self.sigmas = sigmas

    def forward(self, predicted: Tensor, truth: Tensor, mask: Tensor, area: Tensor) -> Tensor:
        """predicted, truth: (N, 4, 2 or more) in grid cells; mask: (N, 4), area: (N, 1) of the boxes."""
        distance = (predicted[..., :2] - truth[..., :2]).pow(2).sum(-1)
        error = distance / ((2 * self.sigmas).pow(2) * (area + 1e-9) * 2)
        share = mask.shape[1] / ((mask != 0).sum(1) + 1e-9)
        return (share.view(-1, 1) * torch.log1p(error) * mask).mean()


def as_float(value: Any) -> Any:
    """The same nest of dictionaries, lists and tensors with every tensor in 32 bits."""
    if isinstance(value, Tensor):
        return value.float()
    if isinstance(value, dict):
        return {key: as_float(inner) for key, inner in value.items()}
    return [as_float(inner) for inner in value]


class PlateLoss(v8PoseLoss):
    """The pose loss in 32 bits whatever the network runs in, with `CornerLoss` for the corners."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model)
        self.keypoint_loss = CornerLoss(self.keypoint_loss.sigmas)

    def __call__(self, preds: Any, batch: dict[str, Tensor]) -> Any:
        """Loss of a batch; half a grid cell of a 16-bit number would be several pixels."""
        with torch.autocast(self.device.type, enabled=False):
            return super().__call__(as_float(preds), batch)


class PlateTrainer(PoseTrainer):
    """Ultralytics' pose trainer, made quick on a CPU that multiplies in 16 bits (AMX)."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # Ultralytics loads pictures in the training process on a CPU; one more process overlaps the two.
        self.args.workers = 1
        self.steps_done = 0

    def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> nn.Module:
        """The network that was handed over, with its own layers: built anew it would lose its hard swish."""
        return weights if weights is not None else super().get_model(cfg, weights, verbose)

    def _setup_train(self) -> None:
        super()._setup_train()
        self.model.criterion = PlateLoss(self.model)
        if self.device.type == "cpu":
            self.model.to(memory_format=torch.channels_last)
            # Ultralytics asks for 16 bits on a GPU only; on a CPU they are bfloat16 and need no scaler.
            self.amp = torch.cpu._is_amx_tile_supported()

    def optimizer_step(self) -> None:
        """One step, and the rate of the next by how much is done: few epochs make coarse stairs otherwise."""
        super().optimizer_step()
        self.steps_done += 1
        done = self.steps_done / len(self.train_loader)
        if self.steps_done > WARM_UP_STEPS:
            for group in self.optimizer.param_groups:
                group["lr"] = group["initial_lr"] * self.lf(min(done, self.epochs))

    def preprocess_batch(self, batch: dict[str, Any]) -> dict[str, Any]:
        batch = super().preprocess_batch(batch)
        if self.device.type == "cpu":
            batch["img"] = batch["img"].contiguous(memory_format=torch.channels_last)
        return batch


def settings(config: dict[str, Any], data: Path, out: Path) -> dict[str, Any]:
    """What ultralytics is told, from `[train]` of the configuration."""
    train = config["train"]
    return {
        "data": str(data),
        "project": str(out.resolve().parent),
        "name": out.name,
        "exist_ok": True,
        "epochs": train["epochs"],
        "imgsz": train["image_size"],
        "batch": train["batch"],
        "nbs": train["batch"],
        "optimizer": "AdamW",
        "lr0": train["learning_rate"],
        "lrf": train["last_rate"],
        "cos_lr": True,
        "warmup_epochs": 0.1,  # at least WARM_UP_STEPS
        "warmup_bias_lr": 0.0,  # the usual 0.1 is meant for plain gradient descent
        "weight_decay": 0.0005,
        "pose": 3.0,
        "kobj": 0.5,
        "mosaic": train["mosaic"],
        "multi_scale": train["multi_scale"],
        "close_mosaic": train["last_epochs_without_mosaic"],
        "scale": train["scale"],
        "degrees": train["degrees"],
        "shear": train["shear"],
        "perspective": train["perspective"],
        "translate": 0.1,
        "fliplr": 0.0,  # plates are never mirrored
        "hsv_h": 0.02,
        "hsv_s": 0.6,
        "hsv_v": 0.35,
        "erasing": 0.0,
        "amp": False,
        "workers": 0,
        "seed": train["seed"],
        "deterministic": False,
        "save_period": 1,
        "plots": False,
        "patience": 0,
    }


def harden(model: nn.Module, scale: float) -> None:
    """The hard swish in place of the swish; weights so that each layer's values are `scale` times as large.

    The hard swish x * clip(x / 6 + 1 / 2, 0, 1) costs no exponential, and is nearest to the swish at a scale
    a little above 1. The last layers of the head undo the scale.
    """
    first, head = model.model[0], model.model[-1]
    for layer in model.modules():
        if isinstance(layer, Conv):
            layer.act = nn.Hardswish(inplace=False)
            layer.bn.weight.data *= scale
            layer.bn.bias.data *= scale
            if layer is not first:
                layer.bn.running_mean *= scale
                layer.bn.running_var *= scale**2
    for branches in (head.cv2, head.cv3, head.cv4):
        for branch in branches:
            branch[-1].weight.data /= scale


def begin(start: Path | None) -> YOLO:
    """The network to train: a checkpoint of this recipe as it is, another's layers where they fit, or new."""
    if start is not None:
        model = YOLO(str(start))
        if getattr(model.model.model[-1], "kpt_shape", None) == KEYPOINTS:
            return model
    model = YOLO("yolov8n-pose.yaml")
    # With a head of the usual 17 points a checkpoint of ours would lose its corners on loading.
    model.model = PoseModel(model.model.yaml, nc=1, data_kpt_shape=KEYPOINTS, verbose=False)
    if start is not None:
        model.load(str(start))
    return model


def joined(data: list[Path], out: Path) -> Path:
    """One data.yaml that names the training pictures of all; validated is on those of the last."""
    if len(data) == 1:
        return data[0]
    about = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in data]
    trained = [str((path.parent / one["train"]).resolve()) for path, one in zip(data, about, strict=True)]
    validated = str((data[-1].parent / about[-1]["val"]).resolve())
    out.mkdir(parents=True, exist_ok=True)
    path = out / "data.yaml"
    path.write_text(yaml.safe_dump(about[-1] | {"train": trained, "val": validated}), encoding="utf-8")
    return path


def train(config: dict[str, Any], data: Path, out: Path, start: Path | None, device: str = "cpu") -> Path:
    """Train by the configuration; returns the last checkpoint, in `out`/weights."""
    torch.set_num_threads(config["train"]["threads"])
    model = begin(start)
    if "hard_swish_scale" in config["train"] and not isinstance(model.model.model[0].act, nn.Hardswish):
        harden(model.model, config["train"]["hard_swish_scale"])
    options = settings(config, data, out) | {"device": device, "pretrained": start is not None}
    model.train(trainer=PlateTrainer, **options)
    return out / "weights" / "last.pt"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, nargs="+", default=[Path("runs/plate_detector/data/data.yaml")])
    parser.add_argument("--out", type=Path, default=Path("runs/plate_detector/train"))
    parser.add_argument("--start", type=Path, default=None, help="YOLOv8n checkpoint to begin from")
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--device", default="cpu", help="cpu, or the number of a GPU")
    arguments = parser.parse_args()
    with arguments.config.open("rb") as file:
        config = tomllib.load(file)
    data = joined(arguments.data, arguments.out)
    print(train(config, data, arguments.out, arguments.start, arguments.device))


if __name__ == "__main__":
    main()
