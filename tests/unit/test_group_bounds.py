"""How many jobs of a group may run, and for how long its circuit opens."""

from hypothesis import given
from hypothesis import strategies as st

from edworkers.core.group_bounds import GroupBounds
from edworkers.core.settings import Circuit, Groups

circuits = st.builds(
    lambda failures, first, more: Circuit(failures=failures, open_seconds=first, max_open_seconds=first + more),
    st.integers(1, 1000),
    st.integers(1, 10_000),
    st.integers(0, 76_400),
)


def test_a_queue_without_groups_bounds_nothing() -> None:
    assert GroupBounds.of(None) == GroupBounds.of(Groups()) == (0, 0, 0, 0)
    assert not GroupBounds.of(Groups()).is_tripped(10**9)


def test_bounds_are_read_from_settings_in_milliseconds() -> None:
    assert GroupBounds.of(Groups(max_inflight=2, circuit=Circuit())) == (2, 5, 30_000, 900_000)


def test_a_circuit_is_open_twice_as_long_each_time() -> None:
    bounds = GroupBounds.of(Groups(circuit=Circuit()))
    assert [bounds.opens_for(5 + times) for times in range(7)] == [
        *(30_000, 60_000, 120_000, 240_000, 480_000, 900_000, 900_000)
    ]


@given(circuits, st.integers(0, 10**15))
def test_a_circuit_is_never_open_for_less_than_at_first_nor_longer_than_at_most(circuit: Circuit, more: int) -> None:
    bounds = GroupBounds.of(Groups(circuit=circuit))
    now, later = bounds.opens_for(circuit.failures + more), bounds.opens_for(circuit.failures + more + 1)
    assert circuit.open_seconds * 1000 <= now <= later <= circuit.max_open_seconds * 1000


@given(circuits, st.integers(0, 2000))
def test_it_takes_so_many_failures(circuit: Circuit, failures: int) -> None:
    assert GroupBounds.of(Groups(circuit=circuit)).is_tripped(failures) == (failures >= circuit.failures)
