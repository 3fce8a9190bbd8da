"""Run the migrations against the database the site uses."""

from alembic import context
from sqlalchemy import Connection

import efface.alembic  # noqa: F401  # adds op.add_tombstone and op.create_efface_tables
from efface.store.tables import metadata as efface_tables
from garden.database import open_engine
from garden.models import Base
from garden.settings import Settings

config = context.config


def run() -> None:
    """Upgrade or downgrade; the demo hands its own connection in."""
    connection = config.attributes.get("connection")
    if connection is not None:
        _migrate(connection)
        return
    url = config.get_main_option("sqlalchemy.url") or Settings.from_environment().database_url
    with open_engine(url).connect() as connection:
        _migrate(connection)
        connection.commit()


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=[Base.metadata, efface_tables],
        render_as_batch=True,
        on_version_apply=config.attributes.get("on_version_apply"),
    )
    with context.begin_transaction():
        context.run_migrations()


run()
