"""What importing the package costs, and what it exports."""

import subprocess
import sys

import interlock_security


def test_importing_the_package_loads_nothing_heavy() -> None:
    """Whoever asks one question does not wait for cryptography or a database toolkit."""
    script = (
        "import sys, interlock_security\n"
        "heavy = {'cryptography', 'ahocorasick', 'alembic', 'sqlalchemy', 'asyncpg', 'pydantic'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_exported_name_is_there() -> None:
    """And the list is sorted."""
    names = interlock_security.__all__
    assert names == sorted(names, key=lambda name: (not name.isupper(), name))
    assert [name for name in names if not hasattr(interlock_security, name)] == []
