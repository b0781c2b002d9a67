"""The shapes of those fields of a pod that a WorkerPool passes on to Kubernetes.

They find a misspelled name where it is written. What values mean is left to the API server's own checks. Values stay
plain, for they are passed on as they are; only their shape is held against these models.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, Field, GetJsonSchemaHandler, TypeAdapter, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from edworkers.core.settings import Settings

_LONGEST_QUANTITY = 32
_LABEL_VALUE = r"^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$"
_QUANTITY = re.compile(r"^([0-9]+([.][0-9]*)?|[.][0-9]+)([EPTGMK]i|[EPTGMkmun]|[eE][+-]?[0-9]+)?$")


def _check_quantity(value: object) -> object:
    is_written = isinstance(value, str | int) and not isinstance(value, bool)
    if not (is_written and len(str(value)) <= _LONGEST_QUANTITY and _QUANTITY.fullmatch(str(value))):
        raise ValueError("must be a quantity such as 2, 100m or 256Mi; a fraction needs quotes")
    return value


LabelValue = Annotated[str, Field(max_length=63, pattern=_LABEL_VALUE)]
Labels = Annotated[dict[str, LabelValue], Field(max_length=64)]
Quantity = Annotated[
    Any,
    AfterValidator(_check_quantity),
    WithJsonSchema(
        {
            "anyOf": [{"type": "integer"}, {"type": "string"}],
            "pattern": _QUANTITY.pattern,
            "maxLength": _LONGEST_QUANTITY,
        }
    ),
]
Quantities = Annotated[dict[str, Quantity], Field(max_length=16)]
Text = Annotated[str, Field(max_length=256)]
Texts = Annotated[tuple[Text, ...], Field(max_length=64)]


class PodField(Settings):
    """Part of a pod as Kubernetes has it."""


class KeyRef(PodField):
    """One key of a ConfigMap or a Secret in the pool's namespace."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    """What the ConfigMap or the Secret is called."""
    key: Annotated[str, Field(min_length=1, max_length=253)]
    """Which of its keys."""
    optional: bool | None = None
    """Whether the pod starts without it."""


class FieldRef(PodField):
    """A field of the pod itself."""

    api_version: Text | None = None
    """The version of the pod that the path is read in, v1."""
    field_path: Annotated[str, Field(min_length=1, max_length=512)]
    """Such as metadata.name or status.podIP."""


class ResourceFieldRef(PodField):
    """What the container may use of a resource."""

    container_name: Text | None = None
    """The container; this one where none is named."""
    resource: Annotated[str, Field(min_length=1, max_length=253)]
    """Such as limits.memory."""
    divisor: Quantity | None = None
    """The unit in which it is given, such as 1Mi."""


class EnvSource(PodField):
    """Where a variable's value comes from: exactly one of these."""

    config_map_key_ref: KeyRef | None = None
    """A key of a ConfigMap."""
    secret_key_ref: KeyRef | None = None
    """A key of a Secret."""
    field_ref: FieldRef | None = None
    """A field of the pod."""
    resource_field_ref: ResourceFieldRef | None = None
    """A request or a limit of the container."""


class EnvVar(PodField):
    """A variable in the environment of the runner."""

    name: Annotated[str, Field(min_length=1, max_length=253, pattern="^[^=]+$")]
    """What the variable is called; each name once."""
    value: Annotated[str, Field(max_length=32768)] | None = None
    """Its value as text; numbers and booleans need quotes in YAML."""
    value_from: EnvSource | None = None
    """Where its value comes from, in place of value."""


class ObjectRef(PodField):
    """A ConfigMap or a Secret in the pool's namespace."""

    name: Annotated[str, Field(min_length=1, max_length=253)]
    """What the ConfigMap or the Secret is called."""
    optional: bool | None = None
    """Whether the pod starts without it."""


class EnvFrom(PodField):
    """Every key of a ConfigMap or a Secret as a variable."""

    prefix: Text | None = None
    """Put before the name of each variable."""
    config_map_ref: ObjectRef | None = None
    """The ConfigMap."""
    secret_ref: ObjectRef | None = None
    """The Secret."""


class Resources(PodField):
    """What the runner's container asks for and may use."""

    requests: Quantities | None = None
    """What a node must have free for it, such as cpu: 100m and memory: 128Mi."""
    limits: Quantities | None = None
    """What it may use; above its memory limit it is killed."""


class Toleration(PodField):
    """A taint of nodes that pods of this pool put up with."""

    key: Text | None = None
    """The taint's key; every taint where there is none and operator is Exists."""
    operator: Literal["Exists", "Equal"] | None = None
    """Whether the value counts (Equal, the default) or only the key (Exists)."""
    value: Text | None = None
    """The taint's value."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """The taint's effect; every effect where there is none."""
    toleration_seconds: int | None = None
    """How many seconds a NoExecute taint is put up with."""


