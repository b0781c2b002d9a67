"""Which addresses a stranger's URL may lead to."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edworkers.adapters.guarded_http.addresses import Address, parse_networks, plain, refusal
from edworkers.adapters.guarded_http.race import MOST_ADDRESSES, in_turn

ON_THE_INTERNET = ("1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.255.255", "172.32.0.0", "100.63.255.255", "192.0.1.0")
ON_THE_INTERNET_6 = ("2606:4700::1111", "2a00:1450:4001::1", "2400::", "2003::1")

NOT_ON_IT = {
    "0.0.0.0": "unspecified",
    "0.1.2.3": "unspecified",
    "10.0.0.1": "private",
    "100.64.0.1": "carrier-grade",
    "127.0.0.1": "loopback",
    "127.255.255.255": "loopback",
    "169.254.1.1": "link-local",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.0.0.8": "protocols",
    "192.0.2.1": "examples",
    "192.88.99.1": "6to4",
    "192.168.1.1": "private",
    "198.18.0.1": "benchmarks",
    "198.51.100.1": "examples",
    "203.0.113.1": "examples",
    "224.0.0.1": "multicast",
    "239.255.255.255": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "broadcast",
    "::": "unspecified",
    "::1": "loopback",
    "::7f00:1": "obsolete",
    "::8.8.8.8": "obsolete",
    "64:ff9b:1::1": "NAT64",
    "100::1": "reserved",
    "2001::1": "Teredo",
    "2001:10::1": "protocols",
    "2001:db8::1": "examples",
    "3fff::1": "examples",
    "4000::1": "reserved",
    "fc00::1": "private",
    "fd12:3456::1": "private",
    "fe80::1": "link-local",
    "fe80::1%eth0": "link-local",
    "fec0::1": "private",
    "ff02::1": "multicast",
}
METADATA = ("169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254")

four = st.ip_addresses(v=4)
six = st.ip_addresses(v=6)


def with_four_inside(address: IPv4Address) -> list[IPv6Address]:
    """Every form in which an IPv6 address may lead to an IPv4 one."""
    number = int(address)
    return [
        IPv6Address(0xFFFF << 32 | number),  # mapped
        IPv6Address(number),  # compatible
        IPv6Address(int(ip_address("64:ff9b::")) | number),  # NAT64
        IPv6Address(0x2002 << 112 | number << 80),  # 6to4
        IPv6Address(0x20010000 << 96 | number << 64 | (number ^ 0xFFFFFFFF)),  # Teredo
    ]


@pytest.mark.parametrize("text", [*ON_THE_INTERNET, *ON_THE_INTERNET_6])
def test_what_is_on_the_internet_may_be_sent_to(text: str) -> None:
    assert refusal(ip_address(text), ()) is None


@pytest.mark.parametrize(("text", "kind"), NOT_ON_IT.items())
def test_what_is_not_is_refused_and_told_what_it_is(text: str, kind: str) -> None:
    refused = refusal(ip_address(text), ())
    assert refused is not None
    assert kind in refused[1]


@pytest.mark.parametrize("text", METADATA)
def test_a_metadata_service_is_allowed_by_no_network_but_its_own_address(text: str) -> None:
    address = ip_address(text)
    wide = [ip_network("0.0.0.0/0"), ip_network("::/0")]
    assert refusal(address, wide) == (address, "a cloud's metadata service")
    assert refusal(address, [*wide, ip_network(text)]) is None


@pytest.mark.parametrize("text", [text for text in NOT_ON_IT if ":" not in text])
def test_an_address_that_is_refused_is_refused_inside_of_another(text: str) -> None:
    for form in with_four_inside(IPv4Address(text)):
        assert refusal(form, ()) is not None, form


@pytest.mark.parametrize("text", ON_THE_INTERNET)
def test_a_mapped_or_translated_address_on_the_internet_may_be_sent_to(text: str) -> None:
    mapped, _, nat64, sixtofour, _ = with_four_inside(IPv4Address(text))
    assert [refusal(form, ()) for form in (mapped, nat64, sixtofour)] == [None] * 3


@given(four)
def test_no_form_of_an_address_gets_further_than_the_address_itself(address: IPv4Address) -> None:
    refused = refusal(address, ())
    mapped, *others = with_four_inside(address)
    assert refusal(mapped, ()) == refused
    if refused is not None:
        assert all(refusal(form, ()) is not None for form in others)


@given(four)
def test_python_agrees_that_what_may_be_sent_to_is_no_special_address(address: IPv4Address) -> None:
    if refusal(address, ()) is None:
        assert address.is_global
        assert not address.is_multicast


@given(six)
def test_python_agrees_of_ipv6(address: IPv6Address) -> None:
    if refusal(address, ()) is None:
        # Newer versions of Python count 6to4 as not global, whatever is inside.
        assert plain(address).is_global or address.sixtofour is not None
        assert not address.is_multicast


@given(st.one_of(four, six), st.integers(min_value=0, max_value=32))
def test_a_network_allows_what_is_in_it_and_nothing_else(address: Address, length: int) -> None:
    judged = plain(address)
    network = ip_network(f"{judged}/{length}", strict=False)
    inside_alone = refusal(address, ())
    allowed = refusal(address, (network,))
    if inside_alone is not None and inside_alone[0] == judged and "metadata" not in inside_alone[1]:
        assert allowed is None or allowed[0] != judged
    elsewhere = IPv4Network("10.9.8.0/24")
    if judged not in elsewhere:
        assert refusal(address, (elsewhere,)) == inside_alone


def test_a_network_of_ipv6_does_not_allow_the_ipv4_address_inside() -> None:
    assert refusal(ip_address("64:ff9b::7f00:1"), (ip_network("::/0"),)) == (ip_address("127.0.0.1"), "loopback")
    assert refusal(ip_address("64:ff9b::7f00:1"), (ip_network("127.0.0.0/8"),)) is None


def test_networks_are_read_with_commas_or_spaces() -> None:
    networks, faults = parse_networks(" 10.1.0.0/16,fd00::/8  127.0.0.1 ")
    assert [str(network) for network in networks] == ["10.1.0.0/16", "fd00::/8", "127.0.0.1/32"]
    assert faults == []
    assert parse_networks("") == ((), [])


def test_every_fault_of_the_networks_is_told() -> None:
    networks, faults = parse_networks("10.0.0.1/8, school.example 10.0.0.0/8 ::1/200")
    assert [str(network) for network in networks] == ["10.0.0.0/8"]
    assert faults == [
        "'10.0.0.1/8' is an address within a network; write 10.0.0.0/8",
        "'school.example' is no network; write it such as 10.0.0.0/8 or fd00::/8",
        "'::1/200' is no network; write it such as 10.0.0.0/8 or fd00::/8",
    ]


@given(st.text())
def test_any_text_is_networks_or_faults(text: str) -> None:
    networks, faults = parse_networks(text)
    assert len(networks) + len(faults) == len(text.replace(",", " ").split())


@given(st.lists(st.one_of(four, six), max_size=20))
def test_the_kinds_take_turns_and_the_first_stays_the_first(addresses: list[Address]) -> None:
    turned = in_turn(addresses)
    assert turned[:1] == addresses[:1]
    assert len(turned) == min(len(set(addresses)), MOST_ADDRESSES)
    assert set(turned) <= set(addresses)
    if {address.version for address in addresses} == {4, 6}:
        assert turned[0].version != turned[1].version
