"""Records of the audit log as a header and a payload, columns for search, and the keys that signed before."""

import sqlalchemy as sa
from alembic import op

from interlock_core.errors import StoreError

revision = "security_0002"
down_revision = "security_0001"
branch_labels = None
depends_on = None

_INDEX = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_SEARCHED = ("kind", "user_name", "name", "run")


def upgrade() -> None:
    """Make the tables anew. No log of the form before this one can be carried over: it is signed.

    Raises:
        StoreError: There is such a log.
    """
    if op.get_bind().execute(sa.text("SELECT size FROM audit_state WHERE size > 0")).first() is not None:
        raise StoreError(
            "The database holds an audit log in a form from before the first release.",
            field="store.url",
            remedy="Keep it with its witness and its key, and begin with a new database.",
        )
    op.drop_table("audit_records")
    _records()
    op.create_table(
        "audit_keys",
        sa.Column("size", _INDEX, primary_key=True, autoincrement=False),
        sa.Column("verifier", sa.Text(), nullable=False),
        sa.Column("checkpoint", sa.Text(), nullable=False),
    )


def _records() -> None:
    header = [
        sa.Column(name, sa.Text(), nullable=False)
        for name in (
            *("id", "kind", "ref", "user_name", "agent", "key_id"),
            *("name", "outcome", "run", "trace_id", "team"),
        )
    ]
    op.create_table(
        "audit_records",
        sa.Column("idx", _INDEX, primary_key=True, autoincrement=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        *header,
        sa.Column("prev", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=True),
        sa.Column("payload", sa.Text(), nullable=True),
    )
    op.create_index("audit_records_at", "audit_records", ["at"])
    for name in _SEARCHED:
        op.create_index(f"audit_records_{name}", "audit_records", [name, "idx"])
