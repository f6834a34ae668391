"""`platepay evaluate --all`: drawn data sets, the bars, and the sheet of misses."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from api.commands.error_sheet import check_folder, pages, write_sheets
from api.commands.evaluate_all import figures_of, find_data, sentence
from api.commands.evaluate_bars import BARS, Bar, judge
from api.commands.evaluate_sets import SETS, load_sets, sampled
from api.commands.failures import CommandError
from tests.commands.running import platepay
from vision.labelled import LabelledPicture
from vision.metrics import Miss, Outcome, Report
from vision.plate_art import draw_plate

HEADER = "file,plate_text,plate_type,layout,x1,y1,x2,y2,corners,width,height,source,licence"
SHARE = Bar("exact", ("exact",), "at least", 0.9)
NUMBER = Bar("error", ("error",), "at most", 0.1)
PER_PICTURE = Bar("wrong", ("set", "wrong_texts_a_picture"), "at most", 0.02)


def write_scenes(folder: Path, plates: dict[str, tuple[str, str]]) -> None:
    """A set of grey pictures, each with one plate: by label the text that is drawn and its colour."""
    (folder / "images").mkdir(parents=True)
    lines = [HEADER]
    for number, (label, (text, colour)) in enumerate(plates.items()):
        scene = np.full((360, 640, 3), 120, np.uint8)
        cv2.rectangle(scene, (120, 60), (520, 330), (60, 60, 70), -1)
        scene[200:270, 210:430] = cv2.resize(
            draw_plate(text, colour), (220, 70), interpolation=cv2.INTER_AREA
        )
        cv2.imwrite(str(folder / f"images/{number}.png"), scene)
        lines.append(f"images/{number}.png,{label},{colour},single,210,200,430,270,,640,360,ours,CC0")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_video(path: Path) -> None:
    """Two seconds of a grey picture."""
    path.parent.mkdir(parents=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 5, (320, 240))
    for shade in range(10):
        writer.write(np.full((240, 320, 3), 90 + shade, np.uint8))
    writer.release()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with two small sets and a video; one label of cn_misc is wrong on purpose."""
    folder = tmp_path / "data"
    write_scenes(folder / "dev/cn_extra", {"粤B8K562": ("粤B8K562", "blue")})
    write_scenes(folder / "dev/cn_misc", {"苏E93T46": ("苏E93T46", "blue"), "鲁Q4D636": ("鲁Q4D635", "blue")})
    write_video(folder / "video/intel_car-detection.mp4")
    return folder


def test_every_set_is_judged_and_the_bars_missed_are_named(data: Path, tmp_path: Path) -> None:
    result = platepay(
        "evaluate", "--all", "--check", "--json", "--errors", "sheet", cwd=tmp_path, PLATEPAY_DATA=str(data)
    )
    assert result.returncode == 1, result.stderr
    figures = json.loads(result.stdout)
    exact = {name: (s["exact"]["right"], s["exact"]["of"]) for name, s in figures["sets"].items()}
    assert exact == {"cn_misc": (1, 2), "cn_extra": (1, 1), "intel_car-detection": (0, 0)}
    assert figures["sets"]["intel_car-detection"]["pictures"] >= 4
    together = figures["together"]["cn_misc_and_cn_extra"]["exact"]
    assert (together["right"], together["of"]) == (2, 3)
    holds = {bar["name"]: bar["holds"] for bar in figures["bars"]}
    assert holds["cn_misc and cn_extra, exact"] is False
    assert holds["cn_extra, wrong texts a picture"] is True
    assert holds["intel_car-detection, plate texts"] is True
    assert holds["lprnet_test, exact"] is False
    assert "bar missed: cn_misc and cn_extra, exact: 66.67% (2 of 3), needs at least 92.00%" in result.stderr
    assert "bar missed: lprnet_test, exact: no such set" in result.stderr
    assert "Traceback" not in result.stderr
    with (tmp_path / "sheet/misses.csv").open(encoding="utf-8", newline="") as file:
        [row] = csv.DictReader(file)
    assert (row["set"], row["plate"], row["read"], row["found"]) == ("cn_misc", "鲁Q4D636", "鲁Q4D635", "yes")
    assert cv2.imread(str(tmp_path / "sheet/misses_cn_misc_1.png")) is not None
    assert "personal data" in result.stderr


