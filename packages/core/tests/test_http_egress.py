"""Attacks on the egress guard: every spelling of an address that must not be reached."""

from collections.abc import Sequence
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock_core import HttpRequest
from interlock_core.errors import (
    EgressRefusedError,
    InvalidRequestError,
    RefusedError,
    UpstreamConnectionError,
)
from interlock_core.http import Egress, HttpClient, origin_of
from interlock_core.testing import LoopbackServer

PUBLIC = "93.184.216.34"


class Names:
    """A resolver with answers of its own; each name may answer differently every time."""

    def __init__(self, **answers: list[Sequence[str]]) -> None:
        self.answers = {name.replace("_", "."): list(each) for name, each in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """The next answer for a name."""
        self.asked.append(host)
        answers = self.answers.get(host)
        if not answers:
            raise OSError("no such name")
        return answers.pop(0) if len(answers) > 1 else answers[0]


LITERALS = [
    # loopback in every notation
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "127.255.255.254",
    "2130706433",
    "2130706433.",
    "0x7f000001",
    "0X7F000001",
    "0x7f.0.0.1",
    "0x7f.1",
    "017700000001",
    "0177.0.0.1",
    "0177.0.0.01",
    "127.0.0.01",
    "127.0.0.0x1",
    "00000000177.0.0.1",
    "127.0.0.1.1",
    "127..0.1",
    "256.256.256.256",
    "4294967296",
    "%31%32%37.0.0.1",
    "127%2e0%2e0%2e1",
    "\uff11\uff12\uff17.0.0.1",
    "127\u30020\u30020\u30021",
    "\u2460\u2461\u2466.\u24ea.\u24ea.\u2460",
    "\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::FFFF:7F00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[::7f00:1]",
    "[::1%25lo]",
    "[::1%lo]",
    "[fe80::1%25eth0]",
    "::1",
    "[::1",
    "[::1]x",
    "[127.0.0.1]",
    # unspecified and "this network"
    "0",
    "0.0.0.0",
    "0.1.2.3",
    "[::]",
    "[::ffff:0.0.0.0]",
    # metadata
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "169.254.170.2",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "[fd00:ec2::254]",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b::169.254.169.254]",
    "[64:ff9b:1::a9fe:a9fe]",
    "[2002:a9fe:a9fe::]",
    "[2002:7f00:1::1]",
    "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
    "[2001:db8::5efe:7f00:1]",
    "[2600::5efe:127.0.0.1]",
    "[2600::200:5efe:127.0.0.1]",
    # private, shared, link-local
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "192.168.257",
    "100.64.0.1",
    "100.127.255.254",
    "169.254.1.1",
    "[fc00::1]",
    "[fd12:3456:789a::1]",
    "[fe80::1]",
    "[febf::1]",
    "[fec0::1]",
    "[::ffff:10.0.0.1]",
    "[64:ff9b::10.0.0.1]",
    # benchmark, documentation, multicast, reserved, broadcast
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "[ff02::1]",
    "[ff0e::1]",
    "[2001:2::1]",
    "[2001:20::1]",
    "[2001:db8::1]",
    "[3fff::1]",
    "[100::1]",
    "[5f00::1]",
    "[4000::1]",
]
NAMES = [
    "localhost",
    "LOCALHOST",
    "localhost.",
    "LocalHost.",
    "evil.localhost",
    "localhost.localdomain",
    "printer.local",
    "db.internal",
    "router.home.arpa",
    "metadata.google.internal",
    "METADATA.google.internal.",
    "metadata",
    "instance-data",
    "local%68ost",
    "local\thost",
    "local host",
    "localhost\x00.example.com",
    "localhost\r\nx.example.com",
    "l\u03bfcalhost",
    "\u2460.example",
    "\uff11\uff12\uff17.0.0.1",
    "exam\u00adple.com",
    "\u0663.example",
    "loc\u24d0lhost",
    "example\u3002com",
    "stra\u00dfe.example",
    "\u03c2.example",
    "\u212a.example",
    "a\u200db.example",
    "xn--.localhost",
    "-.example.com",
    "exa..mple.com",
    ".example.com",
    "example.com..",
    "example.com\\.evil.com",
    "example.com,evil.com",
    "a" * 64 + ".example.com",
    "a." * 127 + "example",
    "",
]


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("B\u00dcCHER.example", "xn--bcher-kva.example"),
        ("\u043f\u0440\u0438\u043c\u0435\u0440.example", "xn--e1afmkfd.example"),
    ],
)
async def test_an_international_name_is_asked_in_the_one_form_that_all_readers_give_it(
    host: str, asked: str
) -> None:
    """Where readers could disagree, it is refused instead."""
    names = Names()
    names.answers[asked] = [["93.184.215.14"]]
    assert await Egress(resolver=names).addresses(f"https://{host}/") == ("93.184.215.14",)
    assert names.asked == [asked]


