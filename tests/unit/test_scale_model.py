"""The simulation that the paper on scaling goes by: its rules hold, and it does what can be worked out by hand."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scale_model import (
    COOLDOWN_SECONDS,
    DAY,
    HOT,
    JOB_US,
    KINDS,
    MOST_BUSY,
    PEAK,
    POD_SECONDS,
    STEP,
    Day,
    Kind,
    Pool,
    Queue,
    Scenario,
    load,
    node_of,
    partition_names,
    pods_by_littles_law,
    queues_of,
    simulate,
)

HOUR = 3600 // STEP


def day_of(scenario: Scenario, level: float, steps: int, *kinds: Kind) -> Day:
    """Play so many steps of one level with queues of one partition, with pods for ten times as much as usual."""
    queues = [Queue(kind, kind.share, 0, Pool(kind.slots, 10_000)) for kind in kinds]
    return simulate(scenario, queues, [level] * steps)


def test_a_day_has_as_many_jobs_as_were_asked_for() -> None:
    loads = [load(second) for second in range(0, DAY, STEP)]
    assert sum(loads) / len(loads) == pytest.approx(1)
    assert max(loads) == PEAK
    assert sum(kind.share for kind in KINDS) == pytest.approx(1)


@settings(max_examples=20)
@given(seconds=st.sampled_from([0.1, 0.5, 2.0, 7.0, 20.0]), rate=st.integers(50, 5000), slots=st.integers(1, 50))
def test_in_a_steady_state_as_many_run_as_littles_law_says(*, seconds: float, rate: int, slots: int) -> None:
    kind = Kind("steady", 1.0, seconds, slots)
    queue = Queue(kind, 1.0, 0, Pool(slots, 10**9))
    # No more jobs than one node of Redis bears.
    simulate(Scenario(rate * DAY), [queue], [1.0] * (2 * HOUR))
    assert queue.running == pytest.approx(rate * seconds, rel=0.1, abs=3)
    assert queue.pool.ready >= pods_by_littles_law(rate * 0.9, seconds, slots)


@settings(max_examples=30)
@given(
    jobs=st.integers(10_000, 2_000_000_000),
    partitions=st.integers(1, 8),
    nodes=st.integers(1, 6),
    loads=st.lists(st.sampled_from([0.0, 0.2, 1.0, 4.0]), min_size=1, max_size=60),
)
def test_no_job_is_lost_and_no_node_does_more_than_it_can(
    *, jobs: int, partitions: int, nodes: int, loads: list[float]
) -> None:
    scenario = Scenario(jobs, partitions, nodes)
    day = simulate(scenario, loads=[level for level in loads for _ in range(20)])
    for queue in day.queues:
        assert queue.arrived == pytest.approx(queue.waiting + queue.running + queue.done)
        assert min(queue.waiting, queue.running) >= -1e-6
        assert queue.pool.ready <= queue.pool.wanted <= queue.pool.most
    assert day.busiest <= MOST_BUSY + 1e-9


def loads_of(scenario: Scenario) -> list[float]:
    """Give the part of all jobs that each node has."""
    loads = [0.0] * scenario.nodes
    for queue in queues_of(scenario):
        loads[queue.node] += queue.share
    return loads


@given(partitions=st.integers(1, 12), times=st.integers(2, 4), nodes=st.integers(1, 8))
def test_partitions_in_parts_with_chosen_names_never_make_a_node_busier(
    *, partitions: int, times: int, nodes: int
) -> None:
    few = max(loads_of(Scenario(1, partitions, nodes, chosen=True)))
    many = max(loads_of(Scenario(1, partitions * times, nodes, chosen=True)))
    assert many <= few + 1e-9


@given(partitions=st.integers(1, 12), nodes=st.integers(1, 8))
def test_chosen_names_do_as_well_as_numbers_at_least(*, partitions: int, nodes: int) -> None:
    chosen = max(loads_of(Scenario(1, partitions, nodes, chosen=True)))
    assert chosen <= max(loads_of(Scenario(1, partitions, nodes))) + 1e-9


@given(partitions=st.integers(1, 12), nodes=st.integers(1, 8))
def test_no_two_partitions_have_one_name(*, partitions: int, nodes: int) -> None:
    assert len(set(partition_names(HOT, partitions, nodes))) == partitions


def test_numbered_partitions_can_make_a_node_busier() -> None:
    assert max(loads_of(Scenario(1, 2, nodes=3))) > max(loads_of(Scenario(1, 1, nodes=3)))


@pytest.mark.parametrize("nodes", [1, 3, 6])
def test_a_node_is_as_busy_as_its_queues_make_it(nodes: int) -> None:
    scenario = Scenario(100_000_000, 8, nodes)
    # Every queue begins what arrives: the busiest step is that of the busiest node, but for the noise and the start.
    queues = queues_of(scenario)
    for queue in queues:
        queue.pool.ready = queue.pool.wanted = queue.pool.most
    day = simulate(scenario, queues, [1.0] * 12)
    assert day.busiest == pytest.approx(max(loads_of(scenario)) * scenario.jobs / DAY * JOB_US / 1e6, rel=0.1)


def test_partitions_share_what_the_whole_queue_had() -> None:
    queues = queues_of(Scenario(1_000_000, partitions=8, nodes=3))
    hot = [queue for queue in queues if queue.kind.name == HOT]
    assert len(hot) == 8
    assert sum(queue.share for queue in queues) == pytest.approx(1)
    assert {queue.node for queue in hot} <= {0, 1, 2}


def test_the_same_seed_gives_the_same_day_and_another_another() -> None:
    scenario = Scenario(10_000_000)
    one, again, other = (
        simulate(replace(scenario, seed=seed), loads=[1.0] * 200).queues[0].arrivals for seed in (1, 1, 2)
    )
    assert one == again
    assert one != other


def test_each_node_has_queues_that_are_named_for_it() -> None:
    # The slot of {ai} is 7,186 of 16,384 by the CRC-16 of Redis Cluster's specification.
    assert node_of("ai", 1) == 0
    assert {node_of(f"webhook-{number}", 3) for number in range(32)} == {0, 1, 2}


def test_a_pod_comes_from_zero_and_goes_when_nothing_came_for_long() -> None:
    kind = Kind("rare", 1.0, 2.0, 4)
    queue = Queue(kind, 1.0, 0, Pool(kind.slots, 10))
    burst = [1.0] * 4 + [0.0] * (COOLDOWN_SECONDS // STEP + 20)
    day = simulate(Scenario(DAY), [queue], burst)
    assert day.pods > 0
    assert queue.pool.ready == queue.pool.wanted == 0
    assert queue.done == pytest.approx(queue.arrived, abs=1)


def test_the_first_job_of_an_idle_queue_waits_for_a_pod() -> None:
    day = day_of(Scenario(DAY * 2), 1.0, 30, Kind("cold", 1.0, 1.0, 10))
    assert day.waits()[-1][0] >= POD_SECONDS - STEP


def test_the_autoscaler_adds_no_more_than_it_may_at_once() -> None:
    pool = Pool(1, 1000)
    sizes: list[int] = []
    for now in range(0, 75, STEP):
        pool.step(now, 1000)
        sizes.append(pool.wanted)
    assert sorted(set(sizes)) == [1, 5, 10, 20, 40]


def test_it_takes_pods_away_only_after_it_wanted_fewer_for_five_minutes() -> None:
    pool = Pool(1, 100)
    for now in range(0, 120, STEP):
        pool.step(now, 16)
    assert pool.ready == 16
    for now in range(120, 390, STEP):
        pool.step(now, 4)
    assert pool.ready == 16
    for now in range(390, 450, STEP):
        pool.step(now, 4)
    assert pool.ready == 4


@pytest.mark.parametrize(("rate", "seconds", "slots", "pods"), [(100, 4, 40, 10), (1, 0.1, 50, 1), (101, 4, 40, 11)])
def test_littles_law(rate: float, seconds: float, slots: int, pods: int) -> None:
    assert pods_by_littles_law(rate, seconds, slots) == pods == math.ceil(rate * seconds / slots)


def test_what_one_node_cannot_bear_waits_and_is_worked_off_in_its_turn() -> None:
    kind = Kind("hot", 1.0, 0.1, 50)
    queue = Queue(kind, 1.0, 0, Pool(kind.slots, 10_000))
    most = MOST_BUSY / (JOB_US / 1e6)
    day = simulate(Scenario(round(most * 2) * DAY), [queue], [1.0] * HOUR)
    assert day.busiest == pytest.approx(MOST_BUSY)
    assert queue.waiting == pytest.approx(queue.arrived / 2, rel=0.1)
    assert day.p99() > 600
