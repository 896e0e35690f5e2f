"""The documents that were added by a command."""

import sqlalchemy as sa
from alembic import op

revision = "runtime_0001"
down_revision = None
branch_labels = ("runtime",)
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "runtime_documents",
        sa.Column("namespace", sa.Text, primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("base_url", sa.Text, nullable=False),
        sa.Column("credential", sa.Text, nullable=False),
        sa.Column("allow", sa.Text, nullable=False),
        sa.Column("added_at", sa.BigInteger, nullable=False),
        sa.Column("added_by", sa.Text, nullable=False),
    )
