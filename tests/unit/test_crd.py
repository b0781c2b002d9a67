"""The CRD says what the models say, in the form that the API server wants, and with words that help."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

import pytest
import yaml
from pydantic import BaseModel, Field
from tests.invalid_pools import INVALID, WHOLE, InvalidPool

from edworkers.core.errors import SettingsError
from edworkers.core.settings import Settings, Size
from edworkers_operator.crd import HASH_ANNOTATION, NAME, hash_of_crd, make_crd
from edworkers_operator.crd.definition import _hash, make_schema
from edworkers_operator.crd.descriptions import describe
from edworkers_operator.crd.reference import make_reference
from edworkers_operator.crd.rules import LIST_KEYS, PATTERNS, RULES
from edworkers_operator.crd.structural import structural
from edworkers_operator.pool_status import CONDITIONS, Condition, WorkerPoolStatus
from edworkers_operator.workerpool import CRON, OWN_LABELS, WorkerPoolSpec, read_worker_pool

MANIFEST = Path(__file__).parents[2] / "manifests" / "crd.yaml"
STRUCTURAL = {
    *("type", "description", "format", "enum", "default", "required", "properties", "items", "additionalProperties"),
    *("pattern", "minLength", "maxLength", "minItems", "maxItems", "maxProperties"),
    *("minimum", "maximum", "exclusiveMinimum"),
    *("x-kubernetes-int-or-string", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-validations"),
    *("x-kubernetes-list-type", "x-kubernetes-list-map-keys"),
}


def version() -> dict[str, Any]:
    (found,) = make_crd()["spec"]["versions"]
    return dict(found)


def nodes(node: dict[str, Any], place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield place, node
    for name, part in node.get("properties", {}).items():
        yield from nodes(part, f"{place}.{name}".removeprefix("."))
    for end, key in (("[]", "items"), ("{}", "additionalProperties")):
        if key in node:
            yield from nodes(node[key], f"{place}{end}")


NODES = dict(nodes(make_schema()))
SPEC = {place: node for place, node in NODES.items() if place.startswith("spec.")}
FIELDS = {
    place: node for place, node in NODES.items() if re.match(r"(spec|status)(\.|$)", place) and place[-1] not in "]}"
}


# The whole.


def test_the_manifest_is_the_crd_of_the_code() -> None:
    assert yaml.safe_load(MANIFEST.read_text(encoding="utf-8")) == make_crd()


def test_the_crd_is_far_smaller_than_what_the_api_server_and_kubectl_take() -> None:
    assert MANIFEST.stat().st_size < 262_144 / 2


def test_the_crd_has_the_names_that_people_type() -> None:
    crd = make_crd()
    names = crd["spec"]["names"]
    assert crd["metadata"]["name"] == f"{names['plural']}.{crd['spec']['group']}" == NAME
    assert (names["kind"], names["shortNames"], names["categories"]) == ("WorkerPool", ["wp"], ["edworkers"])
    assert crd["spec"]["scope"] == "Namespaced"
    assert f"{crd['spec']['group']}/{version()['name']}" == WHOLE["apiVersion"]


def test_the_operator_knows_its_crd_by_a_hash() -> None:
    assert make_crd()["metadata"]["annotations"] == {HASH_ANNOTATION: hash_of_crd()}
    assert re.fullmatch("[0-9a-f]{16}", hash_of_crd())


def test_another_bound_makes_another_hash_and_other_words_do_not() -> None:
    node: dict[str, Any] = {"description": "a", "properties": {"description": {"maximum": 1}}, "enum": ["a"]}
    assert _hash(node) == _hash({**node, "description": "b"})
    assert _hash(node) != _hash({**node, "properties": {"description": {"maximum": 2}}})
    assert _hash(node) != _hash({**node, "enum": ["b"]})


# What the API server wants of a schema.


def test_every_keyword_is_one_of_a_structural_schema() -> None:
    assert {key for node in NODES.values() for key in node} <= STRUCTURAL


def test_every_value_has_a_type_or_is_a_number_or_text() -> None:
    assert [place for place, node in NODES.items() if ("type" in node) == ("x-kubernetes-int-or-string" in node)] == []


def test_every_list_and_map_and_text_has_an_end() -> None:
    """The API server estimates what rules cost from the largest values there may be."""
    ends = {"array": "maxItems", "string": "maxLength"}
    endless = [
        place
        for place, node in SPEC.items()
        if "enum" not in node and ends.get(node.get("type", ""), "type") not in node | {"type": ""}
    ]
    assert endless == ["spec.podAnnotations{}"]
    assert [
        place for place, node in SPEC.items() if "additionalProperties" in node and "maxProperties" not in node
    ] == []


def test_only_what_is_passed_on_unread_may_hold_anything() -> None:
    open_ones = {place for place, node in NODES.items() if "x-kubernetes-preserve-unknown-fields" in node}
    assert open_ones == {"spec.autoscaling.behavior", "spec.schedules[].job.data"}


def test_patterns_are_ones_that_go_understands() -> None:
    patterns = [node["pattern"] for node in NODES.values() if "pattern" in node]
    rules = [rule["rule"] for node in NODES.values() for rule in node.get("x-kubernetes-validations", [])]
    assert patterns
    assert [text for text in (*patterns, *rules) if re.search(r"\(\?[=!<P]|\\[1-9wdsbZ]|\(\?>|\+\+", text)] == []
    assert [pattern for pattern in patterns if (pattern[0], pattern[-1]) != ("^", "$")] == []


def test_a_fields_own_pattern_is_not_read_by_users() -> None:
    with_patterns = {place for place, node in NODES.items() if "pattern" in node}
    pod_fields = ("spec.env[]", "spec.affinity.", "spec.topologySpreadConstraints[]")
    assert [place for place in with_patterns if not place.startswith(pod_fields)] == []


def test_each_rule_stands_where_the_tables_put_it() -> None:
    for place in RULES:
        rules = [rule["rule"] for rule in NODES[place]["x-kubernetes-validations"]]
        assert rules[-len(RULES[place]) :] == [rule.cel for rule in RULES[place]]
    for place, message in PATTERNS.items():
        assert NODES[place]["x-kubernetes-validations"][0]["message"] == message
    for place, key in LIST_KEYS.items():
        assert NODES[place]["x-kubernetes-list-map-keys"] == [key]
        assert key in NODES[f"{place}[]"]["required"]


def test_a_rule_for_a_field_that_is_not_there_fails_the_making_of_the_crd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LIST_KEYS, "spec.nothing", "name")
    with pytest.raises(ValueError, match=r"no field is at spec\.nothing"):
        make_schema()


def test_the_field_that_a_rule_names_is_there() -> None:
    named = [
        (place, rule["fieldPath"])
        for place, node in NODES.items()
        for rule in node.get("x-kubernetes-validations", [])
        if "fieldPath" in rule
    ]
    assert len(named) >= 4
    assert [path for place, path in named if f"{place}{path}".removeprefix(".") not in NODES] == []


def test_columns_and_scaling_look_at_fields_that_are_there() -> None:
    columns = version()["additionalPrinterColumns"]
    scale = version()["subresources"]["scale"]
    paths = [column["jsonPath"] for column in columns] + list(scale.values())
    plain = [re.sub(r"\[\?.*?\]", "[]", path).removeprefix(".") for path in paths]
    assert [path for path in plain if path not in NODES] == ["metadata.creationTimestamp"]
    types = {column["jsonPath"]: column["type"] for column in columns if column["type"] != "date"}
    assert {
        NODES[re.sub(r"\[\?.*?\]", "[]", path).removeprefix(".")]["type"] == kind for path, kind in types.items()
    } == {True}


# Words.


def test_every_field_is_described_by_sentences() -> None:
    assert len(FIELDS) > 150
    assert [place for place, node in FIELDS.items() if not re.fullmatch(r"[A-Z].{9,}[.]", node["description"])] == []


def test_a_default_is_told_with_the_description() -> None:
    schema = dict(nodes(version()["schema"]["openAPIV3Schema"]))
    untold = [
        place
        for place, node in schema.items()
        if "default" in node
        and not node["description"].endswith(f" Default: {json.dumps(node['default'])}.".replace('"', ""))
    ]
    assert untold == []
    assert schema["spec.suspend"]["description"].endswith(" Default: false.")


def test_what_is_said_of_a_broken_rule_is_not_the_rule() -> None:
    messages = [rule["message"] for node in NODES.values() for rule in node.get("x-kubernetes-validations", [])]
    assert [message for message in messages if re.search(r"\bself\b|\n", message) or len(message) < 20] == []


def test_the_reference_tells_every_field_and_rule_and_condition() -> None:
    reference = make_reference()
    pod = re.compile(r"spec\.(env|envFrom|resources|tolerations|affinity|topologySpreadConstraints)(\[\])?\.")
    names = {place.rpartition(".")[2] for place in FIELDS if "." in place and not pod.match(place)}
    assert [name for name in names if f"`{name}`" not in reference] == []
    assert [name for name in CONDITIONS if f"| `{name}` |" not in reference] == []
    assert all(rule.message.split("<")[0].split("*")[0] in reference for rules in RULES.values() for rule in rules)
    assert "| `timeoutSeconds` | number | `60` | > 0, ≤ 86,400 |" in reference
    assert "| `suspend` | boolean | `false` |" in reference
    assert "| `podLabels` | map of strings |" in reference
    assert "| `maxBytes` | integer or string | `256Mi` |" in reference


def test_the_conditions_of_the_reference_are_those_of_the_description() -> None:
    assert set(re.findall("[A-Z][A-Za-z]+", describe(Condition)["type"])) == set(CONDITIONS)


class Base(BaseModel):
    """Base."""

    first: int
    """Of the
    base."""
    second: int
    """Of the base."""


class Derived(Base):
    """Derived."""

    second: int
    """Of the derived."""
    third: int
    fourth: int

    def number(self) -> int:
        """Nothing below a method counts."""
        return self.third


def test_what_stands_below_a_field_describes_it_in_models_made_from_others_too() -> None:
    assert describe(Derived) == {"first": "Of the base.", "second": "Of the derived."}


# From a model to a schema.


class Inner(Settings):
    """Inner."""

    text: str | None = None
    """Some text."""


class Outer(Settings):
    """Outer."""

    one: Literal["a"] = "a"
    whole: float = Field(default=2.0, ge=1.0, le=3.0)
    part: float = Field(default=0.5, gt=0.25)
    inner: Inner | None = None
    """The inner one."""
    by_default: Inner = Inner()
    inners: Annotated[tuple[Inner, ...], Field(min_length=1)] = ()
    size: Size = 1
    anything: dict[str, Any] = Field(default_factory=dict[str, Any])
    texts: dict[str, str] = Field(default_factory=dict[str, str])


def test_a_model_becomes_a_structural_schema() -> None:
    inner = {"type": "object", "properties": {"text": {"type": "string", "description": "Some text."}}}
    assert structural(Outer) == {
        "type": "object",
        "description": "Outer.",
        "properties": {
            "one": {"type": "string", "enum": ["a"], "default": "a"},
            "whole": {"type": "number", "minimum": 1, "maximum": 3, "default": 2},
            "part": {"type": "number", "minimum": 0.25, "exclusiveMinimum": True, "default": 0.5},
            "inner": {**inner, "description": "The inner one."},
            "byDefault": {**inner, "description": "Inner."},
            "inners": {"type": "array", "minItems": 1, "items": {**inner, "description": "Inner."}},
            "size": {"pattern": "^([0-9]{1,15})(Ki|Mi|Gi)?$", "x-kubernetes-int-or-string": True, "default": 1},
            "anything": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "texts": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    }


class Choice(BaseModel):
    """A choice that no structural schema can leave."""

    value: int | bool


class Steps(BaseModel):
    """A keyword that structural schemas may have and ours don't."""

    value: Annotated[int, Field(multiple_of=3)]


