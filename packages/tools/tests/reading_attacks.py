"""Reads requests the way strict servers do, and says which demands of a case they break."""

from collections.abc import Callable, Sequence
from email import message_from_bytes
from email.message import Message
from urllib.parse import parse_qsl, unquote
from xml.etree import ElementTree

from interlock_core import Json, JsonObject
from interlock_core.jsontypes import as_array, as_object, as_text
from interlock_core.testing import ReceivedRequest

Check = Callable[[Json, ReceivedRequest], bool]
"""Whether a request is as a demand says."""


def broken(stay: JsonObject, requests: Sequence[ReceivedRequest], *, document_port: int) -> list[str]:
    """The demands that the last request breaks; `requests` counts all of them.

    Args:
        stay: The demands of the case.
        requests: What arrived.
        document_port: The port that stands behind the API's names.
    """
    received = requests[-1]
    wrong = [key for key, said in stay.items() if key in CHECKS and not CHECKS[key](said, received)]
    unknown = sorted(stay.keys() - CHECKS.keys() - {"origin", "requests", "or_refuse", "note"})
    assert not unknown, f"the case demands {unknown}, which nothing here checks"
    host = f"{str(stay['origin']).removeprefix('https://')}:{document_port}"
    if [value for name, value in received.headers if name.lower() == "host"] != [host]:
        wrong.append("origin")
    if any(_dotted(segment) for segment in _segments(received)):
        wrong.append("dot segment")
    if "requests" in stay and len(requests) != stay["requests"]:
        wrong.append("requests")
    return wrong


def _segments(received: ReceivedRequest) -> list[str]:
    return received.path.split("/")[1:]


def _dotted(segment: str) -> bool:
    return segment in {".", ".."} or unquote(segment) in {".", ".."}


def _query(received: ReceivedRequest) -> list[tuple[str, str]]:
    return parse_qsl(received.target.partition("?")[2], keep_blank_values=True, strict_parsing=False)


def _form(received: ReceivedRequest) -> list[tuple[str, str]]:
    return parse_qsl(received.body.decode(), keep_blank_values=True)


def _cookies(received: ReceivedRequest) -> list[str]:
    found: list[str] = []
    for name, value in received.headers:
        if name.lower() == "cookie":
            pairs = (pair.strip() for pair in value.split(";"))
            found += [unquote(pair.partition("=")[0]) for pair in pairs if pair]
    return found


def _names(received: ReceivedRequest) -> set[str]:
    return {name.lower() for name, _ in received.headers}


def _parts(received: ReceivedRequest) -> list[Message]:
    head = f"content-type: {received.header('content-type')}\r\n\r\n".encode()
    message = message_from_bytes(head + received.body)
    return [part for part in message.walk() if part is not message]


def _part_name(part: Message) -> str:
    """The name of a part, by the parser of the standard library, which also knows `name*`."""
    found = part.get_param("name", header="content-disposition")
    return str(found[2] if isinstance(found, tuple) else found)


def _part_text(received: ReceivedRequest) -> JsonObject:
    texts: JsonObject = {}
    for part in _parts(received):
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        texts[_part_name(part)] = content.decode()
    return texts


def _elements(received: ReceivedRequest) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(received.body).iter())


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _xml_text(said: Json, received: ReceivedRequest) -> bool:
    texts = {_tag(element): element.text for element in _elements(received)}
    return all(texts.get(name) == text for name, text in as_object(said).items())


def _xml_attributes(said: Json, received: ReceivedRequest) -> bool:
    known = {key: value for element in _elements(received) for key, value in element.attrib.items()}
    return all(known.get(name) == value for name, value in as_object(said).items())


def _texts(said: Json) -> list[str]:
    return [said] if isinstance(said, str) else [str(one) for one in as_array(said)]


def _none_of(values: Sequence[str], said: Json) -> bool:
    return not {value.lower() for value in values} & {one.lower() for one in _texts(said)}


def _header_values(said: Json, received: ReceivedRequest) -> bool:
    sent = {(name.lower(), value.lower()) for name, value in received.headers}
    return not any((name, str(value).lower()) in sent for name, value in as_object(said).items())


def _prefixed(names: Sequence[str], said: Json) -> bool:
    return all(name.startswith(tuple(_texts(said))) for name in names)


CHECKS: dict[str, Check] = {
    "path_prefix": lambda said, got: got.path.startswith(str(said)),
    "segments": lambda said, got: len(_segments(got)) == said,
    "ends_with": lambda said, got: got.path.endswith(str(said)),
    "headers_absent": lambda said, got: not _names(got) & set(_texts(said)),
    "header_values_absent": _header_values,
    "cookie_names": lambda said, got: _cookies(got) == said,
    "cookie_names_absent": lambda said, got: _none_of(_cookies(got), said),
    "query_names": lambda said, got: [name for name, _ in _query(got)] == said,
    "query_prefixes": lambda said, got: _prefixed([name for name, _ in _query(got)], said),
    "query_value": lambda said, got: all(pair in _query(got) for pair in as_object(said).items()),
    "query_values_absent": lambda said, got: not any(pair in _query(got) for pair in as_object(said).items()),
    "form_names": lambda said, got: [name for name, _ in _form(got)] == said,
    "form_prefixes": lambda said, got: _prefixed([name for name, _ in _form(got)], said),
    "body_json": lambda said, got: got.json() == said,
    "body_absent": lambda said, got: (as_text(said) or "").encode() not in got.body,
    "lines": lambda said, got: len(got.body.decode().strip("\n").split("\n")) == said,
    "part_names": lambda said, got: [_part_name(part) for part in _parts(got)] == said,
    "part_names_absent": lambda said, got: _none_of([_part_name(part) for part in _parts(got)], said),
    "part_text": lambda said, got: as_object(said).items() <= _part_text(got).items(),
    "parts": lambda said, got: len(_parts(got)) == said,
    "xml_elements": lambda said, got: [_tag(element) for element in _elements(got)] == said,
    "xml_elements_absent": lambda said, got: _none_of([_tag(one) for one in _elements(got)], said),
    "xml_text": _xml_text,
    "xml_attributes": _xml_attributes,
    "xml_attributes_absent": lambda said, got: _none_of(
        [name for one in _elements(got) for name in one.attrib], said
    ),
}
