"""What the documents say is there: links, commands, settings."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from api.cli import app
from api.settings import Settings
from cameras.config import parse_cameras

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "models").rglob("*.md")])
# Read by the camera worker or by compose itself, not by the service.
NOT_OF_THE_SERVICE = {"DATABASE_PASSWORD", "DEVICE_KEY", "CAMERA"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_every_command_of_the_readme_exists() -> None:
    known = get_command(app)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"^platepay ([a-z-]+)(?: ([a-z]+)\b)?", text, flags=re.MULTILINE)
    assert len(named) >= 8
    for first, second in named:
        command = known.commands[first]  # type: ignore[attr-defined]
        if hasattr(command, "commands"):
            assert second in command.commands


def test_the_camera_of_the_readme_is_a_good_one(tmp_path: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    (tmp_path / "lane-1.key").write_text("0" * 64, encoding="utf-8")
    cameras = parse_cameras(tomllib.loads(block), tmp_path, {})
    assert cameras.camera("lane-1").zones[0].name == "1"
    assert cameras.service is not None


def test_compose_speaks_of_settings_there_are() -> None:
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    assert set(compose["services"]) == {"database", "redis", "service", "camera"}
    known = {f"PLATEPAY_{name.upper()}" for name in Settings.model_fields}
    assert set(compose["services"]["service"]["environment"]) <= known
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    asked = set(re.findall(r"\$\{PLATEPAY_([A-Z_]+)", (ROOT / "compose.yaml").read_text(encoding="utf-8")))
    assert asked - {"SECRET"} == NOT_OF_THE_SERVICE
    for name in asked:
        assert f"PLATEPAY_{name}=" in example
