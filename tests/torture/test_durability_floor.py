"""On a PostgreSQL that could lose an answer the wallet does not open, and says how to put that right."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.commands.torture_postgres import PostgresServer
from wallet.errors import DurabilityTooLow
from wallet.service import open_wallet
from wallet.store.database import check_durability, make_engine


@pytest.mark.parametrize(
    ("setting", "found"),
    [("fsync", "off"), ("full_page_writes", "off"), ("synchronous_commit", "off")],
)
def test_the_wallet_does_not_open_on_a_server_below_the_floor(
    tmp_path: Path, setting: str, found: str
) -> None:
    server = PostgresServer(tmp_path / "server", {setting: found})
    try:
        server.make()
        server.start()
        with pytest.raises(DurabilityTooLow) as refused:
            open_wallet(server.url)
        assert (refused.value.setting, refused.value.found) == (setting, found)
        assert f"ALTER SYSTEM SET {setting} = on; SELECT pg_reload_conf();" in str(refused.value)
    finally:
        server.remove()


def test_a_server_as_it_comes_is_durable_enough(tmp_path: Path) -> None:
    server = PostgresServer(tmp_path / "server")
    try:
        server.make()
        server.start()
        engine = make_engine(server.url)
        check_durability(engine)
        engine.dispose()
    finally:
        server.remove()
