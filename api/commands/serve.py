"""`platepay serve` and `platepay migrate`."""

from __future__ import annotations

import sys

from api.settings import read_settings


def serve(host: str | None, port: int | None) -> None:
    """Run the service until it is told to stop."""
    import uvicorn

    from api.app import create_app

    settings = read_settings(host=host, port=port)
    app = create_app(settings)
    uvicorn.run(app, host=settings.host, port=settings.port, log_level="info", access_log=False)


def migrate() -> None:
    """Bring the configured database to the tables of this version."""
    from api.wiring import open_database

    settings = read_settings()
    open_database(settings).close()
    sys.stdout.write("the database has the tables of this version\n")
