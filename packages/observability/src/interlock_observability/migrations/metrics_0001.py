"""Tables of counts by span of time, of plain counters, of recent calls, and of who writes them."""

import sqlalchemy as sa
from alembic import op

revision = "metrics_0001"
down_revision = None
branch_labels = ("metrics",)
depends_on = None

_COUNTS = (
    "requests",
    "ok",
    "cancelled",
    "unanswered",
    "attempts",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "usage_unknown",
    "cost_micro_usd",
    "cost_unknown",
    "tool_calls",
    "tool_calls_valid",
    "judged",
)
_SKETCHES = ("latency", "first_token", "input_sizes", "output_sizes")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "metrics_spans",
        sa.Column("span", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("start", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text(), primary_key=True),
        sa.Column("provider", sa.Text(), primary_key=True),
        sa.Column("model", sa.Text(), primary_key=True),
        sa.Column("task", sa.Text(), primary_key=True),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _COUNTS),
        sa.Column("score", sa.Float(), nullable=False),
        *(sa.Column(name, sa.LargeBinary(), nullable=False) for name in _SKETCHES),
        sa.Column("failures", sa.Text(), nullable=False),
    )
    op.create_table(
        "metrics_counters",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("labels", sa.Text(), primary_key=True),
        sa.Column("value", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "metrics_writers",
        sa.Column("writer", sa.Text(), primary_key=True),
        sa.Column("batch", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "metrics_calls",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("call", sa.Text(), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("run", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.Column("first_token_s", sa.Float(), nullable=True),
        sa.Column("input_tokens", sa.BigInteger(), nullable=True),
        sa.Column("output_tokens", sa.BigInteger(), nullable=True),
        sa.Column("cost_micro_usd", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
    )
    op.create_index("metrics_calls_at", "metrics_calls", ["at"])
    op.create_index("metrics_calls_run", "metrics_calls", ["run"])