@pytest.mark.parametrize("host", LITERALS + NAMES)
@pytest.mark.parametrize("scheme", ["http", "HTTPS"])
async def test_no_notation_of_a_forbidden_host_is_let_through(scheme: str, host: str) -> None:
    """Decimal, octal, hexadecimal, short, mapped, tunnelled, encoded: each is refused before the DNS."""
    names = Names()
    with pytest.raises((EgressRefusedError, InvalidRequestError)):
        await Egress(resolver=names).addresses(f"{scheme}://{host}/path")
    assert names.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "javascript:alert(1)",
        "data:text/plain,x",
        "unix:///var/run/docker.sock",
        "dict://example.com:11211/",
        "//example.com/",
        "/path",
        "example.com",
        "http:example.com",
        "http:/example.com",
        "http:///example.com",
        "http://user@example.com/",
        "http://user:secret@example.com/",
        "http://example.com@127.0.0.1/",
        "http://127.0.0.1#@example.com/",
        "http://127.0.0.1\\@example.com/",
        "http://example.com:80@127.0.0.1/",
        "http://example.com:0/",
        "http://example.com:65536/",
        "http://example.com:80:80/",
        "http://example.com:8o/",
        "http://example.com:-1/",
        "http://example.com:+80/",
        "http://example.com:\u0668\u0660/",
        " http://example.com/",
        "http://example.com/a b",
        "http://example.com/a\r\nHost: evil",
        "http://example.com/\x00",
        "http://example.com/ü",
        "http://example.com/a\\b",
        "http://example.com/?q=" + "x" * 70_000,
        "",
        "\x00",
    ],
)
def test_urls_that_readers_disagree_about_are_refused(url: str) -> None:
    """Other schemes, user names, odd ports, controls: an error, and the secret is not repeated."""
    with pytest.raises((EgressRefusedError, InvalidRequestError)) as caught:
        Egress().check(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "host", ["8.8.8.8", "[2606:4700:4700::1111]", "[::ffff:8.8.8.8]", "[64:ff9b::808:808]"]
)
async def test_public_addresses_are_let_through(host: str) -> None:
    """The guard is no wall: what is public, mapped or translated included, may be reached."""
    addresses = await Egress().addresses(f"https://{host}/")
    assert len(addresses) == 1


async def test_a_name_with_public_addresses_is_let_through() -> None:
    """Every checked address is given, to be dialled as it is."""
    names = Names(api_example_com=[[PUBLIC, "2606:4700:4700::1111"]])
    assert await Egress(resolver=names).addresses("https://API.example.com./v1") == (
        PUBLIC,
        "2606:4700:4700::1111",
    )
    assert names.asked == ["api.example.com"]


@pytest.mark.parametrize(
    "bad",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:10.0.0.1", "fe80::1%eth0", "not an address"],
)
async def test_one_bad_answer_among_good_ones_refuses_the_name(bad: str) -> None:
    """A mixed answer is an attack: nothing is dialled."""
    names = Names(mixed_example_com=[[PUBLIC, bad]])
    with pytest.raises(EgressRefusedError, match=r"mixed\.example\.com:443"):
        await Egress(resolver=names).addresses("https://mixed.example.com/")


