"""Figures become lines with round numbers beside them, and what wasn't measured is a gap."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edworkers.server.dashboard.charts import Line, draw, nice_ticks, spark, thin, time_ticks, unbroken
from edworkers.server.dashboard.wording import NOTHING

MINUTE = 60_000
HOUR = 60 * MINUTE
SINCE = 1_800_000_000_000 // HOUR * HOUR


@pytest.mark.parametrize(
    ("most", "ticks"),
    [
        (0, [0, 1]),
        (4, [0, 1, 2, 3, 4]),
        (10, [0, 5, 10]),
        (100, [0, 25, 50, 75, 100]),
        (0.3, [0, 0.1, 0.2, 0.3]),
        (137, [0, 50, 100, 150]),
        (math.inf, [0, 1]),
    ],
)
def test_an_axis_has_a_few_round_numbers_the_last_at_or_above_the_highest(most: float, ticks: list[float]) -> None:
    assert nice_ticks(most) == ticks


@given(st.floats(min_value=1e-6, max_value=1e12))
def test_an_axis_always_reaches_its_highest_figure_in_few_steps(most: float) -> None:
    ticks = nice_ticks(most)
    assert ticks[-1] >= most * (1 - 1e-6)
    assert 2 <= len(ticks) <= 6
    assert most < 4 or all(tick == round(tick) for tick in ticks)


MIDNIGHT = 1_800_057_600_000  # 2027-01-16


@pytest.mark.parametrize(
    ("minutes", "labels"),
    [
        (60, ["16 Jan", "00:15", "00:30", "00:45", "01:00"]),
        (24 * 60, ["16 Jan", "06:00", "12:00", "18:00", "17 Jan"]),
        (4 * 24 * 60, ["16 Jan", "17 Jan", "18 Jan", "19 Jan", "20 Jan"]),
    ],
)
def test_times_beside_an_axis_are_round_and_name_the_day_where_one_begins(minutes: int, labels: list[str]) -> None:
    assert [label for _, label in time_ticks(MIDNIGHT, MIDNIGHT + minutes * MINUTE, 5)] == labels


def test_a_line_is_broken_where_no_samples_were_taken() -> None:
    points = [(SINCE + at * MINUTE, 1.0) for at in (0, 1, 2, 10, 11)]
    pieces = unbroken(points, SINCE, SINCE + HOUR)
    assert [len(piece) for piece in pieces] == [3, 2]


def test_a_line_is_broken_where_a_sample_says_nothing() -> None:
    points = [(SINCE + at * MINUTE, None if at == 1 else 5.0) for at in range(4)]
    assert [len(piece) for piece in unbroken(points, SINCE, SINCE + HOUR)] == [1, 2]


def test_a_single_sample_is_seen() -> None:
    chart = draw("Jobs", [Line("done", [(SINCE + MINUTE, 3.0)])], SINCE, SINCE + HOUR)
    assert chart.series[0].path.endswith("h2")


def test_a_chart_without_figures_says_so_and_draws_nothing() -> None:
    chart = draw("Jobs", [Line("done", [])], SINCE, SINCE + HOUR, nothing="None yet")
    assert chart.is_empty
    assert chart.nothing == "None yet"
    assert chart.summary == "Jobs. No figures."


def test_a_chart_tells_the_same_as_a_table_the_latest_first() -> None:
    points = [(SINCE, 1.0), (SINCE + MINUTE, 20_000.0)]
    chart = draw("Jobs", [Line("done", points), Line("failed", [])], SINCE, SINCE + HOUR)
    assert [row[1:] for row in chart.rows] == [["20.0k", NOTHING], ["1", NOTHING]]
    assert chart.summary == "Jobs. done: now 20.0k, at most 20.0k."
    hover = json.loads(chart.hover)
    assert hover["told"] == [["1", NOTHING], ["20.0k", NOTHING]]
    assert len(hover["x"]) == 2


@given(st.lists(st.floats(0, 1e9), min_size=2, max_size=500))
def test_every_point_of_a_line_lies_within_the_plot(values: list[float]) -> None:
    points = [(SINCE + index * 10_000, value) for index, value in enumerate(values)]
    chart = draw("Jobs", [Line("done", points, is_filled=True)], SINCE, points[-1][0])
    places = [place.split() for place in chart.series[0].path.replace("M", "L").split("L")[1:]]
    assert places
    assert all(chart.left <= float(x) <= chart.right and 0 <= float(y) <= chart.height for x, y in places)


@given(st.integers(0, 2000), st.integers(1, 200))
def test_thinning_keeps_the_mean_and_the_latest_time(number: int, most: int) -> None:
    points = [(SINCE + index * 10_000, 7.0) for index in range(number)]
    thinned = thin(points, most)
    assert len(thinned) <= most + 1
    assert all(value == 7.0 for _, value in thinned)
    assert not points or thinned[-1][0] == points[-1][0]


def test_thinned_points_stay_as_they_are_while_newer_ones_come() -> None:
    points = [(SINCE + index * 10_000, float(index)) for index in range(360)]
    before, after = thin(points[:358], 180), thin(points[:360], 180)
    assert after[: len(before) - 1] == before[:-1]


def test_a_spark_reaches_from_edge_to_edge_of_its_box() -> None:
    line = spark([(SINCE, 0.0), (SINCE + HOUR, 10.0)], width=72, height=24, since=SINCE, until=SINCE + HOUR)
    assert line.path == "M0.0 22.0L72.0 2.0"
    assert line.area.endswith("Z")
