from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest
from pydantic import ValidationError

from api.keys import device_key, server_secret
from api.settings import BadSettings, Settings, read_settings


def test_defaults_need_no_environment() -> None:
    settings = read_settings({})
    assert settings.database_url == "sqlite:///platepay-data/platepay.db"
    assert settings.redis_url is None
    assert not settings.sandbox
    assert settings.rule_overrides() == {}


def test_values_come_from_prefixed_variables_and_options_win() -> None:
    environment = {
        "PLATEPAY_PORT": "9000",
        "PLATEPAY_DATA_DIR": "/srv/pp",
        "PLATEPAY_HOLD_FEN": "50000",
        "PORT": "1",
    }
    settings = read_settings(environment, port=9001, host=None)
    assert settings.port == 9001
    assert settings.host == "127.0.0.1"
    assert settings.database_url == "sqlite:////srv/pp/platepay.db"
    assert settings.rule_overrides() == {"hold_fen": 50_000}


def test_an_empty_variable_means_not_set() -> None:
    assert read_settings({"PLATEPAY_REDIS_URL": ""}).redis_url is None


def test_variables_of_the_tests_are_not_refused() -> None:
    read_settings({"PLATEPAY_REQUIRE_BROWSER": "1", "PLATEPAY_DATA": "/srv/pictures"})


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("PLATEPAY_PROT", "1", "did you mean PLATEPAY_PORT?"),
        ("PLATEPAY_PORT", "http", "PLATEPAY_PORT"),
        ("PLATEPAY_SECRET", "secret", "at least 32 characters"),
        ("PLATEPAY_ENGINE", "tpu", "'auto', 'openvino', 'onnx', 'torch' or 'ultralytics'"),
        ("PLATEPAY_HOLD_FEN", "12.5", "PLATEPAY_HOLD_FEN"),
        ("PLATEPAY_REDIS_URL", "localhost", "redis://"),
        ("PLATEPAY_TIME_ZONE", "Mars/Base", "Asia/Shanghai"),
    ],
)
def test_a_bad_variable_is_named_with_what_to_do(variable: str, value: str, said: str) -> None:
    with pytest.raises(BadSettings) as caught:
        read_settings({variable: value})
    text = str(caught.value)
    assert variable in text
    assert said in text


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(BadSettings) as caught:
        read_settings({"PLATEPAY_PORT": "x", "PLATEPAY_COLOUR": "red"})
    assert len(caught.value.problems) == 2


def test_a_secret_is_never_shown() -> None:
    secret = "s3cret-" * 8
    with pytest.raises(BadSettings) as caught:
        read_settings({"PLATEPAY_SECRET": "s3cret-short"})
    assert "s3cret" not in str(caught.value)
    settings = read_settings(
        {"PLATEPAY_SECRET": secret, "PLATEPAY_DATABASE_URL": "postgresql://u:s3cret-@h/d"}
    )
    assert "s3cret" not in repr(settings)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        read_settings({}).port = 1  # type: ignore[misc]


def test_every_setting_is_explained() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_the_secret_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    settings = read_settings({}, data_dir=tmp_path / "data")
    first = server_secret(settings)
    assert len(first) == 64
    assert server_secret(settings) == first
    path = tmp_path / "data" / "secret.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["secret.key"]


def test_device_keys_differ_by_device_version_and_secret() -> None:
    keys = {
        device_key(b"a" * 32, "cam-1", 1),
        device_key(b"a" * 32, "cam-1", 2),
        device_key(b"a" * 32, "cam-2", 1),
        device_key(b"b" * 32, "cam-1", 1),
    }
    assert len(keys) == 4


def test_the_document_has_exactly_these_settings_with_their_defaults() -> None:
    text = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
    rows = re.findall(r"^\| `PLATEPAY_(\w+)` \| (?:`(.+?)`)? ?\| (.+?) \|$", text, re.MULTILINE)
    told = {name.lower(): (default, meaning) for name, default, meaning in rows}
    assert set(told) == set(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else str(field.default)
        assert told[name] == (default.lower() if default in ("True", "False") else default, field.description)
