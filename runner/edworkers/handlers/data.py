"""What the models of job data have in common."""

import re
from collections.abc import Callable

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class JobData(BaseModel):
    """Data of a job as plain JSON with camelCase names: types must be right, names that are not known are refused."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


def must_match(pattern: str, otherwise: str) -> Callable[[str], str]:
    """Make a validator for text that has to match the whole pattern; `otherwise` is what a person is told."""
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if compiled.fullmatch(text) is None:
            raise ValueError(otherwise)
        return text

    return check
