import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from edworkers.server.access.login import inside
from edworkers.server.access.rates import Rates
from edworkers.server.problems import Problem
from edworkers.server.strict_json import read_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda part: st.lists(part) | st.dictionaries(st.text(), part),
)


@given(JSON)
def test_whatever_is_json_is_read_as_it_is(document: object) -> None:
    assert read_json(to_json(document)) == document


@given(st.binary(max_size=200))
def test_whatever_is_not_is_a_problem_and_nothing_else(body: bytes) -> None:
    found: object = None
    try:
        read_json(body)
    except Problem as problem:
        found = problem.status_code, bool(problem.detail)
    assert found in (None, (400, True))


@given(st.text(max_size=50))
def test_a_login_leads_to_a_path_of_this_server_whatever_is_asked_for(path: str) -> None:
    to = inside(path)
    assert to.startswith("/")
    assert to[1:2] not in {"/", "\\"}
    assert "\n" not in to


def test_a_bucket_fills_as_time_goes_by() -> None:
    now = 0.0
    rates = Rates(lambda: now)
    for _ in range(5):
        rates.take("web", 2, 5)
    with pytest.raises(Problem) as refused:
        rates.take("web", 2, 5)
    assert refused.value.headers == {"Retry-After": "1"}
    now = 0.6
    rates.take("web", 2, 5)
    with pytest.raises(Problem):
        rates.take("web", 2, 5)
    now = 1000.0
    for _ in range(5):
        rates.take("web", 2, 5)
    with pytest.raises(Problem):
        rates.take("web", 2, 5)
