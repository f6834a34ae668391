"""New plates out of old ones and what is done to them: the label must be what stands on the crop."""

import csv
import os
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.pictures import data_root, read_pictures
from models.plate_art.random_plates import KINDS, OTHER_KINDS, random_plate, random_text
from models.plate_art.sheet import make_sheet
from models.plate_crops import recombine
from models.plate_crops.bank import FLAT, CellBank, align
from models.plate_crops.crops import HOME, RealCrops, is_held_out, jitter
from models.plate_crops.degrade import EFFECTS, degrade, few_pixels
from models.plate_crops.mixture import letters_oftener, provinces_oftener
from models.plate_crops.recombine import recombined_crop
from models.plate_crops.scenes import mounted_plate, weather
from models.plate_crops.stream import h264
from models.plate_detector.compose import paste
from vision.backends import load_second_reader
from vision.plate_art import draw_plate
from vision.plates import LETTERS, PROVINCES, kind_of
from vision.reader import PlateReader
from vision.rectify import level

ROOT = Path(__file__).resolve().parents[2]
ALL_EFFECTS = {**EFFECTS, "H.264": h264}
# No picture with 应急 has been in the training of the second reader.
READABLE = [kind for kind in KINDS if kind != "white emergency"]
HELD_OUT_EVERY = 4


def picture_with_plate(text: str) -> tuple[np.ndarray, np.ndarray]:
    """A camera picture with this plate on it, and where its corners are."""
    corners = np.array([[20, 24], [200, 30], [198, 88], [18, 80]], np.float32)
    return paste(np.full((110, 220, 3), 60, np.uint8), draw_plate(text, "blue"), corners), corners


