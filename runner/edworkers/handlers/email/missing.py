"""What a template does about a variable that isn't there."""

from typing import Any


def _name(undefined: Any) -> str:
    """Name what is missing; of what lies within something else that is there, Jinja knows only the last name."""
    from jinja2.utils import missing

    name = str(undefined._undefined_name)  # noqa: SLF001 - Jinja has no other way to ask
    return name if undefined._undefined_obj is missing else f"….{name}"  # noqa: SLF001 - the same


def strict() -> Any:
    """Make the kind of undefined value with which nothing can be done but to ask whether it is there."""
    from jinja2 import StrictUndefined

    class Refused(StrictUndefined):
        __slots__ = ()

        @property
        def _undefined_message(self) -> str:
            return str(self._undefined_hint or f"the variable {_name(self)!r} is missing")

    return Refused


def recording() -> tuple[Any, list[str]]:
    """Make the kind of undefined value that shows its name, and the list of names that were asked for."""
    from jinja2 import ChainableUndefined

    names: list[str] = []

    class Shown(ChainableUndefined):
        __slots__ = ()

        def _note(self) -> str:
            names.append(_name(self))
            return f"⟦{_name(self)}⟧"

        __str__ = __html__ = _note

        def __iter__(self) -> Any:
            self._note()
            return iter(())

        def __len__(self) -> int:
            self._note()
            return 0

        def __bool__(self) -> bool:
            self._note()
            return False

        def __getattr__(self, name: str) -> Any:
            if name[:2] == "__":
                raise AttributeError(name)
            return Shown(name=f"{_name(self)}.{name}")

        def __getitem__(self, name: Any) -> Any:
            return Shown(name=f"{_name(self)}.{name}")

    return Shown, names
