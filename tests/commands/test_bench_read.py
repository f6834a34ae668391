"""What a frame costs is measured against a stock pipeline that is what it says it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from api.commands.bench_read import drawn_frames, judged, present_engines, reference_in
from api.commands.bench_reference.pipeline import square
from api.commands.bench_reference.recognition import CLASSES, with_stock_classes
from api.commands.bench_reference.yolo11 import multiply_adds, yolo11n
from api.commands.failures import CommandError
from vision.backends.onnx import OnnxNetwork
from vision.cards import WEIGHTS

ROOT = Path(__file__).parents[2]


def test_a_quick_run_says_what_every_stage_costs_and_which_bars_hold(tmp_path: Path) -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith("PLATEPAY_")}
    result = subprocess.run(
        [sys.executable, "-m", "api.cli", "bench", "read", "--quick", "--json", "--check"],
        cwd=tmp_path,
        env={**own, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    report = json.loads(result.stdout)
    assert set(report["engines"]) == {"openvino", "onnx"}
    for figures in report["engines"].values():
        ours = figures["ours"]
        assert all(ours[stage] > 0 for stage in ("detect", "level", "read"))
        assert ours["total"] == pytest.approx(ours["detect"] + ours["level"] + ours["read"], rel=0.5)
        assert {"letterbox", "boxes", "colour", "decoder"} <= set(figures["parts"])
        assert figures["ratio"] == pytest.approx(ours["total"] / figures["reference"]["total"], rel=0.01)
        assert figures["detections"] >= 1
        assert figures["second_reader"] > 0
    missed = [bar["name"] for bar in report["bars"] if bar["holds"] is False]
    assert result.returncode == (1 if missed else 0)
    assert all(name in result.stderr for name in missed)


def figures_with(ratio: float, total: float, *, amx: bool) -> dict[str, object]:
    engine = {"ratio": ratio, "ours": {"total": total}}
    return {"machine": {"amx": amx}, "engines": {"openvino": engine}, "weights_mb": 12.0}


@pytest.mark.parametrize(
    ("ratio", "total", "amx", "expected"),
    [
        (0.35, 10.0, True, [True, True, True]),
        (0.36, 9.0, True, [False, True, True]),
        (0.2, 10.1, True, [True, False, True]),
        (0.2, 30.0, False, [True, None, True]),
    ],
)
def test_bars_are_judged_where_the_machine_can_tell(
    ratio: float, total: float, amx: bool, expected: list[bool | None]
) -> None:
    assert [bar["holds"] for bar in judged(figures_with(ratio, total, amx=amx))] == expected


def test_weights_above_the_limit_are_a_missed_bar() -> None:
    assert judged({**figures_with(0.1, 1.0, amx=True), "weights_mb": 40.5})[-1]["holds"] is False


def test_an_engine_that_cannot_be_measured_is_named() -> None:
    with pytest.raises(CommandError, match="ultralytics"):
        present_engines("ultralytics")


def test_without_onnx_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("api.commands.bench_reference.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(CommandError, match=r"platepay\[bench\]"):
        reference_in("onnx")


def test_the_reference_detector_is_as_large_as_yolo11n() -> None:
    """Published: 2.6 million parameters, 6.5 billion operations, two to a multiply-add."""
    model, parameters = yolo11n()
    assert parameters == pytest.approx(2.62e6, rel=0.01)
    assert 2 * multiply_adds(model) == pytest.approx(6.5e9, rel=0.02)
    output = OnnxNetwork(model.SerializeToString()).run(square(drawn_frames()[0]))
    assert output.shape == (1, 84, 8400)
    assert np.isfinite(output).all()
    assert ((output[:, 4:] >= 0) & (output[:, 4:] <= 1)).all()


def test_the_reference_recogniser_is_ours_with_the_stock_classes() -> None:
    content = (WEIGHTS / "second_reader.onnx").read_bytes()
    line = np.random.default_rng(0).uniform(-1, 1, (1, 3, 48, 320)).astype(np.float32)
    wide = OnnxNetwork(with_stock_classes(content).SerializeToString()).run(line)
    ours = OnnxNetwork(content).run(line)
    assert wide.shape == (1, 40, CLASSES)
    classes = ours.shape[2]
    # The added classes repeat the others, so that shares within the first ones are as they were.
    first = wide[:, :, :classes] / wide[:, :, :classes].sum(axis=2, keepdims=True)
    assert np.abs(first - ours).max() < 1e-4