@pytest.fixture(scope="module")
def drawn_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the labelled pictures have it, of drawn plates."""
    root = tmp_path_factory.mktemp("data")
    folder = root / "train" / "crops"
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(3)
    columns = ["file", "plate_text", "plate_type", "layout", "x1", "y1", "x2", "y2", "corners"]
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(columns)
        for number in range(60):
            text = random_text(rng, "blue")
            image, corners = picture_with_plate(text)
            name = f"images/{number:03d}.png"
            cv2.imwrite(str(folder / name), image)
            written = " ".join(f"{x},{y}" for x, y in corners)
            rows.writerow([name, text, "blue", "single", 18, 24, 200, 88, written])
    return root


@pytest.fixture(scope="module")
def drawn_bank(drawn_root: Path) -> CellBank:
    return CellBank.load(drawn_root, HELD_OUT_EVERY)


@pytest.fixture(scope="module")
def reader() -> PlateReader:
    found = load_second_reader(precision="f32")
    assert isinstance(found, PlateReader)
    return found


@pytest.fixture
def real_root() -> Path:
    root = data_root()
    if not (root / "train" / "crops").is_dir():
        if os.environ.get("PLATEPAY_REQUIRE_DATA") == "1":
            pytest.fail("the labelled pictures are not there, and PLATEPAY_REQUIRE_DATA=1 asks for them")
        pytest.skip("no labelled pictures: shared/data is not there")
    return root


def clean_crop(text: str, colour: str, rows: int, face: int) -> np.ndarray:
    picture = draw_plate(text, colour, rows, face)
    h, w = picture.shape[:2]
    return level(picture, np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32))


def test_shares_of_the_kinds_add_up() -> None:
    assert sum(KINDS.values()) == pytest.approx(1)
    assert sum(recombine.KINDS.values()) == pytest.approx(1)


def test_drawn_plates_come_from_all_provinces_evenly() -> None:
    rng = np.random.default_rng(1)
    seen = Counter(random_text(rng, "blue")[0] for _ in range(3100))
    assert set(seen) == set(PROVINCES)
    assert min(seen.values()) > 60
    assert max(seen.values()) < 150


def test_recombined_plates_have_all_provinces_and_letters_evenly(drawn_bank: CellBank) -> None:
    rng = np.random.default_rng(2)
    texts = [recombine.text_of(rng, "blue", drawn_bank.plates[0]) for _ in range(3100)]
    provinces = Counter(text[0] for text in texts)
    letters = Counter(text[1] for text in texts)
    assert set(provinces) == set(PROVINCES)
    assert min(provinces.values()) > 60
    assert set(letters) == set(LETTERS + "O")
    assert min(letters[letter] for letter in LETTERS) > 80


@pytest.mark.parametrize("kind", list(recombine.KINDS))
def test_recombined_texts_obey_the_grammar_of_their_colour(kind: str, drawn_bank: CellBank) -> None:
    rng = np.random.default_rng(4)
    for _ in range(200):
        text = recombine.text_of(rng, kind, drawn_bank.plates[0])
        found = kind_of(text)
        assert found is not None, text
        assert kind.split()[0] in found.colours, text


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_other_kinds_are_drawn_but_outside_the_grammar(kind: str) -> None:
    plate = random_plate(np.random.default_rng(5), kind)
    assert plate.picture.std() > 20
    assert kind_of(plate.text) is None


@pytest.mark.parametrize("kind", READABLE)
def test_drawn_plates_show_their_text(kind: str, reader: PlateReader) -> None:
    rng = np.random.default_rng(6)
    rows = 2 if kind.endswith("double") else 1
    right = 0
    for number in range(20):
        text = random_text(rng, kind)
        right += reader.read(clean_crop(text, kind.split()[0], rows, number % 2), (rows,)).text == text
    assert right >= 19


@pytest.mark.parametrize("kind", list(recombine.KINDS))
def test_recombined_drawn_plates_show_their_text(
    kind: str, drawn_bank: CellBank, reader: PlateReader
) -> None:
    rng = np.random.default_rng(7)
    right = 0
    for _ in range(20):
        crop, text = recombined_crop(drawn_bank, rng, kind)
        assert crop.shape == (48, 168, 3)
        right += reader.read(crop).text == text
    assert right >= 18


@pytest.mark.data
def test_recombined_real_plates_show_their_text(real_root: Path, reader: PlateReader) -> None:
    bank = CellBank.load(real_root, 5, held_out=True)
    sharp = CellBank([p for p in bank.plates if sum(p.blur_mm) < 6 and (p.high - p.low).max() >= 110])
    rng = np.random.default_rng(8)
    right = 0
    for _ in range(100):
        crop, text = recombined_crop(sharp, rng, "blue")
        right += reader.read(crop).text == text
    assert right >= 95


def test_bank_holds_no_plate_kept_for_validation(drawn_root: Path, drawn_bank: CellBank) -> None:
    plates = [picture.plates[0] for picture in read_pictures(drawn_root / "train" / "crops")]
    kept = {plate.text for plate in plates if is_held_out(plate, HELD_OUT_EVERY)}
    used = {plate.text for plate in drawn_bank.plates}
    assert kept
    assert len(used) > 0.9 * (len(plates) - len(kept))
    assert not kept & used
    assert {plate.text for plate in CellBank.load(drawn_root, HELD_OUT_EVERY, held_out=True).plates} <= kept


def test_alignment_mends_careless_corners() -> None:
    image, corners = picture_with_plate("苏B67K8W")
    careless = corners + np.array([[4, -2], [3, -2], [4, -1], [5, -2]], np.float32)
    found = align(image, "苏B67K8W", careless)
    assert found is not None
    placed = cv2.perspectiveTransform(FLAT[None], found)[0] + 0.5
    assert np.abs(placed - corners).max() < 2


def test_plate_that_does_not_show_its_label_is_left_out() -> None:
    _, corners = picture_with_plate("苏B67K8W")
    blank = np.random.default_rng(9).integers(0, 255, (110, 220, 3)).astype(np.uint8)
    assert align(blank, "苏B67K8W", corners) is None


@pytest.mark.parametrize(
    ("kind", "is_right"),
    [
        ("blue", lambda b, g, r: b > r + 40),
        ("yellow", lambda b, g, r: r > b + 60 and g > b + 40),
        ("white police", lambda b, g, r: min(b, g, r) > 140),
        ("black", lambda b, g, r: max(b, g, r) < 90),
        ("green small", lambda b, g, r: g > r + 10),
    ],
)
def test_recombined_plate_has_the_ground_of_its_kind(
    kind: str, is_right: object, drawn_bank: CellBank
) -> None:
    rng = np.random.default_rng(10)
    crops = [recombined_crop(drawn_bank, rng, kind)[0] for _ in range(10)]
    # The gap between the border line and the characters shows nothing but the ground.
    blue, green, red = np.median([np.median(crop[8:11, 30:60], axis=(0, 1)) for crop in crops], axis=0)
    assert is_right(blue, green, red)  # type: ignore[operator]


def test_same_seed_gives_the_same_recombined_crop(drawn_bank: CellBank) -> None:
    first, second = (recombined_crop(drawn_bank, np.random.default_rng(11)) for _ in range(2))
    assert first[1] == second[1]
    assert np.array_equal(first[0], second[0])
    assert recombined_crop(drawn_bank, np.random.default_rng(12))[1] != first[1]


def test_wobble_moves_the_plate_in_the_crop(drawn_bank: CellBank) -> None:
    def to_the_left(corners: np.ndarray, _rng: np.random.Generator) -> np.ndarray:
        return corners - np.array([44, 0], np.float32)

    straight, _ = recombined_crop(drawn_bank, np.random.default_rng(13), "blue")
    moved, _ = recombined_crop(drawn_bank, np.random.default_rng(13), "blue", to_the_left)
    shift = round(44 / 440 * 168 / 1.04)
    difference = np.abs(straight[10:-10, 20:120].astype(int) - moved[10:-10, 20 + shift : 120 + shift])
    assert difference.mean() < 12
    assert np.abs(straight.astype(int) - moved).mean() > 20
    assert recombined_crop(drawn_bank, np.random.default_rng(14), "blue", jitter)[0].shape == (48, 168, 3)


@pytest.mark.parametrize("name", list(ALL_EFFECTS))
@pytest.mark.parametrize("shape", ["crop", "plate"])
def test_effect_is_seeded_keeps_the_size_and_spares_its_input(name: str, shape: str) -> None:
    effect = ALL_EFFECTS[name]
    picture = draw_plate("皖A12345", "blue")
    if shape == "crop":
        picture = cv2.resize(picture, (168, 48), interpolation=cv2.INTER_AREA)
    before = picture.copy()
    first, second = (effect(picture, np.random.default_rng(15)) for _ in range(2))
    assert first.shape == picture.shape
    assert first.dtype == np.uint8
    assert np.array_equal(first, second)
    assert np.array_equal(picture, before)
    outcomes = [effect(picture, np.random.default_rng(seed)) for seed in range(20, 26)]
    assert any(not np.array_equal(outcome, picture) for outcome in outcomes)
    assert any(not np.array_equal(outcome, first) for outcome in outcomes)


def test_fewer_pixels_carry_less_detail() -> None:
    crop = cv2.resize(draw_plate("皖A12345", "blue"), (168, 48), interpolation=cv2.INTER_AREA)
    rng = np.random.default_rng(16)
    detail = [cv2.Laplacian(few_pixels(crop, rng, width), cv2.CV_32F).std() for width in (70, 110, 168)]
    assert detail[0] < detail[1] < detail[2]


def test_degraded_crop_has_the_size_of_the_reader() -> None:
    crop = clean_crop("皖A12345", "blue", 1, 0)
    made = [degrade(crop, np.random.default_rng(seed)) for seed in (17, 17, 18)]
    assert made[0].shape == (48, 168, 3)
    assert np.array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])


def test_mounted_plates_and_weather_are_seeded() -> None:
    first, second = (mounted_plate(np.random.default_rng(19)) for _ in range(2))
    assert first.text == second.text
    assert np.array_equal(first.picture, second.picture)
    scene = np.full((120, 160, 3), 90, np.uint8)
    changed = [not np.array_equal(weather(scene, np.random.default_rng(seed)), scene) for seed in range(100)]
    assert 5 < sum(changed) < 40


def test_sheet_in_the_documents_is_what_the_command_draws() -> None:
    stored = cv2.imread(str(ROOT / "docs" / "plates.png"))
    drawn = make_sheet(36)
    assert stored is not None
    assert stored.shape == drawn.shape
    # Encoders and resizing differ by a shade between versions of the libraries.
    assert np.abs(stored.astype(int) - drawn).mean() < 2
    assert (ROOT / "docs" / "plates.png").stat().st_size < 400_000


def test_how_much_oftener_a_province_is_shown_follows_from_the_mixture(drawn_root: Path) -> None:
    real = RealCrops(drawn_root, HELD_OUT_EVERY, held_out=False)
    shown = Counter(crop.text[0] for crop in real.others)
    oftener = provinces_oftener({"real": 0.31, "home_share": 0.5}, real)
    even = 0.69 / len(PROVINCES)
    rarest = even + (0.155 * min(shown.values()) / shown.total() if len(shown) >= len(PROVINCES) - 1 else 0.0)
    assert oftener[HOME] == pytest.approx((even + 0.155) / rarest, abs=0.006)
    most, count = shown.most_common(1)[0]
    assert oftener[most] == pytest.approx((even + 0.155 * count / shown.total()) / rarest, abs=0.006)
    assert provinces_oftener({"real": 0.0, "home_share": 0.5}, real) == {}


def test_how_much_oftener_a_letter_follows_the_energy_letter_follows_from_the_mixture() -> None:
    assert letters_oftener({"drawn": 0.5, "recombined": 0.0}) == 1.0
    # Recombined, four of ten are letters; in life fifteen of a hundred.
    assert letters_oftener({"drawn": 0.0, "recombined": 0.5}) == pytest.approx(
        0.4 / 0.6 / (0.15 / 0.85), abs=0.01
    )
    assert 1.0 < letters_oftener({"drawn": 0.2, "recombined": 0.3}) < 3.78
