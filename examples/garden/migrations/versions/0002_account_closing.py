"""Members can leave: the mark of a closed account, and the record of the closing."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add `users.deleted_at` with its index, and the table that Efface keeps."""
    op.add_deleted_at("users")
    op.create_efface_tables()


def downgrade() -> None:
    """Go back; refused as long as there are closed accounts, which would look open again."""
    op.drop_deleted_at("users")
    op.drop_efface_tables()
