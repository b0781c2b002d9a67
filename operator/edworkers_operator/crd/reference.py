"""The reference of the WorkerPool for people, as Markdown, from the same schema as the CRD."""

from edworkers_operator.crd.definition import GROUP, VERSION, make_schema
from edworkers_operator.crd.rules import OPERATOR_CHECKED
from edworkers_operator.crd.structural import Schema
from edworkers_operator.pool_status import CONDITIONS

_AS_KUBERNETES_HAS_IT = frozenset(
    f"spec.{name}" for name in ("affinity", "env", "envFrom", "resources", "tolerations", "topologySpreadConstraints")
)
_BOUNDS = (
    ("minimum", "≥ {}"),
    ("maximum", "≤ {}"),
    ("minLength", "≥ {} characters"),
    ("maxLength", "≤ {} characters"),
    ("minItems", "≥ {} items"),
    ("maxItems", "≤ {} items"),
    ("maxProperties", "≤ {} keys"),
)
_HEAD = f"""\
# WorkerPool

`{GROUP}/{VERSION}`, kind `WorkerPool`, namespaced; `kubectl get wp` lists them, and
`kubectl explain wp.spec` tells what is here.

This page is generated from the code that reads WorkerPools: change it there, then run `make generate`.

```yaml
apiVersion: {GROUP}/{VERSION}
kind: WorkerPool
metadata:
  name: ai
spec:
  queue: ai
  handlers: edworkers.handlers.ai
```

`queue` and `handlers` are all that a pool needs. Fields that don't exist are refused by `kubectl apply`, at every
depth; only `autoscaling.behavior` and a schedule's `job.data` are passed on as they are.
"""


def make_reference() -> str:
    """Write the reference."""
    schema = make_schema()
    spec, status = schema["properties"]["spec"], schema["properties"]["status"]
    parts = [
        _HEAD,
        *_sections("spec", spec),
        _rules(schema),
        _checked_by_operator(),
        *_sections("status", status),
        _conditions(),
    ]
    return "\n".join(parts)


def _sections(place: str, node: Schema) -> list[str]:
    """Write a table for an object, and one for each of the objects in it."""
    rows = ["| field | type | default | bounds | |", "|---|---|---|---|---|"]
    required = node.get("required", [])
    rows += [_row(place, name, part, name in required) for name, part in node["properties"].items()]
    table = "\n".join(rows)
    made = [f"## {place}\n\n{node['description']}\n\n{table}\n"]
    for name, part in node["properties"].items():
        below = part.get("items", part)
        if "properties" in below and f"{place}.{name}" not in _AS_KUBERNETES_HAS_IT:
            made += _sections(f"{place}.{name}" + ("[]" if below is not part else ""), below)
    return made


def _row(place: str, name: str, part: Schema, is_required: bool) -> str:  # noqa: FBT001
    default = f"`{_value(part['default'])}`" if "default" in part else "required" if is_required else ""
    text = part["description"]
    if f"{place}.{name}" in _AS_KUBERNETES_HAS_IT:
        text += f" `kubectl explain wp.{place}.{name} --recursive` lists its fields."
    cells = (f"`{name}`", _type(part), default, _bounds(part), text)
    return "| " + " | ".join(_plain(cell) for cell in cells) + " |"


def _plain(text: str) -> str:
    """Escape what Markdown would take for something else."""
    return text.replace("|", "\\|").replace("<", "\\<").replace("*", "\\*")


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _type(part: Schema) -> str:
    if "x-kubernetes-int-or-string" in part:
        return "integer or string"
    if "additionalProperties" in part:
        return f"map of {_type(part['additionalProperties'])}s"
    if part["type"] == "array":
        return f"list of {_type(part['items'])}s"
    return str(part.get("format", part["type"]))


def _bounds(part: Schema) -> str:
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"])
    signs = {"minimum": "> {}"} if part.get("exclusiveMinimum") else {}
    return ", ".join(signs.get(key, form).format(_number(part[key])) for key, form in _BOUNDS if key in part)


def _number(value: float) -> str:
    return f"{value:,}"


def _rules(schema: Schema) -> str:
    rows = "\n".join(f"- `{place}`: {_plain(message)}." for place, message in _found_rules("", schema))
    return f"""\
## Rules

The API server refuses a WorkerPool, and says so in these words, where one of these is broken:

{rows}
"""


def _found_rules(place: str, node: Schema) -> list[tuple[str, str]]:
    found = [
        (f"{place}{rule.get('fieldPath', '')}".removeprefix("."), rule["message"])
        for rule in node.get("x-kubernetes-validations", [])
    ]
    if "x-kubernetes-list-map-keys" in node and place.startswith("spec"):
        found.append((place, f"each has a {node['x-kubernetes-list-map-keys'][0]} of its own"))
    for name, part in node.get("properties", {}).items():
        found += _found_rules(f"{place}.{name}".removeprefix("."), part)
    for end, key in (("[]", "items"), ("{}", "additionalProperties")):
        if key in node:
            found += _found_rules(f"{place}{end}", node[key])
    return found


def _checked_by_operator() -> str:
    rows = "\n".join(f"| {what} | {told} |" for what, told in OPERATOR_CHECKED.items())
    return f"What only shows later is told in the pool's conditions:\n\n| what | how |\n|---|---|\n{rows}\n"


def _conditions() -> str:
    rows = "\n".join(f"| `{name}` | {meaning} |" for name, meaning in CONDITIONS.items())
    return f"## Conditions\n\n| type | when True |\n|---|---|\n{rows}\n"
