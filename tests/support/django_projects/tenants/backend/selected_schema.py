"""The connection: it selects the schema when it is next asked for a cursor."""

from django.db.backends.postgresql.base import DatabaseWrapper as PostgreSQL


class DatabaseWrapper(PostgreSQL):
    """Django's connection, with a schema."""

    schema_name, _selected = "public", None

    def set_schema(self, name):
        """Select the schema with this *name* for what follows."""
        self.schema_name = name

    def _cursor(self, name=None):
        cursor = super()._cursor(name)
        if self._selected != self.schema_name:
            path = f'"{self.schema_name}", public'
            self._selected = self.schema_name
            with self.connection.cursor() as plain:
                plain.execute(f"SET search_path = {path}")
        return cursor
