"""Databases of every kind, and branches of migrations made on the spot."""

import sys
from collections.abc import AsyncGenerator, Callable
from importlib import invalidate_caches
from pathlib import Path
from textwrap import dedent, indent

import pytest

from interlock_core.store import Branch
from interlock_core.testing import postgres_database

MakeBranch = Callable[..., Branch]


@pytest.fixture(params=["file", "memory", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[str, None]:
    """The URL of an empty database, once for each kind of store."""
    if request.param == "postgresql":
        async with postgres_database() as made:
            yield made
    else:
        yield "sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path}/data/store.db"


@pytest.fixture
async def postgres_url() -> AsyncGenerator[str, None]:
    """The URL of an empty PostgreSQL database."""
    async with postgres_database() as made:
        yield made


@pytest.fixture
def make_branch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeBranch:
    """Writes a package of version files and gives its branch; each body is one more revision."""
    folder = tmp_path / "branches"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])

    def make(name: str, *bodies: str, package: str = "") -> Branch:
        invalidate_caches()
        package = package or f"{name}_migrations_{tmp_path.name.replace('-', '_')}"
        place = folder / package
        place.mkdir(exist_ok=True)
        (place / "__init__.py").touch()
        for number, body in enumerate(bodies, start=1):
            down = f"{name}_{number - 1:04}" if number > 1 else None
            (place / f"{name}_{number:04}.py").write_text(
                dedent(
                    f"""
                    import sqlalchemy as sa
                    from alembic import op

                    revision = "{name}_{number:04}"
                    down_revision = {down!r}
                    branch_labels = {(name,) if number == 1 else None!r}


                    def upgrade():
                    """
                )
                + indent(dedent(body).strip(), "    ")
                + "\n"
            )
        return Branch(name, f"{name}_{len(bodies):04}", package)

    return make


NOTES = """
op.create_table(
    "notes_all",
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("size", sa.Float),
    sa.Column("raw", sa.LargeBinary),
    sa.Column("tag", sa.Text, unique=True),
)
op.create_index("notes_by_body", "notes_all", ["body"])
"""


@pytest.fixture
def notes(make_branch: MakeBranch) -> Branch:
    """A branch with one table of every type that stores use."""
    return make_branch("notes", NOTES)
