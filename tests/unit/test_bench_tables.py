"""The page that tells of a run of the benchmark."""

from typing import Any

import pytest
import tables

MACHINE = {
    "time": "2026-12-01T03:05:22+00:00", "cpu": "a processor", "cores": 2, "load_before": [0.1, 0.2, 0.3],
    "system": "Linux", "python": "3.11.7", "redis": "7.0.15", "rq": "2.1", "huey": "3.2",
}  # fmt: skip


def row(system: str, slots: int, rate: int, **more: float) -> dict[str, Any]:
    return {"system": system, "slots": slots, "jobs/s": rate, "redis_cpu_us": 41.0, "process_cpu_us": 58.2, **more}


def page(**parts: object) -> str:
    return tables.markdown({"machine": MACHINE, **parts})


def body(text: str) -> list[list[str]]:
    """Give the cells of a page's tables, without the headings' rules."""
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    return [cells for cells in lines if cells[0] != "---"]


def test_what_was_not_measured_has_no_table() -> None:
    assert body(page()) == []


def test_the_machine_and_the_versions_are_told() -> None:
    text = page()
    for words in ("2 cores, a processor", "on 2026-12-01", "Python 3.11.7", "Redis 7.0.15", "RQ 2.1, huey 3.2"):
        assert words in text
    assert "load" not in text.split("##")[0]


def test_each_system_has_a_row_the_fastest_on_top_and_a_rate_for_each_number_of_slots() -> None:
    rows = [
        row("edworkers", 50, 20_000, ratio=1.0, calls=0.04), row("RQ", 50, 900, ratio=22.21),
        row("edworkers", 1, 1500, ratio=1.0, calls=1.0), row("arq", 50, 25_000, ratio=0.8),
    ]  # fmt: skip
    told = body(page(throughput=rows))
    assert [cells[:4] for cells in told[1:]] == [
        ["arq", "", "25,000", "0.8"],
        ["**edworkers**", "1,500", "20,000", ""],
        ["RQ", "", "900", "22.2"],
    ]
    assert told[2][4:] == ["0.04", "0.058", "0.041"]
    assert told[1][4] == ""


def test_a_producer_without_a_bulk_has_an_empty_cell() -> None:
    rows = [{"system": "huey", "single/s": 1000}, {"system": "RQ", "single/s": 2000, "bulk/s": 3000}]
    assert body(page(enqueue=rows))[1:] == [["RQ", "2,000", "3,000"], ["huey", "1,000", ""]]


@pytest.mark.parametrize("part", ["beside waiting jobs", "beside running jobs", "runners"])
def test_a_curve_has_its_picture_and_keeps_its_order(part: str) -> None:
    name = {"beside waiting jobs": "pending", "beside running jobs": "in_flight", "runners": "processes"}[part]
    rows = [{name: count, "jobs/s": rate, "calls": 0.04, "redis_us": 30.0} for count, rate in ((1, 5), (1000, 7))]
    text = page(**{part: rows})
    assert f"../images/bench-{name.replace('_', '-')}-dark.svg" in text
    assert body(text)[1:] == [["1", "5", "0.040", "30"], ["1,000", "7", "0.040", "30"]]


def test_a_part_that_is_one_fact_has_one_row() -> None:
    assert body(page(memory={"rss_mib": 52.44, "uss_mib": 44.0}))[1:] == [["52.4", "44.0"]]
