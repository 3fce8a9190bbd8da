"""Logins: when a user last proved their identity, and which token replaced another."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add three columns. Users stay logged in, and log in again to open the settings."""
    op.add_column("users_tokens", sa.Column("authenticated_at", sa.DateTime(timezone=True)))
    op.add_column("users_tokens", sa.Column("replaced_at", sa.DateTime(timezone=True)))
    op.add_column("users_tokens", sa.Column("browser_id", sa.Text))


def downgrade() -> None:
    """Go back, and delete replaced tokens, which must not become valid again."""
    op.execute("DELETE FROM users_tokens WHERE replaced_at IS NOT NULL")
    for column in ("browser_id", "replaced_at", "authenticated_at"):
        op.drop_column("users_tokens", column)
