"""Programs of this package that run in the sandbox, because what they read may be made to keep them busy."""

import sys
from pathlib import Path
from typing import Literal

from interlock_core.errors import InvalidRequestError, MissingExtraError
from interlock_core.jsontypes import Json, JsonObject, as_object, dump_json, parse_json
from interlock_tools.devtools._facts import ANSWER, REQUEST
from interlock_tools.devtools._languages import python
from interlock_tools.devtools._workspace import Program, Workspace
from interlock_tools.sandbox import FolderCopy

_HERE = Path(__file__).parent
_START = (
    "import importlib, sys, types\n"
    "for name, place in (('interlock_tools', sys.argv[1]), ('interlock_tools.devtools', sys.argv[2])):\n"
    "    made = types.ModuleType(name)\n"
    "    made.__path__ = [place]\n"
    "    sys.modules[name] = made\n"
    "importlib.import_module('interlock_tools.devtools.' + sys.argv[3]).main()\n"
)
"""Starts a module without the package around it, which is not there."""


async def run_program(
    workspace: Workspace,
    copy: FolderCopy,
    name: Literal["_facts", "_refactoring"],
    request: Json,
    *,
    timeout_s: float = 60.0,
) -> JsonObject:
    """What a program answers to a request.

    Raises:
        MissingExtraError: It needs libcst, which is not installed.
        InvalidRequestError: It ended without an answer, for time or memory.
    """
    if name == "_refactoring":
        _require_libcst()
    asked = copy.changed({REQUEST: dump_json(request).encode()})
    plain = python()
    copied = _HERE.is_relative_to(copy.folder) and str(_HERE.relative_to(copy.folder)) in copy.folders
    program = Program(
        command=(sys.executable, "-I", "-c", _START, str(_HERE.parent), str(_HERE), name),
        readable=plain.readable if copied else (*plain.readable, _HERE),
        environment=plain.environment,
    )
    done = await workspace.run(asked, program, timeout_s=timeout_s)
    answer = done.changes.get(ANSWER)
    if answer is None:
        raise InvalidRequestError(
            f"The code could not be read in {timeout_s:.0f} s, or not in the memory that there is.",
            field="path",
            remedy="Name a smaller part of the folder.",
        )
    return as_object(parse_json(answer))


def _require_libcst() -> None:
    import importlib.util

    if importlib.util.find_spec("libcst") is None:
        raise MissingExtraError(
            "Refactoring needs libcst, which is not installed.",
            field="kind",
            remedy="Install it with pip install 'interlock-cli[dev-tools]'.",
        )
