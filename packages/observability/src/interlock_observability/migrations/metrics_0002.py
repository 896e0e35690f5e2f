"""Scores as they are spread, the score of a call, comparisons of models, and what anomaly alerts remember."""

import sqlalchemy as sa
from alembic import op

revision = "metrics_0002"
down_revision = "metrics_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and make the tables."""
    op.add_column("metrics_spans", sa.Column("score_squares", sa.Float(), nullable=False, server_default="0"))
    op.add_column("metrics_spans", sa.Column("scores", sa.LargeBinary(), nullable=True))
    op.add_column("metrics_calls", sa.Column("score", sa.Float(), nullable=True))
    op.create_table(
        "metrics_comparisons",
        sa.Column("start", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("task", sa.Text(), primary_key=True),
        sa.Column("first", sa.Text(), primary_key=True),
        sa.Column("second", sa.Text(), primary_key=True),
        sa.Column("wins", sa.BigInteger(), nullable=False),
        sa.Column("ties", sa.BigInteger(), nullable=False),
        sa.Column("losses", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "metrics_rolled",
        sa.Column("span", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "metrics_watched",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("state", sa.Text(), nullable=False),
    )
    op.create_table(
        "metrics_anomalies",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("measure", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("told", sa.Integer(), nullable=False),
    )
    op.create_index("metrics_anomalies_at", "metrics_anomalies", ["at"])