class LabelExpression(PodField):
    """What a label must be."""

    key: Annotated[str, Field(min_length=1, max_length=317)]
    """The label's key."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """How the label is held against values."""
    values: Texts | None = None
    """The values, for In and NotIn."""


class LabelSelector(PodField):
    """Which objects are meant, by their labels."""

    match_labels: Labels | None = None
    """Labels that they must have."""
    match_expressions: Annotated[tuple[LabelExpression, ...], Field(max_length=32)] | None = None
    """What else their labels must be."""


class TopologySpread(PodField):
    """How the pods of this pool are spread over zones or nodes."""

    max_skew: Annotated[int, Field(ge=1)]
    """By how many pods two places may differ."""
    topology_key: Annotated[str, Field(min_length=1, max_length=317)]
    """The node label that tells one place from another, such as topology.kubernetes.io/zone."""
    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"]
    """Whether a pod waits, or runs anyway, where that can't be kept."""
    label_selector: LabelSelector | None = None
    """Which pods are counted."""
    match_label_keys: Texts | None = None
    """Labels whose values, as this pod has them, are counted apart."""
    min_domains: Annotated[int, Field(ge=1)] | None = None
    """How many places there must be."""
    node_affinity_policy: Literal["Honor", "Ignore"] | None = None
    """Whether nodes that the pod's affinity rules out are counted."""
    node_taints_policy: Literal["Honor", "Ignore"] | None = None
    """Whether nodes that the pod doesn't tolerate are counted."""


class NodeExpression(PodField):
    """What a label or field of a node must be."""

    key: Annotated[str, Field(min_length=1, max_length=317)]
    """The label's key, or the field's name."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    """How it is held against values."""
    values: Texts | None = None
    """The values; one number for Gt and Lt."""


NodeExpressions = Annotated[tuple[NodeExpression, ...], Field(max_length=32)]


class NodeTerm(PodField):
    """What a node must be: all of this."""

    match_expressions: NodeExpressions | None = None
    """By its labels."""
    match_fields: NodeExpressions | None = None
    """By its fields, such as metadata.name."""


class NodeSelector(PodField):
    """Which nodes will do."""

    node_selector_terms: Annotated[tuple[NodeTerm, ...], Field(min_length=1, max_length=32)]
    """A node will do that is as any of these say."""


class PreferredNode(PodField):
    """Nodes that are preferred."""

    weight: Annotated[int, Field(ge=1, le=100)]
    """How much, from 1 to 100."""
    preference: NodeTerm
    """Which nodes."""


class NodeAffinity(PodField):
    """On which nodes pods may and should run."""

    required: NodeSelector | None = Field(default=None, alias="requiredDuringSchedulingIgnoredDuringExecution")
    """Where pods may run."""
    preferred: Annotated[tuple[PreferredNode, ...], Field(max_length=32)] | None = Field(
        default=None, alias="preferredDuringSchedulingIgnoredDuringExecution"
    )
    """Where pods should run if they can."""


class PodTerm(PodField):
    """Near which pods."""

    topology_key: Annotated[str, Field(min_length=1, max_length=317)]
    """The node label by which two nodes are near each other, such as kubernetes.io/hostname."""
    label_selector: LabelSelector | None = None
    """Which pods are meant."""
    match_label_keys: Texts | None = None
    """Labels that those pods must share with this one."""
    mismatch_label_keys: Texts | None = None
    """Labels in which those pods must differ from this one."""
    namespaces: Texts | None = None
    """The namespaces of those pods; this one's where there are none."""
    namespace_selector: LabelSelector | None = None
    """The namespaces of those pods, by their labels."""


class PreferredPod(PodField):
    """Pods that it is good to be near to, or far from."""

    weight: Annotated[int, Field(ge=1, le=100)]
    """How much, from 1 to 100."""
    pod_affinity_term: PodTerm
    """Which pods."""


class PodAffinity(PodField):
    """Near which pods, or far from which, pods may and should run."""

    required: Annotated[tuple[PodTerm, ...], Field(max_length=32)] | None = Field(
        default=None, alias="requiredDuringSchedulingIgnoredDuringExecution"
    )
    """What must be so."""
    preferred: Annotated[tuple[PreferredPod, ...], Field(max_length=32)] | None = Field(
        default=None, alias="preferredDuringSchedulingIgnoredDuringExecution"
    )
    """What should be so if it can."""


class Affinity(PodField):
    """Where pods may and should run."""

    node_affinity: NodeAffinity | None = None
    """By the nodes."""
    pod_affinity: PodAffinity | None = None
    """Near which pods."""
    pod_anti_affinity: PodAffinity | None = None
    """Away from which pods."""


class Shaped:
    """Marks plain values that must have a model's shape, and have its schema."""

    def __init__(self, model: type[PodField]) -> None:
        self._model = model

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return AfterValidator(self._check).__get_pydantic_core_schema__(source, handler)

    def __get_pydantic_json_schema__(self, _: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(TypeAdapter[BaseModel](self._model).core_schema)

    def _check(self, value: dict[str, Any]) -> dict[str, Any]:
        # Pydantic puts the faults of this model at the places where they were found.
        self._model.model_validate(value, by_alias=True, by_name=False)
        return value
