"""Both recipes run from end to end on a handful of drawn pictures, and their files have the agreed form."""

import json
import tomllib
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.plate_art.random_plates import random_plate
from models.plate_detector.compose import Sample, paste, random_corners, target_of
from models.plate_detector.dataset import YAML, read_config, write

pytestmark = pytest.mark.train


def small_dataset(folder: Path, train: int, validation: int) -> Path:
    """Drawn plates on plain grounds as an ultralytics data set; returns its YAML file."""
    rng = np.random.default_rng(2)
    for split, count in (("train", train), ("val", validation)):
        for kind in ("images", "labels"):
            (folder / kind / split).mkdir(parents=True)
        for number in range(count):
            plate = random_plate(rng)
            h, w = plate.picture.shape[:2]
            corners = random_corners((80, 60), float(rng.uniform(40, 110)), w / h, rng)
            ground = np.full((120, 160, 3), rng.uniform(0, 255, 3), np.uint8)
            sample = Sample(paste(ground, plate.picture, corners), [target_of(corners)])
            write(sample, folder, split, f"drawn_{number}")
    yaml = folder / "data.yaml"
    yaml.write_text(YAML.format(path=folder, sigma=0.05))
    return yaml


def test_detector_trains_and_exports_to_the_agreed_form(tmp_path: Path) -> None:
    pytest.importorskip("ultralytics")
    onnxruntime = pytest.importorskip("onnxruntime")
    from models.plate_detector.export import export
    from models.plate_detector.train import train

    config = read_config()
    config["train"] |= {"epochs": 1, "image_size": 160, "batch": 4, "last_epochs_without_mosaic": 0}
    checkpoint = train(config, small_dataset(tmp_path / "data", 12, 4), tmp_path / "run", start=None)
    path = export(checkpoint, "test")

    session = onnxruntime.InferenceSession(str(path))
    about = session.get_modelmeta().custom_metadata_map
    assert about["kind"] == "plate_detector"
    assert json.loads(about["kpt_shape"]) == [4, 3]
    assert about["version"] == "test"
    assert [i.name for i in session.get_inputs()] == ["images"]
    for batch, height, width in ((1, 160, 160), (2, 96, 160)):
        output = session.run(None, {"images": np.zeros((batch, 3, height, width), np.float32)})[0]
        anchors = sum((height // s) * (width // s) for s in (8, 16, 32))
        assert output.shape == (batch, 4 + 1 + 12, anchors)
        assert output[:, 4].min() >= 0
        assert output[:, 4].max() <= 1


def test_slimmer_score_says_what_it_was_taught_and_moves_no_corner(tmp_path: Path) -> None:
    pytest.importorskip("ultralytics")
    onnxruntime = pytest.importorskip("onnxruntime")
    from models.plate_detector.export import export
    from models.plate_detector.slim import CONFIG, slim
    from models.plate_detector.train import train

    config = read_config()
    config["train"] |= {"epochs": 1, "image_size": 160, "batch": 4, "last_epochs_without_mosaic": 0}
    data = small_dataset(tmp_path / "data", 12, 4)
    before = train(config, data, tmp_path / "run", start=None)
    few = tomllib.loads(CONFIG.read_text())
    few["train"] |= {"steps": 60, "batch": 4, "channels": 8, "image_size": 160}
    after = slim(few, before, data, tmp_path / "slim")

    paths = [export(checkpoint, "test") for checkpoint in (before, after)]
    assert paths[1].stat().st_size < paths[0].stat().st_size
    picture = cv2.imread(str(next((tmp_path / "data" / "images" / "train").glob("*.jpg"))))
    batch = np.ascontiguousarray(picture[:96, :160, ::-1].transpose(2, 0, 1)[None], np.float32) / 255
    outputs = [onnxruntime.InferenceSession(str(p)).run(None, {"images": batch})[0][0] for p in paths]
    for output in outputs:
        corners = output[5:].reshape(4, 3, -1)[:, :2]
        size = corners.max(axis=0) - corners.min(axis=0)
        assert np.allclose(output[2:4], size, atol=1e-3)
    assert np.allclose(outputs[0][5:], outputs[1][5:], atol=0.05)
    assert np.abs(outputs[0][4] - outputs[1][4]).max() < 0.2


def test_a_checkpoint_goes_on_with_its_narrower_layers_and_the_hard_swish(tmp_path: Path) -> None:
    pytest.importorskip("ultralytics")
    onnx = pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    import torch

    from models.plate_detector.export import export
    from models.plate_detector.slim import CONFIG, slim
    from models.plate_detector.train import begin, harden, joined, train

    config = read_config()
    config["train"] |= {"epochs": 1, "image_size": 160, "batch": 4, "last_epochs_without_mosaic": 0}
    sets = [small_dataset(tmp_path / name, 8, 4) for name in ("data", "data2")]
    few = tomllib.loads(CONFIG.read_text())
    few["train"] |= {"steps": 2, "batch": 4, "channels": 8, "image_size": 160}
    before = slim(few, train(config, sets[0], tmp_path / "run", start=None), sets[0], tmp_path / "slim")

    network, picture = begin(before).model.float().eval(), torch.rand(1, 3, 96, 160)
    as_it_was = network(picture)[0]
    harden(network, 1.14)
    corners = [5, 6, 8, 9, 11, 12, 14, 15]
    assert (network(picture)[0] - as_it_was)[:, corners].abs().mean() < 4.0
    assert all(module.__class__.__name__ != "SiLU" for module in network.modules())

    config["train"]["hard_swish_scale"] = 1.14
    both = joined(sets, tmp_path / "both")
    path = export(train(config, both, tmp_path / "hard", start=before), "test")
    graph = onnx.load(str(path)).graph
    assert sum(node.op_type == "HardSwish" for node in graph.node) > 40
    assert any(tuple(each.dims[:2]) == (8, 64) for each in graph.initializer)
    output = onnxruntime.InferenceSession(str(path)).run(None, {"images": picture.numpy()})[0]
    assert output.shape == (1, 17, 20 * 12 + 10 * 6 + 5 * 3)


@pytest.fixture
def one_crop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One drawn plate in place of the real crops; returns a pool that holds it too."""
    from models.plate_crops import crops, mixture, pool

    plate = random_plate(np.random.default_rng(1), "blue")
    corners = np.array([[10, 10], [450, 10], [450, 150], [10, 150]], np.float32)
    image = cv2.copyMakeBorder(plate.picture, 10, 10, 10, 10, cv2.BORDER_REPLICATE)

    class OneCrop(crops.RealCrops):
        def __init__(self, *_arguments: object, **_options: object) -> None:
            self.home = self.others = [crops.RealCrop(np.asarray(image, np.uint8), plate.text, corners)]

    import models.reader_training as shared

    monkeypatch.setattr(mixture, "RealCrops", OneCrop)
    monkeypatch.setattr(shared, "RealCrops", OneCrop)
    monkeypatch.setattr(pool, "SHARD", 8)
    pool.fill(tmp_path / "pool", "drawn", crops.drawn_crop, 16, 1)
    assert [path.name for path in sorted((tmp_path / "pool").glob("*.npy"))] == [
        "drawn-1-0000.npy",
        "drawn-1-0001.npy",
    ]
    return tmp_path / "pool"


def test_first_reader_trains_goes_on_and_merges(tmp_path: Path, one_crop: Path) -> None:
    pytest.importorskip("torch")
    onnxruntime = pytest.importorskip("onnxruntime")
    from models.plate_reader import train as recipe
    from models.plate_reader.merge import merge

    with recipe.CONFIG.open("rb") as file:
        config = recipe.tomllib.load(file)
    config["train"] |= {"steps": 3, "batch": 4, "report_every": 3}
    out = tmp_path / "run"
    recipe.train(config, tmp_path, one_crop, out)
    config["train"]["steps"] = 6
    path = recipe.train(config, tmp_path, one_crop, out)
    reports = [json.loads(line)["step"] for line in (out / "progress.jsonl").read_text().splitlines()]
    assert reports == [3, 6]

    checkpoint = out / "checkpoint.pt"
    merged = merge([checkpoint, checkpoint], config, tmp_path / "merged.onnx")
    crops = np.random.default_rng(0).normal(0, 0.5, (3, 3, 48, 168)).astype(np.float32)
    answers = []
    for file in (path, merged):
        session = onnxruntime.InferenceSession(str(file))
        about = session.get_modelmeta().custom_metadata_map
        assert about["kind"] == "plate_reader"
        [output] = session.run(None, {"crops": crops})
        assert output.shape == (3, 21, len(about["alphabet"]) + 1)
        assert np.allclose(output.sum(axis=2), 1, atol=1e-4)
        answers.append(output)
    assert np.allclose(*answers, atol=1e-5)


def test_second_reader_trains_and_keeps_its_form(tmp_path: Path, one_crop: Path) -> None:
    pytest.importorskip("onnx2torch")
    onnxruntime = pytest.importorskip("onnxruntime")
    from models.cards import WEIGHTS
    from models.second_reader import train as recipe

    with recipe.CONFIG.open("rb") as file:
        config = recipe.tomllib.load(file)
    config["train"] |= {"steps": 3, "batch": 4, "report_every": 3}
    path = recipe.train(config, tmp_path, one_crop, WEIGHTS / "second_reader.onnx", tmp_path / "run")

    session = onnxruntime.InferenceSession(str(path))
    about = session.get_modelmeta().custom_metadata_map
    for batch, width in ((1, 168), (3, 168), (1, 320)):
        output = session.run(None, {"crops": np.zeros((batch, 3, 48, width), np.float32)})[0]
        assert output.shape == (batch, width // 8, len(about["alphabet"]) + 1)
        assert np.allclose(output.sum(axis=2), 1, atol=1e-4)
    assert (tmp_path / "run" / "progress.jsonl").read_text().startswith('{"step": 3')


def test_reader_file_survives_the_way_through_torch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx2torch")
    onnxruntime = pytest.importorskip("onnxruntime")
    from models.cards import WEIGHTS
    from models.second_reader.network import PlateReaderNetwork, initializer_names, store

    base = WEIGHTS / "second_reader.onnx"
    network = PlateReaderNetwork(base).eval()
    names = initializer_names(base, network)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name in names:
                parameter.mul_(1.01)
    store(base, names, dict(network.named_parameters()), "changed", tmp_path / "changed.onnx")
    crops = torch.randn(2, 3, 48, 168)
    expected = network(crops).softmax(2).detach().numpy()
    session = onnxruntime.InferenceSession(str(tmp_path / "changed.onnx"))
    assert np.allclose(session.run(None, {"crops": crops.numpy()})[0], expected, atol=1e-4)
