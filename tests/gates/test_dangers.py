"""No source runs text, opens objects from bytes, or puts values into statements."""

import pytest

from house.dangers import dangers
from house.tree import assert_none, members, python_files, relative


def test_no_source_holds_what_attackers_look_for() -> None:
    """Every module of every member."""
    assert_none(
        finding
        for member in members()
        for path in python_files(member.source)
        for finding in dangers(relative(path), path.read_text(encoding="utf-8"))
    )


@pytest.mark.parametrize(
    "source",
    [
        "eval(text)\n",
        "exec(text)\n",
        "compile(text, 'x', 'exec')\n",
        "__import__(name)\n",
        "import pickle\n",
        "from marshal import loads\n",
        "import shelve\n",
        "import yaml\nyaml.load(text)\n",
        "import yaml\nyaml.load(text, Loader=yaml.Loader)\n",
        "import yaml\nyaml.unsafe_load(text)\n",
        "import os\nos.system(text)\n",
        "import subprocess\nsubprocess.run(text, shell=True)\n",
        "q = f'SELECT a FROM {name}'\n",
        "q = f'SELECT a FROM t WHERE a = {value}'\n",
        "q = 'SELECT a FROM ' + name\n",
        "q = 'SELECT a FROM t WHERE a = %s' % value\n",
        "q = 'DELETE FROM {}'.format(name)\n",
        "q = f'UPDATE t SET a = {value}'\n",
        "q = f'INSERT INTO {name} (a) VALUES (?)'\n",
        "q = f'DROP TABLE {name}'\n",
    ],
)
def test_a_danger_is_caught(source: str) -> None:
    """Text that runs, objects from bytes, loaders of YAML, shells, statements with values in them."""
    assert list(dangers("bad.py", source))


@pytest.mark.parametrize(
    "source",
    [
        "import re\nre.compile(text)\n",
        "model.eval()\n",
        "import yaml\nyaml.safe_load(text)\n",
        "import yaml\nyaml.load(text, Loader=yaml.SafeLoader)\n",
        "import subprocess\nsubprocess.run([name, '--version'], shell=False)\n",
        "T = 't'\nq = f'SELECT a FROM {T} WHERE a = ?'\n",
        "A = 'SELECT a FROM t'\nB = A + ' WHERE a = ?'\n",
        "q = 'SELECT a FROM t WHERE a = ?'\n",
        "told = f'There is no {kind} to select from.'\n",
    ],
)
def test_what_is_harmless_passes(source: str) -> None:
    """Patterns, safe loaders, lists of arguments, statements made of fixed texts."""
    assert not list(dangers("good.py", source))