async def test_a_name_without_address_is_no_connection() -> None:
    """An empty answer and a failing resolver are the other side's trouble, not a refusal."""
    egress = Egress(resolver=Names(empty_example_com=[[]]))
    for host in ("empty.example.com", "missing.example.com"):
        with pytest.raises(UpstreamConnectionError, match=host):
            await egress.addresses(f"https://{host}/")


async def test_a_rebinding_name_cannot_swap_the_address_after_the_check() -> None:
    """The second answer of the DNS points inward; the first, checked one is what is dialled."""
    async with LoopbackServer() as server:
        names = Names(rebind_example_com=[[PUBLIC], ["127.0.0.1"]])
        egress = Egress(resolver=names)
        assert await egress.addresses(f"http://rebind.example.com:{server.port}/") == (PUBLIC,)
        with pytest.raises(EgressRefusedError):
            await egress.addresses(f"http://rebind.example.com:{server.port}/")
        async with HttpClient(egress=egress) as client:
            with pytest.raises(EgressRefusedError):
                await client.send(HttpRequest(method="GET", url=f"http://rebind.example.com:{server.port}/"))
        assert server.connections == 0


async def test_a_refused_request_opens_no_connection() -> None:
    """A canary on loopback hears nothing, whatever the notation."""
    async with LoopbackServer() as canary, HttpClient() as client:
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433", "127.1", "0"):
            with pytest.raises(RefusedError):
                await client.send(HttpRequest(method="GET", url=f"http://{host}:{canary.port}/"))
        assert canary.connections == 0


async def test_an_allowed_origin_is_allowed_exactly() -> None:
    """Scheme, host and port must all be those that the operator wrote."""
    egress = Egress(allowed_origins=["http://127.0.0.1:9999/v1"])
    assert await egress.addresses("http://127.0.0.1:9999/anything?x=1") == ("127.0.0.1",)
    assert egress.allows_origin("HTTP://127.0.0.1:9999/")
    for other in (
        "https://127.0.0.1:9999/",
        "http://127.0.0.1:9998/",
        "http://127.0.0.1/",
        "http://127.0.0.2:9999/",
        "http://localhost:9999/",
        "http://[::ffff:127.0.0.1]:9999/",
        "http://127.0.0.1:9999@evil.example.com/",
    ):
        with pytest.raises(EgressRefusedError):
            await egress.addresses(other)


async def test_allow_gives_a_wider_policy_and_leaves_the_old_one() -> None:
    """Policies are values: nobody widens another's."""
    narrow = Egress(resolver=Names(intranet_example=[["10.0.0.5"]]))
    wide = narrow.allow("https://intranet.example")
    assert await wide.addresses("https://intranet.example/") == ("10.0.0.5",)
    with pytest.raises(EgressRefusedError):
        await narrow.addresses("https://intranet.example/")
    with pytest.raises(EgressRefusedError):
        await wide.addresses("https://intranet.example:8443/")


def test_an_allowed_origin_must_itself_be_plain() -> None:
    """A mistake in the configuration is found when it is read."""
    for origin in ("http://user:pw@host", "127.0.0.1:9999", "ftp://host", "http://0x7f.1"):
        with pytest.raises(EgressRefusedError):
            Egress(allowed_origins=[origin])


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("10.0.0.1", True),
        ("127.0.0.1", True),
        ("100.64.0.1", True),
        ("[fd12::1]", True),
        ("169.254.169.254", False),
        ("169.254.0.5", False),
        ("100.100.100.200", False),
        ("[fd00:ec2::254]", False),
        ("224.0.0.1", False),
        ("0.0.0.0", False),
        ("2130706433", False),
        ("metadata.google.internal", False),
    ],
)
def test_allowing_private_addresses_does_not_open_metadata(host: str, allowed: bool) -> None:
    """The operator's own network opens; what has no business being reached stays shut."""
    egress = Egress(allow_private=True)
    if allowed:
        egress.check(f"http://{host}/")
    else:
        with pytest.raises(EgressRefusedError):
            egress.check(f"http://{host}/")


