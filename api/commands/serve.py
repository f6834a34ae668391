"""`platepay serve` and `platepay migrate`."""

from __future__ import annotations

import gc
import re
import sys
from typing import Any

from api.commands.failures import CommandError
from api.settings import Settings, read_settings

SERVER_OPTIONS: dict[str, Any] = {"log_level": "info", "access_log": False}
# So many new containers are let live before Python looks for circles among them; a request makes hundreds.
_BEFORE_GARBAGE = 20_000


def serve(host: str | None, port: int | None) -> None:
    """Run the service until it is told to stop."""
    import uvicorn

    from api.app import create_app

    settings = read_settings(host=host, port=port)
    app = create_app(settings)
    keep_garbage_small()
    uvicorn.run(app, host=settings.host, port=settings.port, **SERVER_OPTIONS)


def keep_garbage_small() -> None:
    """What was made so far stays for good: Python need not look through it, again and again, for garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_BEFORE_GARBAGE, 20, 50)


def migrate(grant_to: str | None) -> None:
    """Bring the configured database to the tables of this version, and give a role what it needs of them."""
    from api.migrations import grant
    from api.wiring import open_database

    settings = read_settings()
    if grant_to is not None:
        _check_role(grant_to, settings)
    wallet = open_database(settings)
    try:
        if grant_to is not None:
            grant(wallet.engine, grant_to)
            sys.stdout.write(f"{grant_to} may read and add facts, and change nothing of them\n")
    finally:
        wallet.close()
    sys.stdout.write("the database has the tables of this version\n")


def _check_role(role: str, settings: Settings) -> None:
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", role):
        raise CommandError(f"--grant-to is the name of a role in small letters, digits and _, not {role!r}")
    if settings.database_url.startswith("sqlite"):
        raise CommandError("SQLite has no roles; whoever can write the file can do anything to it")
