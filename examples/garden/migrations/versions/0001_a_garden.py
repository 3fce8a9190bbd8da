"""A garden: members, tokens, plots, posts, orders, invoices."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Create the six tables of the site."""
    op.create_table(
        "users",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("email", sa.String(160), nullable=False),
        sa.Column("name", sa.Text),
        sa.Column("hashed_password", sa.Text),
        sa.Column("confirmed_at", MOMENT),
        sa.Column("inserted_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
    )
    op.create_index("ix_users_email", "users", [sa.text("lower(email)")], unique=True)
    op.create_table(
        "users_tokens",
        sa.Column("id", sa.Integer, primary_key=True),
        _reference("user_id", "users.id", ondelete="CASCADE"),
        sa.Column("token", sa.LargeBinary, nullable=False),
        sa.Column("context", sa.Text, nullable=False),
        sa.Column("sent_to", sa.Text),
        sa.Column("inserted_at", MOMENT, nullable=False),
        sa.UniqueConstraint("context", "token"),
    )
    op.create_table(
        "plots",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("label", sa.Text, nullable=False, unique=True),
        sa.Column("crop", sa.Text, nullable=False),
        sa.Column("holder_id", sa.Integer, sa.ForeignKey("users.id"), index=True),
    )
    op.create_table(
        "posts",
        sa.Column("id", sa.Integer, primary_key=True),
        _reference("author_id", "users.id"),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("inserted_at", MOMENT, nullable=False),
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.Integer, primary_key=True),
        _reference("user_id", "users.id"),
        sa.Column("item", sa.Text, nullable=False),
        sa.Column("packets", sa.Integer, nullable=False),
        sa.Column("note", sa.Text),
        sa.Column("ordered_at", MOMENT, nullable=False),
    )
    op.create_table(
        "invoices",
        sa.Column("id", sa.Integer, primary_key=True),
        _reference("order_id", "orders.id"),
        sa.Column("billing_name", sa.Text, nullable=False),
        sa.Column("billing_email", sa.Text, nullable=False),
        sa.Column("total_cents", sa.Integer, nullable=False),
        sa.Column("issued_at", MOMENT, nullable=False),
    )


def downgrade() -> None:
    """Drop them, those that refer to others first."""
    for table in ("invoices", "orders", "posts", "plots", "users_tokens", "users"):
        op.drop_table(table)


def _reference(name: str, to: str, **options: str) -> sa.Column:
    return sa.Column(name, sa.Integer, sa.ForeignKey(to, **options), nullable=False, index=True)
