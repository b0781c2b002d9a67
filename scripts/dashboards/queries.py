"""What is asked of Prometheus more than once.

Every keeper counts the same queues, so that their figures are taken once, by `max`; those of runners are added up.
"""

HERE = 'namespace=~"$namespace"'
QUEUES = f'{HERE}, queue=~"$queue"'
"""Of the namespaces and queues that the reader chose."""


def per_queue(name: str, more: str = "") -> str:
    """Ask for a keeper's figure, by queue."""
    return f"max by (namespace, queue) ({name}{{{QUEUES}{more}}})"


def jobs(state: str) -> str:
    """Ask how many jobs are in a state, by queue."""
    return per_queue("edworkers_queue_jobs", f', state="{state}"')


def moved(verb: str) -> str:
    """Ask how many jobs a second were moved by a verb, by queue."""
    moves = f'edworkers_queue_moves_total{{{QUEUES}, verb="{verb}"}}'
    return f"max by (namespace, queue) (rate({moves}[$__rate_interval]))"


def failure_ratio(by: str) -> str:
    """Ask for the share of attempts that failed."""
    by = f" by ({by})" if by else ""

    def attempts(verbs: str) -> str:
        moves = f'rate(edworkers_queue_moves_total{{{QUEUES}, verb=~"{verbs}"}}[$__rate_interval])'
        return f"sum{by} (max by (namespace, queue, verb) ({moves}))"

    return f"{attempts('retry|bury')} / ({attempts('ack|retry|bury')} > 0)"


def quantile(share: float, histogram: str, where: str, by: str) -> str:
    """Ask within how many seconds a share of a histogram's observations lies."""
    buckets = f"rate({histogram}_bucket{{{where}}}[$__rate_interval])"
    labels = ", ".join(filter(None, (by, "le")))
    return f"histogram_quantile({share}, sum by ({labels}) ({buckets}))"


def rate_of(counter: str, by: str) -> str:
    """Ask for a runner's counter a second, of the chosen queues."""
    return f"sum by ({by}) (rate({counter}{{{QUEUES}}}[$__rate_interval]))"
