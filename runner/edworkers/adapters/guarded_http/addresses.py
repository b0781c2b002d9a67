"""Which addresses lie on the internet, and which would lead a stranger's URL into somebody's own network.

The ranges are those of IANA's special-purpose registries. Python's `is_global` is not asked: what it says of some of
them differs between versions.
"""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_METADATA = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
    )
)
"""Where clouds tell a machine its own secrets; some of them are in no special range."""

_SPECIAL: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(text), kind)
    for text, kind in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "a provider's own (carrier-grade NAT)"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved for protocols"),
        ("192.0.2.0/24", "reserved for examples"),
        ("192.88.99.0/24", "reserved for 6to4 relays"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "reserved for benchmarks"),
        ("198.51.100.0/24", "reserved for examples"),
        ("203.0.113.0/24", "reserved for examples"),
        ("224.0.0.0/4", "multicast"),
        ("255.255.255.255/32", "broadcast"),
        ("240.0.0.0/4", "reserved"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("::/96", "an obsolete form of an IPv4 address"),
        ("64:ff9b:1::/48", "a private translation of IPv4 (NAT64)"),
        ("2001::/32", "a tunnel (Teredo)"),
        ("2001::/23", "reserved for protocols"),
        ("2001:db8::/32", "reserved for examples"),
        ("3fff::/20", "reserved for examples"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "private"),
        ("ff00::/8", "multicast"),
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
_INTERNET_6 = IPv6Network("2000::/3")


def refusal(address: Address, allowed: Sequence[Network]) -> tuple[Address, str] | None:
    """Say to which address it leads and of what kind that is, if nothing may be sent there; None where something may.

    An IPv6 address with an IPv4 address in it is judged by both. `allowed` are the networks that may be reached though
    they are not on the internet; a metadata service is allowed only by a network of that one address.
    """
    for form in _forms(address):
        kind = _refusal_of(form, allowed)
        if kind is not None:
            return form, kind
    return None


def plain(address: Address) -> Address:
    """Give the IPv4 address that an IPv4-mapped one stands for; any other as it is."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def network_of(address: Address) -> Network:
    """Give the network that has only this address; a link-local one's zone isn't part of it."""
    return IPv4Network(int(address)) if isinstance(address, IPv4Address) else IPv6Network(int(address))


def _forms(address: Address) -> Iterator[Address]:
    form = plain(address)
    yield form
    if not isinstance(form, IPv6Address):
        return
    if form.sixtofour is not None:
        yield form.sixtofour
    if form in _NAT64:
        yield IPv4Address(int(form) & 0xFFFFFFFF)


def _refusal_of(address: Address, allowed: Sequence[Network]) -> str | None:
    allowing = [network for network in allowed if address in network]
    if address in _METADATA:
        return None if any(network.num_addresses == 1 for network in allowing) else "a cloud's metadata service"
    return None if allowing else _special(address)


def _special(address: Address) -> str | None:
    for network, kind in _SPECIAL:
        if address in network:
            return kind
    if isinstance(address, IPv6Address) and address not in _INTERNET_6 and address not in _NAT64:
        return "reserved"
    return None


def parse_networks(text: str) -> tuple[tuple[Network, ...], list[str]]:
    """Read networks with commas or spaces between them; what is none is told, a line each."""
    networks: list[Network] = []
    faults: list[str] = []
    for word in text.replace(",", " ").split():
        try:
            networks.append(ip_network(word))
        except ValueError:
            faults.append(_why_not(word))
    return tuple(networks), faults


def _why_not(word: str) -> str:
    try:
        meant = ip_network(word, strict=False)
    except ValueError:
        return f"{word[:60]!r} is no network; write it such as 10.0.0.0/8 or fd00::/8"
    return f"{word!r} is an address within a network; write {meant}"
