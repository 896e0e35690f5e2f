"""What suspicion alerts remember, and kept roots of the audit log's tree."""

import sqlalchemy as sa
from alembic import op

revision = "security_0008"
down_revision = "security_0007"
branch_labels = None
depends_on = None

# On SQLite only INTEGER makes a primary key the row id itself, without an index beside it.
_INDEX = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "alerts_subjects",
        sa.Column("subject", sa.Text(), primary_key=True),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
    )
    op.create_index("alerts_subjects_seen", "alerts_subjects", ["seen_at"])
    op.create_table(
        "alerts_raised",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("told", sa.Integer(), nullable=False),
    )
    op.create_index("alerts_raised_at", "alerts_raised", ["at"])
    op.create_table(
        "audit_tiles",
        sa.Column("tile", _INDEX, primary_key=True, autoincrement=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
    )
