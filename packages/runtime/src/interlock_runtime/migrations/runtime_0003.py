"""Where the overlays of an added document come from; its content holds every file that it is spread over."""

import sqlalchemy as sa
from alembic import op

revision = "runtime_0003"
down_revision = "runtime_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column. Documents that are there hold one file and have no overlays."""
    op.add_column("runtime_documents", sa.Column("overlays", sa.Text, nullable=False, server_default="[]"))
