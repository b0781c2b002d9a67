"""Amounts are written as the API server keeps them, or every look at an object would find it changed."""

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edworkers_operator.render.quantities import canonical, canonical_resources

FACTORS = {"m": "1e-3", "": "1"} | {
    suffix: factor
    for power, prefix in enumerate("KMGTPE", start=1)
    for suffix, factor in ((f"{prefix}i", str(1024**power)), (prefix.replace("K", "k"), str(1000**power)))
}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (1, "1"),
        ("1", "1"),
        ("1000m", "1"),
        ("0.5", "500m"),
        ("1.5", "1500m"),
        ("0.1", "100m"),
        ("0.10", "100m"),
        ("2.", "2"),
        ("100m", "100m"),
        ("0", "0"),
        ("0Mi", "0"),
        ("0.0m", "0"),
        ("1000", "1k"),
        ("1500", "1500"),
        (1000000, "1M"),
        ("0.0000000001", "1m"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("0.5Mi", "512Ki"),
        ("0.5Ki", "512"),
        ("1023Ki", "1023Ki"),
        ("1.0001Ki", "1024103m"),
        ("1E", "1E"),
        ("1Ei", "1Ei"),
        ("1e3", "1e3"),
        ("1000e0", "1e3"),
        ("12E1", "120"),
        ("1e0", "1"),
        ("007", "7"),
        ("3.1415926535", "3142m"),
        ("250000u", "250m"),
        ("0.000", "0"),
    ],
)
def test_an_amount_has_one_form(given: str | int, kept: str) -> None:
    assert canonical(given) == kept


@example(Decimal("999.999"), "E")
@example(Decimal("1000.000"), "E")
@given(st.decimals(min_value=0, max_value=10**3, places=3), st.sampled_from(sorted(FACTORS)))
def test_an_amount_stays_the_same_in_its_form_and_has_only_one(number: Decimal, suffix: str) -> None:
    kept = canonical(f"{number:f}{suffix}")
    digits = kept.rstrip("".join(FACTORS))
    value = Decimal(digits) * Decimal(FACTORS[kept[len(digits) :]])
    meant = number * Decimal(FACTORS[suffix])
    assert 0 <= value - meant < Decimal("1e-3")
    assert canonical(kept) == kept
    assert "." not in kept


@pytest.mark.parametrize("text", ["", "much", "1 Gi", "1.2.3", "1MiB"])
def test_what_is_no_amount_is_left_for_the_server_to_refuse(text: str) -> None:
    assert canonical(text) == text


def test_requests_and_limits_are_written_so_and_left_out_where_they_say_nothing() -> None:
    assert canonical_resources({"requests": {"cpu": "0.5"}, "limits": {}}) == {"requests": {"cpu": "500m"}}
