"""Tables of the audit log, of granted roles and of API keys."""

import sqlalchemy as sa
from alembic import op

revision = "security_0001"
down_revision = None
branch_labels = ("security",)
depends_on = None

# On SQLite only INTEGER makes a primary key the row id itself, without an index beside it.
_INDEX = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables, and the audit log's one state row."""
    _audit()
    _roles()
    _keys()


def _audit() -> None:
    op.create_table(
        "audit_records",
        sa.Column("idx", _INDEX, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "audit_open",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("idx", sa.BigInteger(), nullable=False),
    )
    state = op.create_table(
        "audit_state",
        sa.Column("log", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("nodes", sa.LargeBinary(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("checkpoint", sa.Text(), nullable=False),
        sa.Column("verifier", sa.Text(), nullable=False),
    )
    op.bulk_insert(
        state, [{"log": 1, "size": 0, "nodes": b"", "leaf": b"", "checkpoint": "", "verifier": ""}]
    )


def _roles() -> None:
    op.create_table(
        "roles_grants",
        sa.Column("user_name", sa.Text(), primary_key=True),
        sa.Column("role", sa.Text(), primary_key=True),
        sa.Column("granted_by", sa.Text(), nullable=False),
        sa.Column("granted_at", sa.BigInteger(), nullable=False),
    )


def _keys() -> None:
    op.create_table(
        "keys_api",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("lookup", sa.LargeBinary(), nullable=False, unique=True),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("team", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("budget_day_micro_usd", sa.BigInteger(), nullable=True),
        sa.Column("budget_month_micro_usd", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
    )
    op.create_index("keys_api_user", "keys_api", ["user_name"])
