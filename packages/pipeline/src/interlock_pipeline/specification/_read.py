"""Reads a specification file; what is none is refused with its reason."""

from pathlib import Path

from interlock_core.errors import InvalidRequestError, NotFoundError

_LARGEST = 4 * 1024 * 1024
_BYTE_ORDER_MARK = "\ufeff"


def read_specification(path: Path) -> str:
    """The text of a specification file: UTF-8, at most 4 MiB, not empty.

    Raises:
        NotFoundError: There is no such file.
        InvalidRequestError: It is a folder, empty, too large, binary or not UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)  # it may be a device without an end
    except FileNotFoundError as exc:
        raise NotFoundError(
            f"There is no file {path}.", field="spec", remedy="Give the path of a Markdown or text file."
        ) from exc
    except IsADirectoryError as exc:
        raise _refusal(path, "is a folder", "Give the path of one file in it.") from exc
    except OSError as exc:
        raise _refusal(path, f"cannot be read: {exc.strerror}", "Check its permissions.") from exc
    if len(data) > _LARGEST:
        raise _refusal(path, f"has more than {_LARGEST:,} bytes", "Split it.")
    if b"\0" in data:
        raise _refusal(path, "is binary", "Give a Markdown or text file.")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise _refusal(path, f"is not UTF-8 (byte {exc.start + 1:,})", "Save it as UTF-8 text.") from exc
    text = text.removeprefix(_BYTE_ORDER_MARK)
    if not text.strip():
        raise _refusal(path, "is empty", "Write at least one requirement into it.")
    return text


def _refusal(path: Path, what: str, remedy: str) -> InvalidRequestError:
    return InvalidRequestError(f"{path} {what}.", field="spec", remedy=remedy)
