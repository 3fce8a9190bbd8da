"""INTEGRATION · Alembic: the ``deleted_at`` column, Efface's tables, and a check of new columns.

Import ``efface.alembic`` in a migration or in ``env.py`` to add four operations to ``op``. With
`require_rules` autogenerate writes them, and refuses a migration if a column has no rule.
"""

try:
    import alembic  # noqa: F401  (one error names the missing extra)
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f'efface.alembic needs {missing.name}. Install it: pip install "efface[alembic]"',
        name=missing.name,
    ) from None

from efface.alembic.autogenerate import require_rules
from efface.alembic.operations import (
    AddDeletedAt,
    CreateEffaceTables,
    DropDeletedAt,
    DropEffaceTables,
)

__all__ = [
    "AddDeletedAt",
    "CreateEffaceTables",
    "DropDeletedAt",
    "DropEffaceTables",
    "require_rules",
]
