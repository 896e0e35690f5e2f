"""Which addresses a guarded request may reach: public ones, and nothing else.

The blocks are those of IANA's special-purpose registries, the clouds' metadata addresses, and the IPv6
forms that carry an IPv4 address inside, which are judged by what they carry. It does not cover a public
address that a network routes to something private of its own.
"""

import socket

# The first match counts.
_V4_BLOCKS = (
    ("169.254.169.254/32", "metadata"),
    ("169.254.170.2/32", "metadata"),
    ("100.100.100.200/32", "metadata"),
    ("168.63.129.16/32", "metadata"),
    ("192.0.0.192/32", "metadata"),
    ("0.0.0.0/32", "unspecified"),
    ("0.0.0.0/8", "reserved"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "carrier-private"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "reserved"),
    ("192.0.2.0/24", "documentation"),
    ("192.31.196.0/24", "reserved"),
    ("192.52.193.0/24", "reserved"),
    ("192.88.99.0/24", "reserved"),
    ("192.168.0.0/16", "private"),
    ("192.175.48.0/24", "reserved"),
    ("198.18.0.0/15", "benchmark"),
    ("198.51.100.0/24", "documentation"),
    ("203.0.113.0/24", "documentation"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
)
# Within 2000::/3, the only block that is public; the rest of IPv6 is below.
_V6_BLOCKS = (
    ("fd00:ec2::/32", "metadata"),
    ("fd20:ce::254/128", "metadata"),
    ("::1/128", "loopback"),
    ("::/128", "unspecified"),
    ("fc00::/7", "private"),
    ("fe80::/10", "link-local"),
    ("fec0::/10", "private"),
    ("ff00::/8", "multicast"),
    ("2001::/32", "Teredo"),
    ("2001::/23", "reserved"),
    ("2001:db8::/32", "documentation"),
    ("2002::/16", "6to4"),
    ("2620:4f:8000::/48", "reserved"),
    ("3fff::/20", "documentation"),
)
_MAPPED = 0xFFFF << 32
_NAT64 = 0x0064_FF9B << 96
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)

PRIVATE_KINDS = frozenset({"private", "carrier-private", "loopback"})
"""What `allow_private` opens; metadata, link-local and the rest stay shut."""


def _block(cidr: str, kind: str, width: int) -> tuple[int, int, str]:
    family = socket.AF_INET if width == 32 else socket.AF_INET6
    text, _, bits = cidr.partition("/")
    shift = width - int(bits)
    return int.from_bytes(socket.inet_pton(family, text), "big") >> shift, shift, kind


_V4 = tuple(_block(*row, 32) for row in _V4_BLOCKS)
_V6 = tuple(_block(*row, 128) for row in _V6_BLOCKS)


def special_kind(address: str) -> str | None:
    """What is special about an address, such as `private` or `metadata`; None when it is public.

    Args:
        address: IPv4 in dotted decimal or IPv6, as a resolver gives it. What is neither, or has a zone,
            is `malformed`.
    """
    try:
        if ":" in address:
            return _v6_kind(int.from_bytes(socket.inet_pton(socket.AF_INET6, address), "big"))
        return _v4_kind(int.from_bytes(socket.inet_pton(socket.AF_INET, address), "big"))
    except (OSError, ValueError):
        return "malformed"


def _v4_kind(number: int) -> str | None:
    return next((kind for prefix, shift, kind in _V4 if number >> shift == prefix), None)


def _v6_kind(number: int) -> str | None:
    kind = next((kind for prefix, shift, kind in _V6 if number >> shift == prefix), None)
    if kind is not None:
        return kind
    inside = number & 0xFFFF_FFFF
    if number - inside in (_MAPPED, _NAT64):
        return _v4_kind(inside)
    if number >> 125 != 1:
        return "reserved"
    return "ISATAP" if (number >> 32) & 0xFFFF_FFFF in _ISATAP else None
