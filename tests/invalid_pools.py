"""WorkerPools that must be refused, by the code that reads them as by the API server, and what is said of each."""

from dataclasses import dataclass, field
from typing import Any

CRON = "must be five fields of cron (minute hour day month weekday)"
ZONE = "must be the name of a time zone, such as America/Los_Angeles or Etc/UTC"
LABEL = "must be a label's value: letters, digits, - _ and . with a letter or digit at either end"
OWN = "the operator sets edworkers.dev/"
MINUTE = {"name": "minute", "limit": 60, "window": "minute"}
TOKENS = {"counts": "tokens", "per": "group"}
DAY = {"name": "day", "limit": 1333, "window": "day"}
NIGHTLY = {"name": "nightly", "schedule": "0 3 * * *"}


@dataclass(frozen=True, slots=True)
class InvalidPool:
    """One pool, where it is at fault, and what the API server says."""

    told: str
    place: str
    spec: dict[str, Any] = field(default_factory=dict)
    name: str = "night"

    @property
    def document(self) -> dict[str, Any]:
        return worker_pool(self.name, **self.spec)


def worker_pool(name: str = "night", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "edworkers.dev/v1alpha1",
        "kind": "WorkerPool",
        "metadata": {"name": name},
        "spec": {"queue": "night", "handlers": "school.night", **spec},
    }


def unknown(path: str) -> str:
    return f'unknown field "{path}"'


