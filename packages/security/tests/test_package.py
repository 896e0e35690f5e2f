"""What importing the package costs, and what it exports."""

import subprocess
import sys
from importlib import import_module

import pytest

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


def test_names_of_parts_that_load_later_are_those_of_their_parts() -> None:
    """The same objects, whoever asks first; what nobody exports is not there. `Override` is permissions'."""
    from interlock_security import alerts, quotas
    from interlock_security.audit import trail

    for part in (alerts, trail, quotas):
        shared = set(part.__all__) & set(interlock_security.__all__) - {"Override"}
        assert len(shared) >= 4
        for name in shared:
            assert getattr(interlock_security, name) is getattr(part, name)
    elsewhere = "Ledger"
    with pytest.raises(AttributeError, match="no attribute 'Ledger'"):
        getattr(interlock_security, elsewhere)


@pytest.mark.parametrize("part", ["alerts", "audit", "audit.trail", "limits", "oauth", "quotas", "vault"])
def test_every_name_of_a_part_is_there(part: str) -> None:
    """Nothing is listed that the part does not have."""
    module = import_module(f"interlock_security.{part}")
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


def test_every_exported_name_is_there() -> None:
    """And the list is sorted."""
    names = interlock_security.__all__
    assert names == sorted(names, key=lambda name: (not name.isupper(), name))
    assert [name for name in names if not hasattr(interlock_security, name)] == []
