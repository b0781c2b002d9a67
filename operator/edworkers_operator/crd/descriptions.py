"""Reads what is written below each field of a model.

Pydantic can do this itself, but when the class is made: a runner, which needs no descriptions, would start later.
"""

import ast
import inspect
import textwrap
from functools import cache
from itertools import pairwise

from pydantic import BaseModel


@cache
def describe(model: type[BaseModel]) -> dict[str, str]:
    """Give the text below each field, by the field's name; fields without one are left out."""
    found: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if issubclass(cls, BaseModel) and cls is not BaseModel:
            found |= _below_fields(cls)
    return found


def summary(model: type[BaseModel]) -> str:
    """Give what a model's docstring says, on one line."""
    return _on_one_line(model.__doc__ or "")


def _below_fields(cls: type[BaseModel]) -> dict[str, str]:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    statements = definition.body if isinstance(definition, ast.ClassDef) else []
    found: dict[str, str] = {}
    for field, below in pairwise(statements):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = _on_one_line(text)
            case _:
                pass
    return found


def _on_one_line(text: str) -> str:
    return " ".join(text.split())