INVALID = {
    "pool's name too long": InvalidPool("metadata.name may have 53 characters at most", "metadata.name", {}, "p" * 54),
    "pool's name with a dot": InvalidPool("metadata.name may have no dots", "metadata.name", {}, "night.school"),
    "queue in capitals": InvalidPool(
        "must be a queue's name: a letter, then letters", "spec.queue", {"queue": "Night"}
    ),
    "queue of one digit": InvalidPool("must be a queue's name", "spec.queue", {"queue": "1"}),
    "queue too long": InvalidPool("may not be more than 41", "spec.queue", {"queue": "q" * 42}),
    "no queue": InvalidPool("must be a queue's name", "spec.queue", {"queue": ""}),
    "handlers as a path": InvalidPool(
        "must be the dotted name of a Python module", "spec.handlers", {"handlers": "school/night.py"}
    ),
    "handlers with letters of no ASCII": InvalidPool(
        "must be the dotted name of a Python module", "spec.handlers", {"handlers": "schöol"}
    ),
    "no slots": InvalidPool("should be greater than or equal to 1", "spec.concurrency", {"concurrency": 0}),
    "replicas and autoscaling": InvalidPool(
        "give replicas or autoscaling, not both: an autoscaled pool is sized by autoscaling.minReplicas",
        "spec.replicas",
        {"replicas": 1, "autoscaling": {"maxReplicas": 3}},
    ),
    "replicas below none": InvalidPool("should be greater than or equal to 0", "spec.replicas", {"replicas": -1}),
    "least above most": InvalidPool(
        "minReplicas is above maxReplicas: lower it, or raise the other",
        "spec.autoscaling.minReplicas",
        {"autoscaling": {"minReplicas": 4, "maxReplicas": 3}},
    ),
    "least above the default most": InvalidPool(
        "minReplicas is above maxReplicas", "spec.autoscaling.minReplicas", {"autoscaling": {"minReplicas": 11}}
    ),
    "polling all the time": InvalidPool(
        "should be greater than or equal to 1",
        "spec.autoscaling.pollingIntervalSeconds",
        {"autoscaling": {"pollingIntervalSeconds": 0}},
    ),
    "two limits of a name": InvalidPool('Duplicate value: {"name":"day"}', "spec.limits", {"limits": [DAY, DAY]}),
    "two limits for a minute": InvalidPool(
        "only one of the limits that count jobs per queue may be for a minute",
        "spec.limits",
        {"limits": [MINUTE, {**MINUTE, "name": "other"}]},
    ),
    "two limits of tokens for a minute": InvalidPool(
        "only one of the limits that count tokens per group may be for a minute",
        "spec.limits",
        {"groups": {}, "limits": [{**MINUTE, **TOKENS}, {**MINUTE, **TOKENS, "name": "other"}]},
    ),
    "limit per group without groups": InvalidPool(
        "groups has to be given, be it as {}", "spec.groups", {"limits": [{**DAY, "per": "group"}]}
    ),
    "limit of something else": InvalidPool(
        'supported values: "jobs", "tokens"', "spec.limits.0.counts", {"limits": [{**DAY, "counts": "bytes"}]}
    ),
    "memory that is too little": InvalidPool(
        "must be 64Mi or more", "spec.job.memory", {"job": {"isolation": "process", "memory": "63Mi"}}
    ),
    "no job in flight": InvalidPool("greater than or equal to 1", "spec.maxInflight", {"maxInflight": 0}),
    "no job of a group in flight": InvalidPool(
        "greater than or equal to 1", "spec.groups.maxInflight", {"groups": {"maxInflight": 0}}
    ),
    "circuit that opens at no failure": InvalidPool(
        "greater than or equal to 1", "spec.groups.circuit.failures", {"groups": {"circuit": {"failures": 0}}}
    ),
    "circuit open for longer than at most": InvalidPool(
        "maxOpenSeconds is below openSeconds: raise it, or lower the other",
        "spec.groups.circuit",
        {"groups": {"circuit": {"openSeconds": 901}}},
    ),
    "circuit open for less at most than by default": InvalidPool(
        "maxOpenSeconds is below openSeconds", "spec.groups.circuit", {"groups": {"circuit": {"maxOpenSeconds": 29}}}
    ),
    "too many limits": InvalidPool(
        "must have at most 8 items", "spec.limits", {"limits": [{**DAY, "name": f"day-{n}"} for n in range(9)]}
    ),
    "limit of an hour": InvalidPool(
        'supported values: "minute", "day", "month"', "spec.limits.0.window", {"limits": [{**DAY, "window": "hour"}]}
    ),
    "limit on another planet": InvalidPool(
        f"unknown time zone Mars/Phobos evaluating rule: {ZONE}",
        "spec.limits.0.timeZone",
        {"limits": [{**DAY, "timeZone": "Mars/Phobos"}]},
    ),
    "limit in an offset": InvalidPool(ZONE, "spec.limits.0.timeZone", {"limits": [{**DAY, "timeZone": "+01:00"}]}),
    "limit in the zone of the machine": InvalidPool(
        ZONE, "spec.limits.0.timeZone", {"limits": [{**DAY, "timeZone": "Local"}]}
    ),
    "limit whose name is none": InvalidPool(
        "must be a letter, then letters, digits and hyphens", "spec.limits.0.name", {"limits": [{**DAY, "name": "1st"}]}
    ),
    "endless time": InvalidPool(
        "should be less than or equal to 86400", "spec.job.timeoutSeconds", {"job": {"timeoutSeconds": 86401}}
    ),
    "no time": InvalidPool("should be greater than 0", "spec.job.timeoutSeconds", {"job": {"timeoutSeconds": 0}}),
    "wait that shrinks": InvalidPool(
        "should be greater than or equal to 1", "spec.job.backoff.factor", {"job": {"backoff": {"factor": 0.5}}}
    ),
    "isolation of another kind": InvalidPool(
        'supported values: "task", "process"', "spec.job.isolation", {"job": {"isolation": "thread"}}
    ),
    "memory of a task": InvalidPool(
        "memory can only be limited for a job with a process of its own: set isolation to process",
        "spec.job.memory",
        {"job": {"isolation": "task", "memory": "512Mi"}},
    ),
    "memory in megabytes": InvalidPool(
        "must be a number of bytes such as 512Mi or 1Gi, and 64Mi or more",
        "spec.job.memory",
        {"job": {"isolation": "process", "memory": "512MB"}},
    ),
    "size in megabytes": InvalidPool(
        "must be a number of bytes such as 1048576, 512Ki, 256Mi or 1Gi",
        "spec.retention.maxBytes",
        {"retention": {"maxBytes": "1MB"}},
    ),
    "size below nothing": InvalidPool(
        "must be a number of bytes", "spec.retention.maxBytes", {"retention": {"maxBytes": -1}}
    ),
    "schedule with a zone in it": InvalidPool(
        "the zone goes into timeZone, not into the schedule",
        "spec.schedules.0.schedule",
        {"schedules": [{**NIGHTLY, "schedule": "CRON_TZ=Etc/UTC 0 3 * * *"}]},
    ),
    **{
        f"schedule {schedule!r}": InvalidPool(
            CRON, "spec.schedules.0.schedule", {"schedules": [{**NIGHTLY, "schedule": schedule}]}
        )
        for schedule in ("", "@daily", "0 3 * *", "0 3 * * * *", "60 3 * * *", "0 24 * * *", "0 3 0 * *", "*/0 3 * * *")
    },
    "schedule on another planet": InvalidPool(
        ZONE, "spec.schedules.0.timeZone", {"schedules": [{**NIGHTLY, "timeZone": "Mars/Phobos"}]}
    ),
    "two schedules of a name": InvalidPool(
        'Duplicate value: {"name":"nightly"}', "spec.schedules", {"schedules": [NIGHTLY, NIGHTLY]}
    ),
    "schedule whose name is none": InvalidPool(
        "must be letters, digits and hyphens, all small, with no hyphen at either end",
        "spec.schedules.0.name",
        {"schedules": [{**NIGHTLY, "name": "nightly-"}]},
    ),
    "CronJob's name too long": InvalidPool(
        "a schedule's CronJob is called <pool>-<schedule>, which may have 52 characters: shorten the name",
        "",
        {"schedules": [{**NIGHTLY, "name": "s" * 11}]},
        "p" * 41,
    ),
    "lease of no time": InvalidPool("must be 0.2 or more", "spec.leaseSeconds", {"leaseSeconds": 0}),
    "label of the operator": InvalidPool(OWN, "spec.podLabels", {"podLabels": {"edworkers.dev/pool": "other"}}),
    "label of every program": InvalidPool(OWN, "spec.podLabels", {"podLabels": {"app.kubernetes.io/name": "mine"}}),
    "priority class of no name": InvalidPool(
        "must be the name of a PriorityClass: letters, digits, - and ., all small",
        "spec.priorityClassName",
        {"priorityClassName": "High"},
    ),
    "label with a space": InvalidPool(LABEL, "spec.podLabels.team", {"podLabels": {"team": "a b"}}),
    "node selector with a space": InvalidPool(LABEL, "spec.nodeSelector.disk", {"nodeSelector": {"disk": "a b"}}),
    "variable given twice": InvalidPool(
        'Duplicate value: {"name":"A"}', "spec.env", {"env": [{"name": "A", "value": "1"}, {"name": "A"}]}
    ),
    "variable that is a number": InvalidPool(
        'must be of type string: "integer"', "spec.env.0.value", {"env": [{"name": "A", "value": 1}]}
    ),
    "memory that is none": InvalidPool(
        "must be a quantity such as 2, 100m or 256Mi",
        "spec.resources.limits.memory",
        {"resources": {"limits": {"memory": "256 MB"}}},
    ),
    "CPU as a fraction": InvalidPool(
        'must be of type integer,string: "number"',
        "spec.resources.limits.cpu",
        {"resources": {"limits": {"cpu": 0.5}}},
    ),
    "deletion of another kind": InvalidPool(
        'supported values: "Delete", "Drain"', "spec.deletionPolicy", {"deletionPolicy": "Orphan"}
    ),
    "misspelled field": InvalidPool(unknown("spec.concurency"), "spec.concurency", {"concurency": 3}),
    "field with an underscore": InvalidPool(unknown("spec.lease_seconds"), "spec.lease_seconds", {"lease_seconds": 3}),
    "misspelled field of a job": InvalidPool(
        unknown("spec.job.maxAttempt"), "spec.job.maxAttempt", {"job": {"maxAttempt": 3}}
    ),
    "misspelled field of resources": InvalidPool(
        unknown("spec.resources.limts"), "spec.resources.limts", {"resources": {"limts": {"cpu": 1}}}
    ),
    "misspelled field of a variable": InvalidPool(
        unknown("spec.env[0].valueFrom.secretRef"),
        "spec.env.0.valueFrom.secretRef",
        {"env": [{"name": "A", "valueFrom": {"secretRef": {"name": "a", "key": "b"}}}]},
    ),
    "misspelled field of affinity": InvalidPool(
        unknown("spec.affinity.podAntiAfinity"), "spec.affinity.podAntiAfinity", {"affinity": {"podAntiAfinity": {}}}
    ),
}

