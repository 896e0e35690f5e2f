"""Users, teams and organisations."""

import sqlalchemy as sa
from alembic import op

revision = "security_0006"
down_revision = "security_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "people_teams",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("organisation", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
    )
    op.create_table(
        "people_users",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("team", sa.Text(), nullable=True),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
    )
    op.create_index("people_users_team", "people_users", ["team"])
