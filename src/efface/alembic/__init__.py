"""HOST · Alembic: the tombstone and our tables in your migrations, and no undecided column.

``import efface.alembic`` in a migration (or in ``env.py``) adds four operations to ``op``;
`require_rules` makes autogenerate write them, and stop where nobody has decided.
"""

try:
    import alembic  # noqa: F401  (asked for here, so that one sentence names the extra)
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