WHOLE = worker_pool(
    image="school/night:2",
    concurrency=4,
    autoscaling={
        "maxReplicas": 20,
        "minReplicas": 1,
        "targetPerReplica": 3,
        "pollingIntervalSeconds": 5,
        "cooldownSeconds": 60,
        "behavior": {"scaleDown": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}},
    },
    maxInflight=50,
    limits=[
        {**MINUTE, "counts": "jobs", "per": "queue"},
        {**DAY, "counts": "jobs", "per": "queue", "timeZone": "America/Los_Angeles"},
        {**DAY, **TOKENS, "name": "tokens"},
    ],
    groups={"maxInflight": 2, "circuit": {"failures": 5, "openSeconds": 30, "maxOpenSeconds": 900}},
    job={
        "timeoutSeconds": 30,
        "maxAttempts": 2,
        "maxDeliveries": 3,
        "isolation": "process",
        "memory": "512Mi",
        "backoff": {"initialSeconds": 2, "factor": 2, "maxSeconds": 600, "jitter": 0.2},
    },
    retention={"resultSeconds": 86400, "deadSeconds": 604800, "maxBytes": "256Mi", "keepData": True},
    leaseSeconds=15,
    suspend=False,
    schedules=[{**NIGHTLY, "timeZone": "Etc/UTC", "job": {"type": "cleanup", "data": {"of": ["tokens", 1, None]}}}],
    env=[
        {"name": "A", "value": "a"},
        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "b", "key": "b", "optional": True}}},
        {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "c"}}},
        {"name": "D", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}},
        {
            "name": "E",
            "valueFrom": {"resourceFieldRef": {"containerName": "e", "resource": "limits.cpu", "divisor": "1m"}},
        },
    ],
    envFrom=[{"prefix": "A_", "configMapRef": {"name": "a"}}, {"secretRef": {"name": "b", "optional": False}}],
    resources={"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": 1, "memory": "1.5Gi"}},
    nodeSelector={"disk": "fast"},
    tolerations=[
        {"key": "a", "operator": "Equal", "value": "b", "effect": "NoExecute", "tolerationSeconds": 5},
        {"operator": "Exists"},
    ],
    affinity={
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {
                        "matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}],
                        "matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a"]}],
                    }
                ]
            },
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"weight": 1, "preference": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}
            ],
        },
        "podAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {
                    "topologyKey": "kubernetes.io/hostname",
                    "namespaces": ["a"],
                    "namespaceSelector": {"matchLabels": {"a": "b"}},
                    "labelSelector": {"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]},
                }
            ]
        },
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 100,
                    "podAffinityTerm": {
                        "topologyKey": "kubernetes.io/hostname",
                        "labelSelector": {"matchLabels": {"a": "b"}},
                        "matchLabelKeys": ["pod-template-hash"],
                    },
                }
            ]
        },
    },
    topologySpreadConstraints=[
        {
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"a": "b"}},
            "matchLabelKeys": ["pod-template-hash"],
            "minDomains": 1,
            "nodeAffinityPolicy": "Honor",
            "nodeTaintsPolicy": "Ignore",
        }
    ],
    priorityClassName="school-high",
    podLabels={"team": "school"},
    podAnnotations={"school.example/note": "any text at all"},
    deletionPolicy="Drain",
)
"""A pool that says something in every field but `replicas`, which can't stand beside `autoscaling`."""
