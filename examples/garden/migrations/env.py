"""Run the migrations against the database the site uses."""

from alembic import context
from sqlalchemy import Connection

from efface.alembic import require_rules
from efface.store.efface_tables import metadata as efface_tables
from garden.database import open_engine
from garden.models import Base, policy
from garden.site_settings import Settings

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
        process_revision_directives=require_rules(policy),
        on_version_apply=config.attributes.get("on_version_apply"),
    )
    with context.begin_transaction():
        context.run_migrations()


run()