async def test_allowing_private_addresses_opens_local_names() -> None:
    """`localhost` is then resolved like any name."""
    egress = Egress(allow_private=True, resolver=Names(localhost=[["127.0.0.1"]]))
    assert await egress.addresses("http://localhost:8080/") == ("127.0.0.1",)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://API.Example.com:443/v1?x#y", "https://api.example.com"),
        ("http://example.com:443", "http://example.com:443"),
        ("http://[2606:4700:0:0::1111]:80/", "http://[2606:4700::1111]"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
        ("https://a_b.example.", "https://a_b.example"),
        ("http://example.com:/", "http://example.com"),
    ],
)
def test_an_origin_has_one_normal_form(url: str, origin: str) -> None:
    """So that two origins can be compared as texts."""
    assert origin_of(url) == origin


@pytest.mark.promise("A10")
@pytest.mark.parametrize("inner", ["127.0.0.1", "10.0.0.5", "169.254.169.254", "::1"])
async def test_an_allowed_origin_that_was_public_leads_nowhere_else_later(inner: str) -> None:
    """The operator meant what the name said at first; a name of the own network may move within it."""
    names = Names(api_example=[[PUBLIC], [PUBLIC], [PUBLIC, inner], [PUBLIC]])
    egress = Egress(allowed_origins=["https://api.example"], resolver=names)
    for _ in range(2):
        assert await egress.addresses("https://api.example/x") == (PUBLIC,)
    with pytest.raises(EgressRefusedError, match="led to public addresses before"):
        await egress.allow("https://other.example").addresses("https://api.example/x")
    assert await egress.addresses("https://api.example/x") == (PUBLIC,)
    own = Egress(
        allowed_origins=["https://own.example"], resolver=Names(own_example=[["10.0.0.5"], ["10.0.0.6"]])
    )
    assert await own.addresses("https://own.example/") == ("10.0.0.5",)
    assert await own.addresses("https://own.example/") == ("10.0.0.6",)


async def test_the_system_resolver_is_used_by_default() -> None:
    """Without a resolver the operating system is asked, and its answers are checked."""
    with pytest.raises(EgressRefusedError, match="names something on this machine"):
        await Egress().addresses("http://localhost/")
    async with LoopbackServer() as server:
        url = f"http://localhost:{server.port}/"
        assert "127.0.0.1" in await Egress(allowed_origins=[url]).addresses(url)


@given(st.integers(0, 2**32 - 1))
def test_only_public_ipv4_passes_in_any_disguise(number: int) -> None:
    """An address and its mapped and translated forms are judged alike; the standard library agrees."""
    import ipaddress

    plain = str(ipaddress.IPv4Address(number))
    verdicts = {_passes(plain), _passes(f"[::ffff:{plain}]"), _passes(f"[64:ff9b::{plain}]")}
    assert len(verdicts) == 1
    if verdicts == {True}:
        address = ipaddress.IPv4Address(number)
        assert address.is_global
        assert not address.is_multicast


@given(st.integers(0, 2**128 - 1))
def test_only_global_ipv6_passes(number: int) -> None:
    """Nothing passes that the standard library does not hold for global."""
    import ipaddress

    address = ipaddress.IPv6Address(number)
    if _passes(f"[{address}]") and address.ipv4_mapped is None:
        assert address.is_global
        assert not address.is_multicast


@given(st.text(max_size=60))
def test_any_text_is_a_url_or_a_typed_error(text: str) -> None:
    """No input raises anything else."""
    for candidate in (text, f"http://{text}", f"http://{text}/", f"https://example.com{text}"):
        with suppress(EgressRefusedError, InvalidRequestError):
            Egress().check(candidate)


def _passes(host: str) -> bool:
    try:
        Egress().check(f"http://{host}/")
    except EgressRefusedError:
        return False
    return True
