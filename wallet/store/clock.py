"""The database's own clock: one for all services that share it."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection, text

_SQLITE_FORM = "%Y-%m-%d %H:%M:%f"


def database_time(connection: Connection) -> datetime:
    """The moment it is in the database, aware UTC."""
    if connection.dialect.name == "sqlite":
        query = text("SELECT strftime(:form, 'now')").bindparams(form=_SQLITE_FORM)
        return datetime.fromisoformat(str(connection.execute(query).scalar_one())).replace(tzinfo=UTC)
    moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment.astimezone(UTC)
