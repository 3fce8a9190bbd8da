"""Groups of members, and who organizes them."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the two tables."""
    op.create_table(
        "plot_groups",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
    )
    op.create_table(
        "plot_group_members",
        sa.Column("group_id", sa.Integer, sa.ForeignKey("plot_groups.id"), primary_key=True),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id"), primary_key=True, index=True),
        sa.Column("is_organizer", sa.Boolean, nullable=False),
    )


def downgrade() -> None:
    """Drop them, the one that refers to the other first."""
    # SQLite's driver begins a transaction at the first change of a row: then a refusal further
    # back takes this back, too.
    op.execute("DELETE FROM plot_group_members")
    op.drop_table("plot_group_members")
    op.drop_table("plot_groups")
