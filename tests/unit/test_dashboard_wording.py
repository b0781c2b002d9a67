"""Figures are short, exact and never misleading."""

import pytest

from edworkers.server.dashboard import wording

THIN = wording.THIN


@pytest.mark.parametrize(
    ("number", "words"), [(None, wording.NOTHING), (0, "0"), (999, "999"), (1234567, f"1{THIN}234{THIN}567")]
)
def test_counts_have_thin_spaces(number: float | None, words: str) -> None:
    assert wording.count(number) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [(9_999, f"9{THIN}999"), (12_345, "12.3k"), (123_456, "123k"), (1_000_000, "1.0M"), (250_000_000, "250M")],
)
def test_large_counts_are_short(number: float, words: str) -> None:
    assert wording.short_count(number) == words


@pytest.mark.parametrize(
    ("share", "words"),
    [(None, wording.NOTHING), (0, f"0{THIN}%"), (0.0004, f"<0.1{THIN}%"), (0.043, f"4.3{THIN}%"), (1, f"100{THIN}%")],
)
def test_a_small_part_is_never_shown_as_nothing(share: float | None, words: str) -> None:
    assert wording.percent(share) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.24, "240 ms"),
        (3.21, "3.2 s"),
        (45, "45 s"),
        (300, "5 min"),
        (7200, "2 h"),
        (259200, "3 d"),
        (None, wording.NOTHING),
    ],
)
def test_lengths_of_time_have_one_unit(seconds: float | None, words: str) -> None:
    assert wording.length(seconds).replace(THIN, " ") == words


@pytest.mark.parametrize(
    ("away", "words"), [(300, "now"), (-5400, "5 s ago"), (300_000, "in 5 min"), (-3e8, "3 d ago")]
)
def test_moments_are_told_by_their_distance(away: float, words: str) -> None:
    assert wording.distance(away).replace(THIN, " ") == words


def test_sizes_and_rates_are_short() -> None:
    assert wording.size(256 * 1024**2) == f"256{THIN}MiB"
    assert wording.size(12) == f"12{THIN}B"
    assert (wording.rate(0.25), wording.rate(137.4), wording.rate(0)) == ("0.2", "137", "0")
    assert wording.plural(1, "job") == "1 job"
    assert wording.plural(2, "entry", "entries") == "2 entries"


def test_a_moment_that_no_calendar_has_is_a_dash() -> None:
    assert wording.moment(10**18) == wording.NOTHING
    assert wording.iso(10**18) == ""
    assert wording.moment(0) == "1970-01-01 00:00:00 UTC"
    assert wording.clock(3_600_000) == "01:00"
