"""What these tests ask of a database's own description."""

import pytest
from sqlalchemy import text

from efface.catalog import Catalog
from tests.support import databases


@pytest.fixture
def postgresql(server_urls):
    """An engine over an empty PostgreSQL."""
    engine = databases.emptied(server_urls["postgresql"])
    yield engine
    engine.dispose()


@pytest.fixture
def read():
    """Run statements, and read the catalog in the same transaction."""

    def run(engine, *statements, schemas=(None,)):
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
            catalog = Catalog.of_database(connection, schemas)
            connection.commit()
        return catalog

    return run


@pytest.fixture
def schema(postgresql):
    """Another schema than the default one, which the server does not have afterwards."""
    with postgresql.begin() as connection:
        connection.execute(text('DROP SCHEMA IF EXISTS "Other one" CASCADE'))
        connection.execute(text('CREATE SCHEMA "Other one"'))
    yield "Other one"
    with postgresql.begin() as connection:
        connection.execute(text('DROP SCHEMA "Other one" CASCADE'))


@pytest.fixture
def role(postgresql):
    """A role that is nobody in particular, and a connection as this role."""
    with postgresql.begin() as connection:
        connection.execute(text("DROP ROLE IF EXISTS efface_catalog_reader"))
        connection.execute(text("CREATE ROLE efface_catalog_reader"))
        connection.execute(text("GRANT ALL ON SCHEMA public TO efface_catalog_reader"))
    yield "efface_catalog_reader"
    with postgresql.begin() as connection:
        connection.execute(text("DROP OWNED BY efface_catalog_reader"))
        connection.execute(text("DROP ROLE efface_catalog_reader"))
