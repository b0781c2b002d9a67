"""What is used of the quota of Gemini, in requests and tokens."""

from scripts.dashboards.board import NAMESPACE, Board, Variable
from scripts.dashboards.panels import Panel, Row, on_or_off
from scripts.dashboards.queries import HERE, QUEUES, moved, per_queue, quantile

_WITH_LIMITS = Variable("queue", "Queue", 'label_values(edworkers_limit_max{namespace=~"$namespace"}, queue)')


def _limit(figure: str) -> str:
    return f"max by (queue, limit) (edworkers_limit_{figure}{{{QUEUES}}})"


_LEFT = f"({_limit('reset_timestamp_seconds')} - time())"
_PACE = f"clamp_min(max by (queue, limit) (deriv(edworkers_limit_used{{{QUEUES}}}[1h])), 0)"
_TOKENS = f"rate(edworkers_ai_tokens_total{{{HERE}}}[$__rate_interval])"

_QUOTA = Row(
    "Limits",
    (
        Panel(
            "Used",
            "How much of each limit is used. At 100 % jobs wait until it is reset.",
            {"{{queue}} {{limit}}": f"{_limit('used')} / ({_limit('max')} > 0)"},
            unit="percentunit",
            kind="bargauge",
            warns_at=0.75,
            alarms_at=0.9,
            most=1,
            alert="EdworkersLimitNearlyUsedUp",
        ),
        Panel(
            "Left",
            "How much of each limit is left.",
            {"{{queue}} {{limit}}": f"{_limit('max')} - {_limit('used')}"},
            kind="stat",
        ),
        Panel(
            "Until it is reset",
            "How long until each limit begins anew. Days and months end at midnight in the limit's time zone.",
            {"{{queue}} {{limit}}": f"clamp_min({_LEFT}, 0)"},
            unit="s",
            kind="stat",
        ),
        Panel(
            "Used over time",
            "How much of each limit was used, and how much may be.",
            {"{{queue}} {{limit}}": _limit("used"), "{{queue}} {{limit}} at most": _limit("max")},
            alert="EdworkersLimitNearlyUsedUp",
        ),
        Panel(
            "At this pace, used when it is reset",
            "What will be used of each limit when it is reset, if it goes on as in the last hour: more than 100 % is "
            "too much. Says nothing of minutes.",
            {
                "{{queue}} {{limit}}": (
                    f"({_limit('used')} + {_PACE} * {_LEFT}) / ({_limit('max')} > 0) and {_LEFT} > 3600"
                )
            },
            unit="percentunit",
            warns_at=1,
        ),
        Panel(
            "Closed",
            "When a limit that was used up, or the service itself, kept the queue closed.",
            {"{{queue}}": per_queue("edworkers_queue_throttled")},
            kind="state-timeline",
            alert="EdworkersQueueClosedForLong",
            more=on_or_off("closed"),
        ),
    ),
)
_USE = Row(
    "Gemini",
    (
        Panel(
            "Tokens",
            "Tokens a minute, by model and kind. `thought` is paid for, and no answer shows it.",
            {"{{model}} {{kind}}": f"60 * sum by (model, kind) ({_TOKENS})"},
            stacked=True,
        ),
        Panel(
            "Tokens of a day",
            "Tokens in the 24 hours before, by model and kind.",
            {"{{model}} {{kind}}": f"sum by (model, kind) (increase(edworkers_ai_tokens_total{{{HERE}}}[24h]))"},
            kind="bargauge",
        ),
        Panel(
            "Tokens of a job",
            "Tokens of all kinds for each job that was answered.",
            {"tokens": f"sum({_TOKENS}) / (sum({moved('ack')} and {per_queue('edworkers_limit_max')}) > 0)"},
        ),
        Panel(
            "How long an answer takes",
            "Half, 19 of 20, and 99 of 100 attempts take no longer than this.",
            {
                f"{share * 100:g} %": quantile(share, "edworkers_attempt_duration_seconds", QUEUES, "")
                for share in (0.5, 0.95, 0.99)
            },
            unit="s",
            width=12,
            exemplars=True,
        ),
        Panel(
            "Answered, tried again, put off, given up",
            "Attempts a second, by what came of them. Much that is put off means that the service asks to wait.",
            {
                "{{queue}} answered": moved("ack"),
                "{{queue}} tried again": moved("retry"),
                "{{queue}} put off": moved("defer"),
                "{{queue}} given up": moved("bury"),
            },
            unit="cps",
            width=12,
            alert="EdworkersFailureRatioHigh",
        ),
    ),
)

QUOTA = Board(
    "quota",
    "edworkers: quota and tokens",
    "What is used of the limits, above all those of Gemini, when they are reset, and where the tokens go.",
    (_QUOTA, _USE),
    (NAMESPACE, _WITH_LIMITS),
)