def test_without_check_a_missed_bar_is_printed_and_is_no_failure(data: Path, tmp_path: Path) -> None:
    result = platepay("evaluate", "--all", "--quick", "--data", str(data), cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "cn_misc" in result.stdout
    assert "worst province" in result.stdout
    assert "sample" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("evaluate",), "labels.csv, or --all"),
        (("evaluate", "--all", "--data", "nowhere"), "nowhere"),
        (("evaluate", "--all", "--data", "."), "none of the labelled sets"),
        (("evaluate", "--all"), "PLATEPAY_DATA"),
        (("evaluate", "--all", "--crops"), "--crops"),
        (("evaluate", "a.csv", "--all"), "LABELS"),
        (("evaluate", "a.csv", "--check"), "--check"),
        (("evaluate", "data/dev/cn_extra/labels.csv", "--readers", "third"), "third"),
        (("evaluate", "data/dev/cn_extra/labels.csv", "--errors", "kept/sheet"), "git working tree"),
        (("read", "x.png", "--readers", "none"), "none"),
    ],
)
def test_bad_input_gets_one_line(tmp_path: Path, data: Path, arguments: tuple[str, ...], says: str) -> None:
    (tmp_path / "kept/.git").mkdir(parents=True)
    result = platepay(*arguments, cwd=tmp_path)
    assert result.returncode == 2, (result.stdout, result.stderr)
    assert result.stderr.startswith("platepay: ")
    assert says in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("bar", "right", "of", "whole", "sample"),
    [
        (SHARE, 9, 10, True, True),
        (SHARE, 8, 10, False, True),
        (SHARE, 60, 100, False, False),
        (Bar("never", ("exact",), "at least", 1.0), 99, 100, False, False),
        (Bar("never", ("exact",), "at least", 1.0), 5, 5, True, True),
    ],
)
def test_a_share_is_held_against_its_bar(bar: Bar, right: int, of: int, whole: bool, sample: bool) -> None:
    outcomes = [
        Outcome("a", "粤B12345", "blue", True, "粤B12345" if i < right else None, 1.0) for i in range(of)
    ]
    figures = Report(outcomes=outcomes).as_dict()
    assert [judge(figures, [bar], is_sample=s)[0].holds for s in (False, True)] == [whole, sample]


def test_a_number_is_held_against_its_bar() -> None:
    assert judge({"error": 0.1}, [NUMBER], is_sample=False)[0].holds is True
    [missed] = judge({"error": 0.11}, [NUMBER], is_sample=False)
    assert missed.holds is False
    assert "error" in sentence(missed)
    assert "0.11" in sentence(missed)


@pytest.mark.parametrize(
    ("wrong", "pictures", "whole", "sample"),
    [(2, 100, True, True), (3, 100, False, True), (10, 100, False, False)],
)
def test_wrong_texts_are_judged_by_their_pictures(
    wrong: int, pictures: int, whole: bool, sample: bool
) -> None:
    figures = {"set": Report(pictures=pictures, wrong_texts=wrong).as_dict()}
    verdicts = [judge(figures, [PER_PICTURE], is_sample=s)[0] for s in (False, True)]
    assert [v.holds for v in verdicts] == [whole, sample]
    assert verdicts[0].detail == f"{wrong} in {pictures} pictures"


def test_what_a_sample_cannot_tell_is_left_open() -> None:
    bar = Bar("error", ("error",), "at most", 0.1, by_sample=False)
    assert judge({"error": 0.5}, [bar], is_sample=True)[0].holds is None
    assert judge({"error": 0.5}, [bar], is_sample=False)[0].holds is False
    nothing = Report().as_dict()
    assert [judge(nothing, [SHARE], is_sample=s)[0].holds for s in (True, False)] == [None, False]


def test_every_bar_has_its_figure_where_every_set_is_there() -> None:
    plates = [Outcome("a", "粤B12345", kind, True, "粤B12345", 1.0) for kind in ("blue", "yellow", "green")]
    reports = {s.name: Report(outcomes=[*plates, _silent()], pictures=1) for s in SETS}
    figures: dict[str, Any] = figures_of({s.name: s.form for s in SETS}, reports)
    verdicts = judge({**figures, "weights_mb": 1.0}, is_sample=False)
    assert [v.bar.name for v in verdicts] == [bar.name for bar in BARS]
    assert [v.bar.name for v in verdicts if v.figure is None] == []


def _silent() -> Outcome:
    return Outcome("a", "WJ1693015", "white", True, None, 0.0)


def test_a_sample_is_the_same_every_time_and_in_order() -> None:
    pictures = [LabelledPicture(Path(f"{i}.png"), ()) for i in range(50)]
    first = sampled(pictures, 10)
    assert first == sampled(pictures, 10)
    assert [pictures.index(p) for p in first] == sorted(pictures.index(p) for p in first)
    assert len(first) == 10
    assert sampled(pictures, None) == pictures
    assert sampled(pictures, 99) == pictures


def test_plates_of_strangers_have_no_right_text(tmp_path: Path) -> None:
    write_scenes(tmp_path / "dev/openalpr_foreign", {"RK896AO": ("粤B8K562", "blue")})
    [loaded] = load_sets(tmp_path, is_sample=False)
    assert [plate.text for picture in loaded.pictures for plate in picture.plates] == [""]


def test_the_data_folder_given_wins_over_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLATEPAY_DATA", str(tmp_path / "gone"))
    assert find_data(tmp_path) == tmp_path
    with pytest.raises(CommandError, match="gone"):
        find_data(None)


def test_a_sheet_holds_every_miss_and_replaces_older_pages(tmp_path: Path) -> None:
    misses = [Miss("a.png", "粤B12345", "blue", None, 0.0, view=np.zeros((40, 90, 3), np.uint8))] * 27
    assert len(list(pages(misses))) == 2
    folder = check_folder(tmp_path / "new" / "sheet")
    (folder / "misses_old_1.png").write_bytes(b"")
    assert write_sheets(folder, {"one": Report(misses=misses)}) == 27
    assert sorted(p.name for p in folder.iterdir()) == ["misses.csv", "misses_one_1.png", "misses_one_2.png"]


def test_a_sheet_is_not_written_where_git_would_keep_it(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: elsewhere\n")
    with pytest.raises(CommandError, match="personal data"):
        check_folder(tmp_path / "deep" / "sheet")
    assert not (tmp_path / "deep").exists()