@pytest.mark.parametrize(("model", "told"), [(Choice, "a choice of"), (Steps, "can't have multipleOf")])
def test_what_a_structural_schema_can_not_say_is_an_error(model: type[BaseModel], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        structural(model)


# The models and the CRD together.


@pytest.mark.parametrize("case", INVALID.values(), ids=INVALID.keys())
def test_what_the_api_server_refuses_the_operator_refuses_too(case: InvalidPool) -> None:
    with pytest.raises(SettingsError) as caught:
        read_worker_pool(case.document)
    (fault,) = caught.value.faults
    assert fault.startswith(f"{case.place}: " if case.place else "the CronJob ")


def test_a_pool_that_says_something_in_every_field_is_read() -> None:
    spec = read_worker_pool(WHOLE).spec
    assert {name for name in WorkerPoolSpec.model_fields if name not in spec.model_fields_set} == {"replicas"}


def test_every_time_zone_that_the_operator_knows_passes_the_rule_for_their_names() -> None:
    (rule,) = RULES["spec.limits[].timeZone"]
    found = re.search(r"matches\('(.*?)'\)", rule.cel)
    assert found
    # localtime stands for the machine's own zone, as Local does for the API server.
    assert [zone for zone in available_timezones() - {"localtime"} if not re.search(found[1], zone)] == []


def test_the_rules_in_cel_are_made_of_the_models_own_values() -> None:
    cron, labels = RULES["spec.schedules[].schedule"][1].cel, RULES["spec.podLabels"][0].cel
    assert f"r'{CRON}'" in cron
    assert [label for label in OWN_LABELS if f"'{label}'" not in labels] == []
    assert [
        pattern for pattern in (CRON, *(node.get("pattern", "") for node in NODES.values())) if "'" in pattern
    ] == []


def test_an_absent_number_of_a_status_is_no_fault() -> None:
    status = WorkerPoolStatus.model_validate({"queue": {}, "limits": [{"name": "day"}]})
    assert (status.queue and status.queue.pending, status.replicas, status.limits[0].used) == (None, None, None)
