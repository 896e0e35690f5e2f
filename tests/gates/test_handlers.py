"""No wide handler hides a fault."""

import pytest

from house.handlers import silent_handlers
from house.tree import assert_none, python_files, relative


def test_every_wide_handler_logs_or_raises() -> None:
    """Sources and tests alike."""
    assert_none(
        finding
        for path in python_files()
        for finding in silent_handlers(relative(path), path.read_text(encoding="utf-8"))
    )


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    f()\nexcept Exception:\n    pass\n",
        "try:\n    f()\nexcept:\n    x = 1\n",
        "try:\n    f()\nexcept (ValueError, BaseException) as e:\n    print(e)\n",
        "try:\n    f()\nexcept Exception as e:\n    catalog_error(e)\n",
        "with contextlib.suppress(Exception):\n    f()\n",
    ],
)
def test_a_silent_wide_handler_is_caught(source: str) -> None:
    """Bare, Exception, hidden in a tuple, or spelled as suppress."""
    assert len(list(silent_handlers("bad.py", source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    f()\nexcept Exception as e:\n    raise AppError('x') from e\n",
        "try:\n    f()\nexcept Exception:\n    _log.warning('x', exc_info=True)\n",
        "try:\n    f()\nexcept Exception:\n    self._logger.exception('x')\n",
        "try:\n    f()\nexcept Exception as e:\n    return report(e)\n",
        "try:\n    f()\nexcept (ValueError, OSError):\n    pass\n",
        "with suppress(FileNotFoundError):\n    f()\n",
    ],
)
def test_a_handler_that_logs_raises_or_is_narrow_passes(source: str) -> None:
    """What the rule allows."""
    assert not list(silent_handlers("good.py", source))
