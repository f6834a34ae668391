"""cameras.toml: what is taken, and that every mistake is named."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from cameras.config import load_cameras
from cameras.errors import (
    BadValue,
    ConfigMissing,
    ConfigUnreadable,
    DuplicateName,
    UnknownCamera,
    UnknownKey,
    masked,
)

WHOLE = """
[service]
url = "https://pay.example:8443/"
device = "camera-1"
key = "abc123"

[[camera]]
name = "lane-1"
station = "demo"
url = "rtsp://user:secret@10.0.0.8:554/main"
frames_per_second = 12
reentry_s = 60
decide_within_s = 4.5
search_px = 640
starts_at = 2026-01-31T08:00:00+08:00

[[camera.zone]]
name = "1"
polygon = [[0, 0.5], [0.5, 0.5], [0.5, 1]]

[[camera]]
name = "film"
station = "demo"
url = "films/day.mp4"
realtime = true
"""


def load(tmp_path, text):
    path = tmp_path / "cameras.toml"
    path.write_text(text, encoding="utf-8")
    return load_cameras(path)


def camera_block(lines):
    base = {"name": '"lane-1"', "station": '"demo"', "url": '"rtsp://10.0.0.8/main"'}
    base.update(lines)
    return "[[camera]]\n" + "\n".join(f"{key} = {value}" for key, value in base.items() if value is not None)


def test_a_whole_file_is_read(tmp_path):
    found = load(tmp_path, WHOLE)
    assert found.service is not None
    assert (found.service.url, found.service.device, found.service.key) == (
        "https://pay.example:8443",
        "camera-1",
        b"abc123",
    )
    lane = found.camera("lane-1")
    assert lane.is_live
    assert (lane.frames_per_second, lane.reentry_s, lane.decide_within_s, lane.dwell_s) == (12, 60, 4.5, None)
    assert lane.search_px == 640
    assert lane.starts_at == datetime(2026, 1, 31, 0, 0, tzinfo=UTC)
    assert lane.zones[0].polygon == ((0, 0.5), (0.5, 0.5), (0.5, 1))
    film = found.camera("film")
    assert not film.is_live
    assert film.url == str(tmp_path / "films" / "day.mp4")
    assert (film.frames_per_second, film.reentry_s, film.realtime) == (10, 45, True)
    assert film.search_px is None


def test_the_key_is_not_shown(tmp_path):
    assert "abc123" not in repr(load(tmp_path, WHOLE))


def test_no_service_is_no_error(tmp_path):
    assert load(tmp_path, camera_block({})).service is None


def test_an_unknown_key_is_named_with_its_block_and_the_nearest_known_one(tmp_path):
    with pytest.raises(UnknownKey) as caught:
        load(tmp_path, camera_block({"frame_per_second": "10"}))
    assert (caught.value.key, caught.value.suggestion) == ("frame_per_second", "frames_per_second")
    assert "[[camera]] number 1" in str(caught.value)
    assert "did you mean 'frames_per_second'?" in str(caught.value)
    assert caught.value.code == "config_unknown_key"


@pytest.mark.parametrize(
    ("text", "key", "suggestion"),
    [
        ('[servise]\nurl = "http://a"', "servise", "service"),
        ('[service]\nurl = "http://a"\ndevise = "x"', "devise", "device"),
        (camera_block({}) + '\n[[camera.zone]]\nname = "1"\npolygone = []', "polygone", "polygon"),
        (camera_block({"zzz": "1"}), "zzz", None),
    ],
)
def test_unknown_keys_are_refused_in_every_block(tmp_path, text, key, suggestion):
    with pytest.raises(UnknownKey) as caught:
        load(tmp_path, text)
    assert (caught.value.key, caught.value.suggestion) == (key, suggestion)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ({"name": None}, "name: is missing"),
        ({"name": '"a b"'}, "name: must be letters"),
        ({"station": None}, "station: is missing"),
        ({"url": None}, "url: is missing"),
        ({"url": '""'}, "url: must be text that is not empty"),
        ({"url": '"ftp://host/x"'}, "must start with one of rtsp://"),
        ({"url": '"rtsp:///x"'}, "names no host"),
        ({"url": '"rtsp://host:99999/x"'}, "is no url"),
        ({"frames_per_second": '"10"'}, "must be a number"),
        ({"frames_per_second": "0"}, "must be from 0.1 to 120"),
        ({"frames_per_second": "true"}, "must be a number"),
        ({"reentry_s": "-1"}, "must be from 0 to 86400"),
        ({"reentry_s": "nan"}, "must be from 0 to 86400"),
        ({"search_px": "64"}, "must be from 320 to 1920"),
        ({"realtime": "1"}, "must be true or false"),
        ({"starts_at": "2026-01-31T08:00:00"}, "with its zone"),
        ({"zone": "3"}, "must be written as [[zone]]"),
    ],
)
def test_a_wrong_value_is_named(tmp_path, lines, words):
    with pytest.raises(BadValue) as caught:
        load(tmp_path, camera_block(lines))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("polygon", "words"),
    [
        ("[[0, 0], [1, 0]]", "at least 3 points"),
        ("3", "at least 3 points"),
        ("[[0, 0], [1, 0], [640, 360]]", "outside 0 to 1"),
        ("[[0, 0], [1, 0], [0.5, -0.1]]", "outside 0 to 1"),
        ("[[0, 0], [1, 0], [0.5]]", "is not a point"),
        ('[[0, 0], [1, 0], ["a", 1]]', "is not a point"),
    ],
)
def test_a_zone_that_is_none_is_named(tmp_path, polygon, words):
    text = camera_block({}) + f'\n[[camera.zone]]\nname = "pump-1"\npolygon = {polygon}'
    with pytest.raises(BadValue) as caught:
        load(tmp_path, text)
    assert words in str(caught.value)
    assert "'pump-1'" in str(caught.value)
    assert "'lane-1'" in str(caught.value)


def test_a_zone_without_polygon_is_named(tmp_path):
    with pytest.raises(BadValue, match="polygon: is missing"):
        load(tmp_path, camera_block({}) + '\n[[camera.zone]]\nname = "1"')


def test_names_used_twice_are_refused(tmp_path):
    with pytest.raises(DuplicateName, match="camera name 'lane-1' is used twice"):
        load(tmp_path, camera_block({}) + "\n" + camera_block({}))
    zone = '\n[[camera.zone]]\nname = "1"\npolygon = [[0, 0], [1, 0], [1, 1]]'
    with pytest.raises(DuplicateName, match="zone name '1' is used twice"):
        load(tmp_path, camera_block({}) + zone + zone)


def test_a_file_without_cameras_is_refused(tmp_path):
    with pytest.raises(BadValue, match="there is no"):
        load(tmp_path, "")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigMissing) as caught:
        load_cameras(tmp_path / "nowhere.toml")
    assert str(tmp_path / "nowhere.toml") in str(caught.value)


@pytest.mark.parametrize("content", [b"[[camera]\n", b"\xff\xfe\x00"])
def test_a_file_that_is_no_toml_is_named(tmp_path, content):
    path = tmp_path / "cameras.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigUnreadable, match=r"cameras\.toml"):
        load_cameras(path)


def test_a_folder_instead_of_a_file_is_named(tmp_path):
    with pytest.raises(ConfigUnreadable):
        load_cameras(tmp_path)


def test_an_unknown_camera_error_lists_those_there_are(tmp_path):
    with pytest.raises(UnknownCamera) as caught:
        load(tmp_path, WHOLE).camera("lane1")
    assert "did you mean 'lane-1'?" in str(caught.value)
    assert "lane-1, film" in str(caught.value)


SERVICE = '[service]\nurl = "http://127.0.0.1:8000"\ndevice = "camera-1"\n'


def test_the_key_may_stand_in_a_file_or_the_environment(tmp_path, monkeypatch):
    (tmp_path / "camera.key").write_text("from a file\n")
    found = load(tmp_path, SERVICE + 'key_file = "camera.key"\n' + camera_block({}))
    assert found.service is not None
    assert found.service.key == b"from a file"
    monkeypatch.setenv("CAMERA_KEY", "from outside")
    found = load(tmp_path, SERVICE + 'key_env = "CAMERA_KEY"\n' + camera_block({}))
    assert found.service is not None
    assert found.service.key == b"from outside"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "none of them"),
        ('key = "a"\nkey_env = "B"', "key and key_env"),
        ('key_env = "PLATEPAY_NO_SUCH_VARIABLE"', "PLATEPAY_NO_SUCH_VARIABLE is empty or not set"),
        ('key_file = "nowhere.key"', "cannot be read"),
    ],
)
def test_a_key_that_cannot_be_had_is_named(tmp_path, line, words):
    with pytest.raises(BadValue, match=words):
        load(tmp_path, SERVICE + line + "\n" + camera_block({}))


def test_a_service_url_must_be_http(tmp_path):
    text = SERVICE.replace("http://", "rtsp://") + 'key = "a"\n' + camera_block({})
    with pytest.raises(BadValue, match="must start with one of http://"):
        load(tmp_path, text)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://user:secret@host/x", "rtsp://user:***@host/x"),
        ("rtsp://user:se:c@ret@host:554/x?a=1", "rtsp://user:***@host:554/x?a=1"),
        ("rtsp://user@host/x", "rtsp://user@host/x"),
        ("http://cam/v.cgi?user=a&pwd=secret&fps=5", "http://cam/v.cgi?user=a&pwd=***&fps=5"),
        ("http://a:secret@cam/v?token=secret", "http://a:***@cam/v?token=***"),
        ("films/day.mp4", "films/day.mp4"),
    ],
)
def test_passwords_are_masked(url, shown):
    assert masked(url) == shown
