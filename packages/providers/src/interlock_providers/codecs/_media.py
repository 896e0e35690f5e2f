"""Bytes within JSON: base64 and data URLs, read only where writing them again gives the very same text."""

import base64
import binascii
import re

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,", re.ASCII)


def read_data_url(url: str) -> tuple[str | None, bytes | None]:
    """Media type and bytes of a data URL; None and None for anything else."""
    head = _DATA_URL.match(url)
    if head is None:
        return None, None
    return head[1], read_base64(url[head.end() :])


def read_base64(text: str) -> bytes | None:
    """The bytes; None where the text is no base64, or not as it would be written."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if write_base64(data) == text else None


def write_base64(data: bytes) -> str:
    """The bytes as base64."""
    return base64.b64encode(data).decode("ascii")


def write_data_url(data: bytes, media_type: str) -> str:
    """The bytes as a data URL."""
    return f"data:{media_type};base64,{write_base64(data)}"
