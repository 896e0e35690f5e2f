"""Archives of documents are read in memory, and what has no place in one is refused."""

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import JsonObject
from interlock_core.errors import InterlockError, InvalidRequestError, NotFoundError
from interlock_core.testing import Answer, LoopbackServer, client_for
from interlock_tools import LoadLimits, convert_documents, load_document, load_file
from interlock_tools import openapi_to_tool_specs as converted
from interlock_tools.openapi._archive import archive_members

API: JsonObject = {
    "openapi": "3.1.0",
    "info": {"title": "Notes"},
    "paths": {"/notes": {"get": {"parameters": [{"$ref": "../common/types.json#/Query"}]}}},
}
COMMON: JsonObject = {"Query": {"name": "q", "in": "query", "schema": {"type": "string"}}}
MEMBERS = {
    "notes/v1/openapi.json": json.dumps(API).encode(),
    "notes/common/types.json": json.dumps(COMMON).encode(),
    "notes/readme.txt": b"openapi: 3.1.0",
}
FORMS = ["zip", "w", "w:gz", "w:bz2", "w:xz"]


def packed_zip(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these members."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def packed_tar(members: dict[str, bytes], mode: str = "w") -> bytes:
    """A tar of these members; `mode` as `tarfile.open` has it."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return compressed(plain.getvalue(), mode)


def compressed(data: bytes, mode: str) -> bytes:
    """Bytes packed as `tarfile`'s modes call it."""
    packers = {"w:gz": gzip.compress, "w:bz2": bz2.compress, "w:xz": lzma.compress}
    return packers[mode](data) if mode in packers else data


def packed(members: dict[str, bytes], form: str) -> bytes:
    """An archive of these members."""
    return packed_zip(members) if form == "zip" else packed_tar(members, form)


def odd_tar(name: str, kind: bytes, **more: str) -> bytes:
    """A tar with one member of an odd kind."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.type = kind
        info.linkname = more.get("to", "")
        archive.addfile(info)
    return plain.getvalue()


def members(data: bytes, limits: LoadLimits | None = None) -> list[str]:
    """The names of what is kept of an archive."""
    return list(archive_members(data, source="a.zip", limits=limits or LoadLimits()))


@pytest.mark.promise("O1")
@pytest.mark.parametrize("form", FORMS)
def test_a_document_in_an_archive_is_found_with_what_it_points_to(tmp_path: Path, form: str) -> None:
    """In every form, by how it begins and not by its name; references between members are followed."""
    path = tmp_path / "api.bin"
    path.write_bytes(packed(MEMBERS, form))
    loaded = load_file(path)
    assert loaded.uri == f"{path.as_uri()}/notes/v1/openapi.json"
    (tool,) = converted(loaded).tools
    assert tool.parameters["properties"] == {"q": {"type": "string"}}


@pytest.mark.parametrize("form", ["w:gz", "w:bz2", "w:xz"])
def test_streams_one_behind_the_other_are_one_archive(tmp_path: Path, form: str) -> None:
    """Parallel packers write them so; zeros at the end are padding."""
    plain = packed_tar(MEMBERS)
    path = tmp_path / "api"
    path.write_bytes(compressed(plain[:2_000], form) + compressed(plain[2_000:], form) + bytes(64))
    assert len(converted(load_file(path))) == 1


async def test_an_archive_of_several_documents_names_them(tmp_path: Path) -> None:
    """One is chosen behind a `#`; `convert` takes each."""
    other = {"other.yaml": b"openapi: 3.1.0\npaths: {/x: {get: {}}}\n"}
    path = tmp_path / "api.zip"
    path.write_bytes(packed_zip({**MEMBERS, **other}))
    with pytest.raises(InvalidRequestError, match="holds 2 OpenAPI documents") as caught:
        load_file(path)
    assert f"{path}#notes/v1/openapi.json, {path}#other.yaml" in (caught.value.remedy or "")
    chosen = load_file(f"{path}#other.yaml")
    assert converted(chosen).tools[0].endpoint == "GET /x"
    with pytest.raises(NotFoundError, match=r"no document absent\.yaml"):
        load_file(f"{path}#absent.yaml")
    report = await convert_documents([str(path)])
    assert [each.source for each in report.documents] == [
        f"{path}#notes/v1/openapi.json",
        f"{path}#other.yaml",
    ]


def test_a_name_behind_a_mark_is_no_archive_unless_it_is_one(tmp_path: Path) -> None:
    """A plain file has nothing inside; a file may have the mark in its name."""
    path = tmp_path / "a#b.json"
    path.write_text(json.dumps({**API, "paths": {}}))
    assert load_file(path).root["openapi"] == "3.1.0"
    with pytest.raises(InvalidRequestError, match="is no archive"):
        load_file(f"{path}#inside.json")


@pytest.mark.promise("O1")
async def test_an_archive_at_a_url_is_read_like_a_file() -> None:
    """Its members have addresses below its own; the fragment names a document."""
    async with (
        LoopbackServer(lambda _: Answer(body=packed_zip(MEMBERS))) as server,
        client_for(server) as client,
    ):
        url = f"{server.url}/api.zip#notes/v1/openapi.json"
        loaded = await load_document(url, client=client)
    assert loaded.uri == f"{server.url}/api.zip/notes/v1/openapi.json"
    assert len(converted(loaded)) == 1
    assert len(server.requests) == 1


def test_a_reference_out_of_an_archive_costs_its_operation(tmp_path: Path) -> None:
    """What lies beside the archive is not read."""
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "types.json").write_text(json.dumps(COMMON))
    path = tmp_path / "api.zip"
    path.write_bytes(packed_zip({"openapi.json": json.dumps(API).encode()}))
    (skipped,) = converted(load_file(path)).skipped
    assert "is no file in" in skipped.reason
    assert "Put" in skipped.reason


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "name",
    ["../evil.json", "/evil.json", "a/../../evil.json", "a//b.json", "c:evil.json", "a\\b.json", "a\nb.json"],
)
def test_a_name_that_leads_out_is_refused(form: str, name: str) -> None:
    """The whole archive: nobody packs such a name without intent."""
    with pytest.raises(InvalidRequestError, match="unsafe name"):
        members(packed({name: b"{}"}, form))


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (tarfile.SYMTYPE, "a link"),
        (tarfile.LNKTYPE, "a link"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.FIFOTYPE, "a device"),
        (tarfile.GNUTYPE_SPARSE, "a device or sparse file"),
    ],
)
def test_links_and_devices_in_a_tar_are_refused(kind: bytes, said: str) -> None:
    """Whatever they point to."""
    with pytest.raises(InvalidRequestError, match=said):
        members(odd_tar("x.json", kind, to="/etc/passwd"))


def test_links_and_encrypted_members_of_a_zip_are_refused() -> None:
    """And those that are packed by a method that takes unbounded memory to unpack."""
    link = zipfile.ZipInfo("x.json")
    link.external_attr = 0o120777 << 16
    packed_link = io.BytesIO()
    with zipfile.ZipFile(packed_link, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(InvalidRequestError, match="a link or device"):
        members(packed_link.getvalue())
    data = bytearray(packed_zip({"x.json": b"{}"}))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(InvalidRequestError, match="encrypted"):
        members(bytes(data))
    with pytest.raises(InvalidRequestError, match="another method"):
        members(packed_zip({"x.json": b"{}" * 50}, zipfile.ZIP_LZMA))


def test_a_name_that_stands_twice_is_refused() -> None:
    """Which of the two counts would be anybody's guess."""
    data = packed_zip({"x.json": b"{}", "y.json": b"[]"}).replace(b"y.json", b"x.json")
    with pytest.raises(InvalidRequestError, match="twice"):
        members(data)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_unpacked_is_counted(form: str) -> None:
    """Bytes, ratio and members have limits; what the archive says of itself is not believed."""
    wide = packed({f"{number}.json": b"{}" for number in range(20)}, form)
    with pytest.raises(InvalidRequestError, match="more than 10 members"):
        members(wide, LoadLimits(max_members=10))
    large = packed({"x.json": b" " * 3_000_000}, form)
    with pytest.raises(InvalidRequestError, match="more than 1000000 bytes"):
        members(large, LoadLimits(max_total_bytes=1_000_000))
    if form != "w":
        with pytest.raises(InvalidRequestError, match="more than 1 times its size"):
            members(large, LoadLimits(max_ratio=1))


def test_a_tar_that_claims_more_than_it_has_is_refused() -> None:
    """From its header, before anything is read."""
    plain = bytearray(packed_tar({"x.json": b"{}"}))
    plain[124:136] = b"77777777777\0"
    plain[148:156] = b" " * 8
    plain[148:156] = b"%06o\0 " % sum(plain[:512])
    with pytest.raises(InvalidRequestError, match="unpacks to more"):
        members(bytes(plain))


def test_what_is_in_an_archive_beside_documents_is_left_alone() -> None:
    """Other files are not unpacked, an archive in it is not opened, folders are no members."""
    inner = packed_zip(MEMBERS)
    data = packed_zip({"inner.zip": inner, "a/": b"", "b.yaml": b"x: 1", "./c.json": b"{}"})
    assert members(data) == ["b.yaml", "c.json"]


def test_an_archive_without_a_document_says_what_to_do(tmp_path: Path) -> None:
    """Archives inside are named in the remedy."""
    path = tmp_path / "api.zip"
    path.write_bytes(packed_zip({"inner.zip": packed_zip(MEMBERS)}))
    with pytest.raises(NotFoundError, match="no OpenAPI document") as caught:
        load_file(path)
    assert "not opened" in (caught.value.remedy or "")
    with pytest.raises(NotFoundError) as caught:
        load_file(f"{path}#x.json")
    assert caught.value.remedy == "Give another archive."


@pytest.mark.parametrize("form", FORMS)
@given(cut=st.integers(min_value=0, max_value=400), noise=st.binary(min_size=1, max_size=6))
def test_a_damaged_archive_is_refused_and_never_crashes(form: str, cut: int, noise: bytes) -> None:
    """Wherever it is damaged: it is read, or refused with a remedy."""
    whole = packed(MEMBERS, form)
    at = cut % len(whole)
    damaged = whole[:at] + noise + whole[at + len(noise) :]
    for data in (damaged, whole[:at]):
        refusal: InterlockError | None = None
        try:
            members(data)
        except InterlockError as error:
            refusal = error
        assert refusal is None or refusal.remedy
