"""What forms and addresses ask for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edworkers.core.lifecycle import State
from edworkers.ports.browse import Wanted
from edworkers.server.dashboard.jobs.addresses import job_path, operations_path, search_path
from edworkers.server.dashboard.jobs.asked import by_place, read_asked

NOW = 1_767_614_400_000


def test_what_is_empty_asks_for_nothing() -> None:
    asked = read_asked({"text": " ", "queue": "", "state": "", "within": ""}, ["ai"], NOW)
    assert asked.wanted.is_everything
    assert (asked.queue, asked.state) == (None, None)


def test_all_that_is_given_is_asked_for() -> None:
    given_fields = {"text": " a ", "type": "t", "error_kind": "k", "queue": "ai", "state": "dead", "within": "1h"}
    asked = read_asked(given_fields, ["ai"], NOW)
    assert asked.wanted == Wanted(text="a", type="t", error_kind="k", after=NOW - 3_600_000)
    assert (asked.queue, asked.state, list(asked.states)) == ("ai", State.DEAD, [State.DEAD])


def test_what_is_asked_for_can_be_sent_again() -> None:
    asked = read_asked({"text": "a", "queue": "ai", "state": "dead", "within": "24h"}, ["ai"], NOW)
    again = read_asked(asked.as_fields(), ["ai"], NOW + 10**6)
    assert (again.wanted, again.queue, again.state) == (asked.wanted, asked.queue, asked.state)


@pytest.mark.parametrize(
    "bad", [{"state": "odd"}, {"queue": "other"}, {"within": "9y"}, {"before": "soon"}, {"after": "-1"}]
)
def test_what_can_not_be_is_left_out(bad: dict[str, str]) -> None:
    asked = read_asked(bad, ["ai"], NOW)
    assert (asked.wanted, asked.queue, asked.state, asked.within) == (Wanted(), None, None, "")


def test_jobs_are_sorted_by_where_they_are() -> None:
    named = ["ai dead a", "ai dead b", "email pending a b", "ai odd c", "ai dead ", "nothing"]
    assert by_place(named) == {("ai", "dead"): ("a", "b"), ("email", "pending"): ("a b",)}


@pytest.mark.parametrize("job_id", [".", ".."])
def test_an_id_of_dots_is_no_part_of_the_path(job_id: str) -> None:
    assert job_path("q", job_id) == f"/queues/q/jobs/?id={job_id}"


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=128))
def test_an_id_never_leaves_its_part_of_the_path(job_id: str) -> None:
    path = job_path("q", job_id)
    assert path.startswith("/queues/q/jobs/")
    rest = path.removeprefix("/queues/q/jobs/")
    assert "/" not in rest
    assert rest not in {".", ".."}
    assert "#" not in rest


def test_addresses_leave_out_what_is_not_given() -> None:
    assert search_path(text=None) == "/search"
    assert search_path(queue="ai", state="dead", text=None) == "/search?queue=ai&state=dead"
    assert operations_path() == "/operations"
    assert operations_path("a", "b") == "/operations?of=a&of=b"
