"""What was taken away stays known: roles of users, places in teams, and the records of keys' users."""

import sqlalchemy as sa
from alembic import op

revision = "security_0009"
down_revision = "security_0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; whatever was there before was never taken away."""
    op.add_column("roles_grants", sa.Column("revoked_at", sa.BigInteger(), nullable=True))
    op.add_column("people_users", sa.Column("left_at", sa.BigInteger(), nullable=True))
    op.add_column("keys_api", sa.Column("user_kept_at", sa.BigInteger(), nullable=True))
