"""Tables of limits: those that commands set, and the counters that several processes share."""

import sqlalchemy as sa
from alembic import op

revision = "security_0004"
down_revision = "security_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "limits_rules",
        sa.Column("scope", sa.Text(), primary_key=True),
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("kind", sa.Text(), primary_key=True),
        sa.Column("window_us", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("most", sa.BigInteger(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "limits_counters",
        sa.Column("counter", sa.Text(), primary_key=True),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("newest", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("limits_counters_ends", "limits_counters", ["ends_at"])
    op.create_table(
        "limits_events",
        sa.Column("counter", sa.Text(), primary_key=True),
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
    )
    op.create_index("limits_events_at", "limits_events", ["counter", "at"])
    op.create_table(
        "limits_slots",
        sa.Column("counter", sa.Text(), primary_key=True),
        sa.Column("holder", sa.Text(), primary_key=True),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("limits_slots_ends", "limits_slots", ["counter", "ends_at"])
