"""Run by Alembic: migrates the connection it was handed, or the one of PLATEPAY_DATABASE_URL."""

from __future__ import annotations

import os
from typing import Any

from alembic import context
from sqlalchemy import Connection

from wallet import guards  # noqa: F401  create_all and autogenerate see the same metadata
from wallet.columns import UtcTime
from wallet.store.database import make_engine
from wallet.tables import metadata


def render_item(kind: str, item: Any, _autogenerate: Any) -> str | bool:
    """A migration names plain types, so that it still says the same when our own types change."""
    if kind == "type" and isinstance(item, UtcTime):
        return "sa.DateTime(timezone=True)"
    return False


def run(connection: Connection) -> None:
    """Runs the migrations in the transaction the connection is in."""
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_type=True,
        render_item=render_item,
        render_as_batch=False,
        transactional_ddl=True,
    )
    context.run_migrations()


handed = context.config.attributes.get("connection")
if handed is not None:
    run(handed)
else:
    with make_engine(os.environ["PLATEPAY_DATABASE_URL"]).connect() as opened, opened.begin():
        run(opened)
