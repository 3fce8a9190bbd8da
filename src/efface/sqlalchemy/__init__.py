"""Hide closed accounts from SQLAlchemy ORM statements."""

from efface.include_closed_block import include_closed
from efface.sqlalchemy.session_hooks import hide_closed

__all__ = ["hide_closed", "include_closed"]
