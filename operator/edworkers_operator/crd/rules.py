"""What a WorkerPool must be beyond the types and bounds of its fields, and what users are told where it isn't.

Places are written `spec.limits[].name`; `{}` stands for the values of a map, and the resource itself is at "".
"""

from dataclasses import dataclass

from edworkers_operator.workerpool import CRON, LONGEST_CRON_JOB_NAME, LONGEST_POOL_NAME, OWN_LABELS, OWN_PREFIX


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule in CEL (`self` is the value at its place), what is said where it is broken, and of which field below."""

    cel: str
    message: str
    field: str = ""


LIST_KEYS = {
    "spec.limits": "name",
    "spec.schedules": "name",
    "spec.env": "name",
    "status.conditions": "type",
    "status.limits": "name",
    "status.schedules": "name",
}
"""Lists whose items are told apart by one of their fields: each has a value of its own, and can be applied alone."""

PATTERNS = {
    "spec.queue": "must be a queue's name: a letter, then letters, digits and hyphens, all small, 41 at most",
    "spec.handlers": "must be the dotted name of a Python module, such as edworkers.handlers.ai",
    "spec.limits[].name": "must be a letter, then letters, digits and hyphens, all small, 31 at most",
    "spec.schedules[].name": "must be letters, digits and hyphens, all small, with no hyphen at either end",
    "spec.groups.by": "must be the name of a field of a job's data, such as userId",
    "spec.job.memory": "must be a number of bytes such as 512Mi or 1Gi, and 64Mi or more",
    "spec.retention.maxBytes": "must be a number of bytes such as 1048576, 512Ki, 256Mi or 1Gi",
    "spec.priorityClassName": "must be the name of a PriorityClass: letters, digits, - and ., all small",
    "spec.podLabels{}": "must be a label's value: letters, digits, - _ and . with a letter or digit at either end",
    "spec.nodeSelector{}": "must be a label's value: letters, digits, - _ and . with a letter or digit at either end",
    "spec.env[].valueFrom.resourceFieldRef.divisor": "must be a quantity such as 1, 1m or 1Mi",
    "spec.resources.limits{}": "must be a quantity such as 2, 100m or 256Mi",
    "spec.resources.requests{}": "must be a quantity such as 2, 100m or 256Mi",
}
"""What is said in place of a pattern that nobody wants to read."""

_ZONE = Rule(
    # Looking at a clock in that zone is how CEL finds out whether there is such a zone.
    "self.matches('^[A-Z][A-Za-z0-9_+/-]*$') && self != 'Local' "
    "&& timestamp('2024-01-01T00:00:00Z').getHours(self) >= 0",
    "must be the name of a time zone, such as America/Los_Angeles or Etc/UTC",
)

RULES: dict[str, tuple[Rule, ...]] = {
    "": (
        Rule(
            f"size(self.metadata.name) <= {LONGEST_POOL_NAME}",
            f"metadata.name may have {LONGEST_POOL_NAME} characters at most, for the pool's objects are called "
            "edworkers-<name>: give it a shorter name",
            ".metadata.name",
        ),
        Rule(
            "!self.metadata.name.contains('.')",
            "metadata.name may have no dots, for it is also a label of the pool's pods: take letters, digits and "
            "hyphens",
            ".metadata.name",
        ),
        Rule(
            "!has(self.spec.schedules) || self.spec.schedules.all(schedule, "
            f"size(self.metadata.name) + 1 + size(schedule.name) <= {LONGEST_CRON_JOB_NAME})",
            f"a schedule's CronJob is called <pool>-<schedule>, which may have {LONGEST_CRON_JOB_NAME} characters: "
            "shorten the name of the schedule or of the pool",
            ".spec.schedules",
        ),
    ),
    "spec": (
        Rule(
            "!(has(self.replicas) && has(self.autoscaling))",
            "give replicas or autoscaling, not both: an autoscaled pool is sized by autoscaling.minReplicas and "
            "autoscaling.maxReplicas",
            ".replicas",
        ),
        Rule(
            "has(self.groups) || !has(self.limits) || self.limits.all(limit, limit.per != 'group')",
            "groups has to be given, be it as {}, where one of the limits is per group",
            ".groups",
        ),
    ),
    "spec.queue": (
        Rule(
            "self == oldSelf",
            "queue can't be changed, for its jobs would be left behind: make a WorkerPool for the other queue",
        ),
    ),
    # A bound that is no whole number is not held against values that are.
    "spec.leaseSeconds": (Rule("self >= 0.2", "must be 0.2 or more: runners renew their leases in time then"),),
    "spec.groups.circuit": (
        Rule(
            "self.openSeconds <= self.maxOpenSeconds",
            "maxOpenSeconds is below openSeconds: raise it, or lower the other",
        ),
    ),
    "spec.job": (
        Rule(
            "!(has(self.memory) && has(self.isolation) && self.isolation == 'task')",
            "memory can only be limited for a job with a process of its own: set isolation to process",
            ".memory",
        ),
    ),
    "spec.job.memory": (
        Rule(
            "!isQuantity(string(self)) || quantity(string(self)).compareTo(quantity('64Mi')) >= 0",
            "must be 64Mi or more, for Python itself needs about half of that",
        ),
    ),
    "spec.autoscaling": (
        Rule(
            "self.minReplicas <= self.maxReplicas",
            "minReplicas is above maxReplicas: lower it, or raise the other",
            ".minReplicas",
        ),
    ),
    "spec.limits": (
        *(
            Rule(
                f"self.filter(limit, limit.window == 'minute' && limit.counts == '{counts}' && limit.per == '{per}')"
                ".size() <= 1",
                f"only one of the limits that count {counts} per {per} may be for a minute: keep the lower one",
            )
            for counts in ("jobs", "tokens")
            for per in ("queue", "group")
        ),
    ),
    "spec.limits[].timeZone": (_ZONE,),
    "spec.schedules[].timeZone": (_ZONE,),
    "spec.schedules[].schedule": (
        Rule("!self.contains('TZ=')", "the zone goes into timeZone, not into the schedule"),
        Rule(
            f"self.contains('TZ=') || self.matches(r'{CRON}')",
            "must be five fields of cron (minute hour day month weekday) made of numbers, names and * , - / such as "
            "0 3 * * mon-fri",
        ),
    ),
    "spec.podLabels": (
        Rule(
            f"self.all(key, !key.startsWith('{OWN_PREFIX}') && !(key in {list(OWN_LABELS)}))",
            f"the operator sets {OWN_PREFIX}…, {', '.join(OWN_LABELS)} itself: take them out",
        ),
    ),
}

OPERATOR_CHECKED = {
    "A range of a schedule that runs backwards (`30-10`), or a day that no month has": (
        "The CronJob is refused, and `Degraded` says why; or it never fires."
    ),
    "A time zone that the API server knows and the operator doesn't, for one of them is older": (
        "`Stalled` with the name of the zone."
    ),
    "Keys of labels and annotations; variables with both `value` and `valueFrom`; selectors that contradict": (
        "The Deployment is refused; `Degraded` with what the API server said."
    ),
    "`autoscaling.behavior`": "Where it can't be used, `Degraded` says so, or KEDA and with it `ScalerReady`.",
    "`job.memory` for handlers that ask for no process of their own, without `job.isolation: process`": (
        "The pods end again and again; `Degraded` names one, whose log says why."
    ),
    "Modules that the image doesn't have": "The pods end again and again; `Degraded` names one.",
}
"""What the API server can't see when a WorkerPool is written, and how the operator tells it."""
