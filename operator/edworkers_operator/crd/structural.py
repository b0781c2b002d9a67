"""From a pydantic model to a structural schema, as CustomResourceDefinitions want it.

Nothing is left out in silence: what a structural schema can't say is an error.
"""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from edworkers_operator.crd.descriptions import describe, summary

Schema = dict[str, Any]

_KEPT = (
    *("type", "description", "format", "enum", "pattern", "default"),
    *("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "maxProperties", "required"),
)
_HANDLED = {"$ref", "anyOf", "const", "exclusiveMinimum", "properties", "items", "additionalProperties"}
_LEFT = {"title", "$defs"}
_INT_OR_STRING = [{"type": "integer"}, {"type": "string"}]


def structural(model: type[BaseModel]) -> Schema:
    """Make a model's schema. Raises ValueError for what a structural schema can't say."""
    whole = model.model_json_schema(by_alias=True, schema_generator=_Described)
    return _convert(whole, whole.get("$defs", {}))


class _Described(GenerateJsonSchema):
    """Adds what is written below the fields of a model."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Make the schema of one model."""
        made = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        texts = describe(model)
        for name, field in model.model_fields.items():
            if name in texts:
                made["properties"][field.alias or name]["description"] = texts[name]
        return {**made, "description": summary(model)}


def _convert(schema: Schema, models: dict[str, Schema]) -> Schema:
    node = _resolve(schema, models)
    unknown = node.keys() - set(_KEPT) - _HANDLED - _LEFT
    if unknown:
        raise ValueError(f"a structural schema can't have {', '.join(sorted(unknown))}")
    made = {key: node[key] for key in _KEPT if key in node}
    _convert_default(made)
    _convert_values(node, made)
    _convert_parts(node, made, models)
    return made


def _resolve(schema: Schema, models: dict[str, Schema]) -> Schema:
    """Put a model in the place of its reference, and the one type that isn't null in the place of a choice."""
    node = dict(schema)
    choices = [choice for choice in node.pop("anyOf", []) if choice != {"type": "null"}]
    if len(choices) == 1:
        node = {**choices[0], **node}
    elif choices:
        node["anyOf"] = choices
    while "$ref" in node:
        node = {**models[node.pop("$ref").rpartition("/")[2]], **node}
    return node


def _convert_default(made: Schema) -> None:
    # An object or list that isn't given is left so: the operator knows its defaults, and the user sees what he wrote.
    default = made.pop("default", None)
    if isinstance(default, bool | int | float | str):
        whole = isinstance(default, float) and default.is_integer()
        made["default"] = int(default) if whole else default


def _convert_values(node: Schema, made: Schema) -> None:
    if "anyOf" in node:
        if node["anyOf"] != _INT_OR_STRING:
            raise ValueError(f"a structural schema can't leave a choice of {node['anyOf']}")
        # The choice itself need not be repeated, and would be told twice over where a value is neither.
        made["x-kubernetes-int-or-string"] = True
    if "const" in node:
        made["enum"] = [node["const"]]
    if "exclusiveMinimum" in node:
        made |= {"minimum": node["exclusiveMinimum"], "exclusiveMinimum": True}
    for bound in ("minimum", "maximum"):
        if isinstance(made.get(bound), float) and made[bound].is_integer():
            made[bound] = int(made[bound])


def _convert_parts(node: Schema, made: Schema, models: dict[str, Schema]) -> None:
    if "items" in node:
        made["items"] = _convert(node["items"], models)
    if "properties" in node:
        made["properties"] = {name: _convert(part, models) for name, part in node["properties"].items()}
    elif isinstance(node.get("additionalProperties"), dict):
        made["additionalProperties"] = _convert(node["additionalProperties"], models)
    elif node.get("type") == "object":
        made["x-kubernetes-preserve-unknown-fields"] = True
