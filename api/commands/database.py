"""The configured database for commands that look at what is there and make nothing new."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url

from api.commands.failures import CommandError
from api.settings import Settings

if TYPE_CHECKING:
    from wallet.service import Wallet


def open_existing_wallet(settings: Settings) -> Wallet:
    """The wallet of the settings. Raises CommandError where its SQLite file is not there."""
    from pathlib import Path

    from vision.confusion import measured_lookalikes
    from wallet.service import open_wallet

    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite" and not (url.database and Path(url.database).is_file()):
        raise CommandError(
            f"there is no database at {url.database}; set PLATEPAY_DATABASE_URL or PLATEPAY_DATA_DIR, "
            "or start the service once: platepay serve"
        )
    return open_wallet(settings.database_url, alike=measured_lookalikes())
