"""`platepay operator add` and `platepay device add`."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from api.commands.failures import CommandError
from api.settings import read_settings

if TYPE_CHECKING:
    from api.wiring import Services


def add_operator(name: str, password_file: Path | None, role: str = "admin") -> None:
    """Create an operator with the password of the file, or one that is asked for."""
    from api.rights import RIGHTS

    if role not in RIGHTS:
        raise CommandError(f"--role is {', '.join(RIGHTS)}, not {role!r}")
    password = _read_password(password_file)
    with _services() as services:
        services.operators.add(name, password, role)
    sys.stdout.write(f"operator {name} may log in\n")


def add_device(name: str, role: str, station: str) -> None:
    """Register a device and print its key, which is derived from the server secret and stored nowhere."""
    match role:
        case "camera" | "pump":
            with _services() as services:
                key = services.devices.add(name, role, station)
        case _:
            raise CommandError(f"--role is camera or pump, not {role!r}")
    sys.stdout.write(key + "\n")


@contextmanager
def _services() -> Iterator[Services]:
    from api.wiring import build_services

    services = build_services(read_settings())
    try:
        yield services
    finally:
        services.close()


def _read_password(file: Path | None) -> str:
    if file is None:
        if not sys.stdin.isatty():
            raise CommandError("give --password-file where there is no terminal to ask at")
        password = getpass.getpass("password: ")
        if getpass.getpass("once more: ") != password:
            raise CommandError("the two passwords differ; nothing was changed")
        return password
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise CommandError(f"{file}: cannot be read ({error.strerror})") from error
    if not lines or not lines[0]:
        raise CommandError(f"{file}: its first line is empty; write the password there")
    return lines[0]
