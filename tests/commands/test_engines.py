"""Engines are chosen by option or environment; one that is not installed is named with its extra."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import pytest
from typer.testing import CliRunner

from api.cli import app
from api.commands.readers import open_readers
from vision.backends import load_detector
from vision.errors import EngineMissingError, EngineUnknownError
from vision.plate_art import draw_plate


def test_the_environment_chooses_the_engine_where_no_option_does(tmp_path: Path) -> None:
    path = tmp_path / "crop.png"
    assert cv2.imwrite(str(path), cv2.resize(draw_plate("粤B8K562", "blue"), (160, 48)))
    arguments = ["read", "--crops", "--readers", "first", str(path)]
    failed = CliRunner().invoke(app, arguments, env={"PLATEPAY_ENGINE": "abacus"})
    assert isinstance(failed.exception, EngineUnknownError)
    done = CliRunner().invoke(app, [*arguments, "--engine", "onnx"], env={"PLATEPAY_ENGINE": "abacus"})
    assert done.exit_code == 0
    assert "粤B8K562" in done.output


def test_the_second_reader_without_paddleocr_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "paddleocr", None)
    monkeypatch.setenv("PLATEPAY_SECOND_READER", "paddle")
    with pytest.raises(EngineMissingError, match=r"platepay\[paddle\]"):
        open_readers("second", "auto")


def test_a_second_reader_of_no_known_engine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATEPAY_SECOND_READER", "tesseract")
    with pytest.raises(EngineUnknownError, match=r"tesseract.*paddle"):
        open_readers("second", "auto")


def test_the_detector_without_ultralytics_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("torch", "ultralytics"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(EngineMissingError, match=r"platepay\[train\]"):
        load_detector("ultralytics")


@pytest.mark.parametrize(
    ("engine", "package"), [("openvino", "openvino"), ("onnx", "onnxruntime"), ("torch", "onnx2torch")]
)
def test_an_engine_that_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, engine: str, package: str
) -> None:
    monkeypatch.delitem(sys.modules, f"vision.backends.{engine}", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(EngineMissingError, match=package):
        load_detector(engine)
