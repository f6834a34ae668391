"""The history of the tables (Alembic).

`upgrade` brings a database to this version, `check` says what differs.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from wallet.tables import metadata

# Two services that start at once migrate one after the other; the number only has to be ours.
_POSTGRESQL_LOCK = 7_528_359


class SchemaDiffers(Exception):  # noqa: N818
    """The tables are not those of this version."""

    code = "schema_differs"

    def __init__(self, database: str, differences: list[str]) -> None:
        listed = "; ".join(differences[:5])
        super().__init__(f"the tables of {database} are not those of this version: {listed}")
        self.database = database
        self.differences = differences


def upgrade(engine: Engine) -> None:
    """Brings the database to the newest version, in one transaction; does nothing where it is there already.

    Tables that were made without a history (by `open_wallet` on a fresh SQLite file) are taken over where
    they are those of this version, else SchemaDiffers is raised and nothing has changed.
    """
    with engine.connect() as plain:
        connection = plain.execution_options(platepay_writes=True)
        with connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _POSTGRESQL_LOCK})
            config = alembic_config(connection)
            tables = inspect(connection).get_table_names()
            if "transfers" in tables and "alembic_version" not in tables:
                _refuse_differences(connection)
                command.stamp(config, "head")
            else:
                command.upgrade(config, "head")


def downgrade(engine: Engine, revision: str) -> None:
    """Goes back to an older version; `base` removes every table with all its rows."""
    with engine.connect() as plain:
        connection = plain.execution_options(platepay_writes=True)
        with connection.begin():
            command.downgrade(alembic_config(connection), revision)


def check(engine: Engine) -> None:
    """Raises SchemaDiffers where the tables are not those of this version."""
    with engine.connect() as connection, connection.begin():
        found = current(connection)
        newest = head()
        if found != newest:
            raise SchemaDiffers(_name(connection), [f"version {found or 'none'} instead of {newest}"])
        _refuse_differences(connection)


def current(connection: Connection) -> str | None:
    """The version the database says it is at."""
    return MigrationContext.configure(connection).get_current_revision()


def head() -> str | None:
    """The newest version."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()


def differences(connection: Connection) -> list[str]:
    """What tables, columns and indexes have that this version's do not, or the other way round."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return [str(difference) for difference in compare_metadata(context, metadata)]


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's settings; env.py works on this very connection, inside its transaction."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config


def _refuse_differences(connection: Connection) -> None:
    if found := differences(connection):
        raise SchemaDiffers(_name(connection), found)


def _name(connection: Connection) -> str:
    return connection.engine.url.render_as_string(hide_password=True)
