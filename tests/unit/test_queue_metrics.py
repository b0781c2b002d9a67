"""What a keeper tells Prometheus of its queues."""

from prometheus_client import CollectorRegistry, generate_latest

from edworkers.adapters.metrics.of_queues import QueueCollector
from edworkers.ports import Depths, Usage


class Seconds:
    """A clock that is moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def depths(queue: str = "ai", *, oldest: float | None = 12.5) -> Depths:
    return Depths(
        queue,
        pending=4,
        inflight=3,
        delayed=2,
        dead=1,
        paused=True,
        throttled=False,
        gate_ms=0,
        runners=2,
        totals={"ack": 9, "recordBytes": 2048},
        oldest_seconds=oldest,
        shut=5,
    )


def told(collector: QueueCollector) -> list[str]:
    registry = CollectorRegistry()
    registry.register(collector)
    return generate_latest(registry).decode().splitlines()


def test_each_figure_of_a_queue_is_told() -> None:
    collector = QueueCollector(Seconds())
    collector.note(depths())
    assert [line for line in told(collector) if not line.startswith("#")] == [
        'edworkers_queue_counted_timestamp_seconds{queue="ai"} 1000.0',
        'edworkers_queue_jobs{queue="ai",state="pending"} 4.0',
        'edworkers_queue_jobs{queue="ai",state="inflight"} 3.0',
        'edworkers_queue_jobs{queue="ai",state="delayed"} 2.0',
        'edworkers_queue_jobs{queue="ai",state="dead"} 1.0',
        'edworkers_queue_moves_total{queue="ai",verb="ack"} 9.0',
        'edworkers_queue_oldest_seconds{queue="ai"} 12.5',
        'edworkers_queue_paused{queue="ai"} 1.0',
        'edworkers_queue_throttled{queue="ai"} 0.0',
        'edworkers_queue_groups_shut{queue="ai"} 5.0',
        'edworkers_queue_runners{queue="ai"} 2.0',
        'edworkers_queue_record_bytes{queue="ai"} 2048.0',
    ]


def test_a_queue_that_couldnt_be_counted_for_long_is_not_told_to_be_as_it_was() -> None:
    clock = Seconds()
    collector = QueueCollector(clock)
    collector.note(depths())
    clock.now += collector.LONGEST_SECONDS
    assert any(line.startswith("edworkers_queue_jobs{") for line in told(collector))
    clock.now += 1
    assert [line for line in told(collector) if not line.startswith("#")] == [
        'edworkers_queue_counted_timestamp_seconds{queue="ai"} 1000.0'
    ]


def test_a_queue_that_is_kept_no_more_is_forgotten() -> None:
    collector = QueueCollector(Seconds())
    collector.note(depths("ai"))
    collector.note(depths("webhook", oldest=None))
    collector.only({"webhook"})
    lines = told(collector)
    assert not any('"ai"' in line for line in lines)
    assert 'edworkers_queue_oldest_seconds{queue="webhook"} 0.0' in lines


def test_each_limit_of_a_queue_is_told_while_it_could_be_read_of_late() -> None:
    clock = Seconds()
    collector = QueueCollector(clock)
    collector.note_limits("ai", [Usage("day", 7, 1333, 86_400_000)])
    limits = [
        'edworkers_limit_used{limit="day",queue="ai"} 7.0',
        'edworkers_limit_max{limit="day",queue="ai"} 1333.0',
        'edworkers_limit_reset_timestamp_seconds{limit="day",queue="ai"} 86400.0',
    ]
    assert [line for line in told(collector) if not line.startswith("#")] == limits
    clock.now += collector.LONGEST_SECONDS + 1
    assert [line for line in told(collector) if not line.startswith("#")] == []
    collector.note_limits("ai", [Usage("day", 7, 1333, 86_400_000)])
    collector.only({"webhook"})
    assert [line for line in told(collector) if not line.startswith("#")] == []
