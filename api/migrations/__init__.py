"""The history of the tables (Alembic).

`upgrade` brings a database to this version, `check` says what differs.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text

from wallet import near_plates
from wallet.guards import granting
from wallet.tables import metadata

# Two services that start at once migrate one after the other; the number only has to be ours.
_POSTGRESQL_LOCK = 7_528_359
# Versions that made a table no version before had, newest first; "head" made indexes that none had.
_FIRST_WITH = (
    ("0008", "fee_terms"),
    ("0007", "twins"),
    ("0006", "erasures"),
    ("0005", "corrections"),
    ("0004", "limits"),
    ("0002", "commands"),
)


class SchemaDiffers(Exception):  # noqa: N818
    """The tables are not those of this version."""

    code = "schema_differs"

    def __init__(self, database: str, differences: list[str]) -> None:
        listed = "; ".join(differences[:5])
        super().__init__(f"the tables of {database} are not those of this version: {listed}")
        self.database = database
        self.differences = differences


class WouldLoseRows(Exception):  # noqa: N818
    """Going back to this version would lose rows that it does not know."""

    code = "would_lose_rows"

    def __init__(self, version: str, table: str, count: int) -> None:
        super().__init__(
            f"version {version} does not know {count} of the rows in {table}: going back would lose them. "
            "Restore a backup of that time instead"
        )
        self.version = version
        self.table = table
        self.count = count


def upgrade(engine: Engine) -> None:
    """Brings the database to the newest version, in one transaction; does nothing where it is there already.

    Tables that were made without a history (by `open_wallet` on a fresh SQLite file) are taken over where
    they are those of this version, else SchemaDiffers is raised and nothing has changed.
    """
    with _migrating(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _POSTGRESQL_LOCK})
        config = alembic_config(connection)
        tables = inspect(connection).get_table_names()
        if "transfers" in tables and "alembic_version" not in tables:
            # Made without a history: by this version, or by one before.
            command.stamp(config, _made_by(connection, tables))
        command.upgrade(config, "head")
        if "transfers" in tables and "alembic_version" not in tables:
            _refuse_differences(connection)


def grant(engine: Engine, role: str) -> None:
    """Gives a role of PostgreSQL what the service needs and no more; the tables are those of this version."""
    with engine.begin() as connection:
        for statement in granting(role):
            connection.execute(text(statement))


def downgrade(engine: Engine, revision: str) -> None:
    """Goes back to an older version; `base` removes every table with all its rows."""
    with _migrating(engine) as connection:
        command.downgrade(alembic_config(connection), revision)


@contextmanager
def _migrating(engine: Engine) -> Iterator[Connection]:
    """A transaction that may make tables anew. SQLite checks no foreign keys in it, but all at its end."""
    with engine.connect() as plain:
        connection = plain.execution_options(platepay_writes=True)
        if connection.dialect.name == "postgresql":
            with connection.begin():
                yield connection
            return
        raw = connection.connection.driver_connection
        raw.execute("PRAGMA foreign_keys=OFF")  # type: ignore[union-attr]
        try:
            with connection.begin():
                yield connection
                if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all():
                    raise SchemaDiffers(_name(connection), [f"foreign key broken: {broken[0]}"])
        finally:
            raw.execute("PRAGMA foreign_keys=ON")  # type: ignore[union-attr]


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
    near = {str(index.name) for index in near_plates.indexes()}
    options = {"compare_type": True, "include_object": lambda _item, name, *_: name not in near}
    context = MigrationContext.configure(connection, opts=options)
    with warnings.catch_warnings():
        # SQLAlchemy cannot reflect an index over an expression, and says so: looked for here.
        warnings.filterwarnings("ignore", message=".*expression-based index")
        found = [str(difference) for difference in compare_metadata(context, metadata)]
    return found + [f"no index {name}" for name in sorted(near - _indexes(connection))]


def _indexes(connection: Connection) -> set[str]:
    """The names of the indexes of a database."""
    query = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index'",
        "postgresql": "SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()",
    }
    return set(connection.execute(text(query[connection.dialect.name])).scalars())


def alembic_config(connection: Connection | None = None) -> Config:
    """Alembic's settings; env.py works on this very connection, inside its transaction."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config


def _made_by(connection: Connection, tables: list[str]) -> str:
    """The version that made these tables, by what it was the first to have."""
    if str(near_plates.indexes()[-1].name) in _indexes(connection):
        return "head"
    return next((version for version, first in _FIRST_WITH if first in tables), "0001")


def _refuse_differences(connection: Connection) -> None:
    if found := differences(connection):
        raise SchemaDiffers(_name(connection), found)


def _name(connection: Connection) -> str:
    return connection.engine.url.render_as_string(hide_password=True)
