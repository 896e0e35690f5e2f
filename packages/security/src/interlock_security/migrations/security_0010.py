"""What waits to be told of quotas, and what several processes know of guesses at keys."""

import sqlalchemy as sa
from alembic import op

revision = "security_0010"
down_revision = "security_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "quotas_alerts",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("told", sa.Integer(), nullable=False),
    )
    op.create_index("quotas_alerts_due", "quotas_alerts", ["told", "due"])
    op.create_table(
        "keys_guesses",
        sa.Column("id", sa.LargeBinary(), primary_key=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("wrong", sa.BigInteger(), nullable=False),
        sa.Column("locked_until", sa.BigInteger(), nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
    )
    op.create_index("keys_guesses_last", "keys_guesses", ["kind", "last"])
