"""Account closing: `users.deleted_at` and the tables of Efface."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add `users.deleted_at` with its index, and the tables of Efface."""
    op.add_deleted_at("users")
    op.create_efface_tables()


def downgrade() -> None:
    """Go back. Efface refuses while there are closed accounts, which would look open again."""
    op.drop_deleted_at("users")
    op.drop_efface_tables()
