"""The command line as a person meets it: real processes, exit codes, one clear line for what is wrong."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.commands.running import platepay
from vision.plate_art import draw_plate


def write_scene(path: Path, text: str, colour: str) -> None:
    """A grey picture with one plate in it."""
    scene = np.full((360, 640, 3), 120, np.uint8)
    cv2.rectangle(scene, (120, 60), (520, 330), (60, 60, 70), -1)
    plate = cv2.resize(draw_plate(text, colour), (220, 70), interpolation=cv2.INTER_AREA)
    scene[200:270, 210:430] = plate
    assert cv2.imwrite(str(path), scene)


def test_help_names_every_command(tmp_path: Path) -> None:
    result = platepay("--help", cwd=tmp_path)
    assert result.returncode == 0
    for command in ("demo", "serve", "watch", "read", "evaluate", "bench", "audit", "migrate"):
        assert f" {command} " in result.stdout


def test_read_gives_text_corners_and_characters_for_each_picture(tmp_path: Path) -> None:
    write_scene(tmp_path / "one.png", "粤B8K562", "blue")
    write_scene(tmp_path / "two.jpg", "苏E93T46", "blue")
    result = platepay("read", "one.png", "two.jpg", "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [row["file"] for row in rows] == ["one.png", "two.jpg"]
    for row, text in zip(rows, ("粤B8K562", "苏E93T46"), strict=True):
        (plate,) = row["plates"]
        assert plate["text"] == text
        assert plate["colour"] == "blue"
        assert 0 < plate["confidence"] <= 1
        assert len(plate["characters"]) == len(text)
        assert [position[0][0] for position in plate["characters"]] == list(text)
        corners = np.array(plate["corners"])
        expected = np.array([[210, 200], [430, 200], [430, 270], [210, 270]])
        assert np.abs(corners - expected).max() < 14


def test_read_crops_takes_each_picture_as_a_plate(tmp_path: Path) -> None:
    crop = cv2.resize(draw_plate("京AD12379", "green"), (160, 48), interpolation=cv2.INTER_AREA)
    assert cv2.imwrite(str(tmp_path / "crop.png"), crop)
    result = platepay("read", "--crops", "--json", "crop.png", cwd=tmp_path)
    (plate,) = json.loads(result.stdout)["plates"]
    assert (plate["text"], plate["colour"]) == ("京AD12379", "green")


def test_read_names_a_corrupt_picture_and_reads_the_others(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff not a picture")
    write_scene(tmp_path / "good.png", "粤B8K562", "blue")
    result = platepay("read", "broken.jpg", "good.png", "missing.png", "--json", cwd=tmp_path)
    assert result.returncode == 1
    rows = {row["file"]: row for row in map(json.loads, result.stdout.splitlines())}
    assert "not a picture" in rows["broken.jpg"]["error"]
    assert rows["good.png"]["plates"][0]["text"] == "粤B8K562"
    assert "broken.jpg" in result.stderr
    assert "missing.png" in result.stderr


def test_evaluate_scores_labelled_crops(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    lines = ["file,plate_text,plate_type,layout,x1,y1,x2,y2,corners,width,height,source,licence"]
    for number, text in enumerate(("粤B8K562", "苏E93T46", "鲁Q4D635")):
        crop = cv2.resize(draw_plate(text, "blue"), (160, 48), interpolation=cv2.INTER_AREA)
        assert cv2.imwrite(str(tmp_path / "images" / f"{number}.png"), crop)
        lines.append(f"images/{number}.png,{text},blue,single,0,0,160,48,,160,48,ours,CC0")
    # One label is wrong on purpose: a score that cannot fall is no score.
    lines[3] = lines[3].replace("鲁Q4D635", "鲁Q4D636")
    (tmp_path / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    result = platepay("evaluate", "labels.csv", "--crops", "--json", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    text = json.dumps(report)
    assert report["exact"]["right"] == 2, text
    assert report["exact"]["of"] == 3, text


def test_evaluate_names_pictures_it_cannot_open(tmp_path: Path) -> None:
    header = "file,plate_text,plate_type,layout,x1,y1,x2,y2,corners,width,height,source,licence"
    (tmp_path / "labels.csv").write_text(f"{header}\ngone.png,粤B8K562,blue,single,0,0,1,1,,1,1,ours,CC0\n")
    result = platepay("evaluate", "labels.csv", "--crops", cwd=tmp_path)
    assert result.returncode == 1
    assert "gone.png" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("evaluate", "nowhere.csv"), "nowhere.csv"),
        (("evaluate", "good.toml"), "plate_text"),
        (("watch", "--camera", "lane-1"), "cameras.toml"),
        (("watch", "--camera", "lane-9", "--cameras", "good.toml"), "lane-1"),
        (("watch", "--camera", "lane-1", "--cameras", "typo.toml"), "frames_per_second"),
        (("watch", "--camera", "gone", "--cameras", "good.toml"), "nofile.mp4"),
        (("read", "x.png", "--engine", "abacus"), "abacus"),
        (("audit",), "platepay.db"),
        (("device", "add", "x", "--role", "drone", "--station", "s"), "drone"),
        (("operator", "add", "x", "--password-file", "nothing.txt"), "nothing.txt"),
    ],
)
def test_bad_input_gets_one_line_that_names_it(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    (tmp_path / "good.toml").write_text(
        '[[camera]]\nname = "lane-1"\nstation = "s"\nurl = "rtsp://127.0.0.1:1/x"\n'
        '[[camera]]\nname = "gone"\nstation = "s"\nurl = "nofile.mp4"\n',
        encoding="utf-8",
    )
    (tmp_path / "typo.toml").write_text(
        '[[camera]]\nname = "lane-1"\nstation = "s"\nurl = "rtsp://127.0.0.1:1/x"\nframes_per_secnd = 5\n',
        encoding="utf-8",
    )
    result = platepay(*arguments, cwd=tmp_path)
    assert result.returncode == 2, (result.stdout, result.stderr)
    assert result.stderr.startswith("platepay: ")
    assert says in result.stderr
    assert "Traceback" not in result.stderr


def test_an_unknown_setting_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    result = platepay("audit", cwd=tmp_path, PLATEPAY_HOLD_FENS="5")
    assert result.returncode == 2
    assert "PLATEPAY_HOLD_FEN" in result.stderr


def test_audit_names_a_row_that_was_edited_by_hand(tmp_path: Path) -> None:
    assert platepay("migrate", cwd=tmp_path).returncode == 0
    assert platepay("audit", cwd=tmp_path).returncode == 0
    with sqlite3.connect(tmp_path / "platepay-data" / "platepay.db") as database:
        database.execute(
            "INSERT INTO accounts (id, name, phone, created_at) "
            "VALUES ('a-1', 'x', NULL, '2026-01-01 00:00:00')"
        )
        columns = [row[1] for row in database.execute("PRAGMA table_info(wallets)")]
        assert "principal_fen" in columns, columns
        values = {"account_id": "'a-1'", "principal_fen": "777"}
        row = ", ".join(values.get(column, "0") for column in columns)
        database.execute(f"INSERT INTO wallets ({', '.join(columns)}) VALUES ({row})")
    result = platepay("audit", "--json", cwd=tmp_path)
    assert result.returncode == 1, result.stdout
    broken = [check for check in json.loads(result.stdout)["checks"] if not check["ok"]]
    assert broken
    assert any("a-1" in check["first_bad"] for check in broken)


def test_watch_without_a_service_prints_sightings_of_a_folder_of_stills(tmp_path: Path) -> None:
    stills = tmp_path / "stills"
    stills.mkdir()
    for number in range(40):
        write_scene(stills / f"{number:03}.png", "粤B8K562", "blue")
    (tmp_path / "cameras.toml").write_text(
        f'[[camera]]\nname = "yard"\nstation = "s"\nurl = "{stills}"\nframes_per_second = 10\n',
        encoding="utf-8",
    )
    result = platepay("watch", "--camera", "yard", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    events = [json.loads(line) for line in result.stdout.splitlines()]
    sightings = [event for event in events if event["event"] == "sighting"]
    assert [sighting["text"] for sighting in sightings] == ["粤B8K562"]
    evidence = sightings[0]["evidence"]
    for sha256 in evidence.values():
        assert list((tmp_path / "platepay-data" / "evidence").rglob(f"{sha256}*"))
