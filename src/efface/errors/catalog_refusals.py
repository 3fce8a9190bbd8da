"""What stops Efface from reading what a database says of itself."""

from __future__ import annotations

from efface.errors.root import NOTHING_CHANGED, EffaceError


class UnsupportedDatabaseError(EffaceError):
    """Efface cannot read the catalog of this kind of database."""

    code = "E503"

    def __init__(self, dialect: str) -> None:
        """Keep the name that SQLAlchemy has for the database."""
        super().__init__()
        self.dialect = dialect

    def message(self) -> str:
        """Return which databases Efface runs on."""
        return f"Efface runs on PostgreSQL and SQLite, not on {self.dialect}. {NOTHING_CHANGED}"
