"""From a person's groups, as others tell them, to a role."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from edworkers.server.access.identity import Role

EVERYBODY = "*"


@dataclass(frozen=True, slots=True)
class RoleRules:
    """Which groups have which role."""

    admin: frozenset[str] = frozenset()
    operator: frozenset[str] = frozenset()
    viewer: frozenset[str] = frozenset()

    def role(self, groups: Collection[str]) -> Role | None:
        """Give the highest role that one of these groups has; None where none has any."""
        for role, having in ((Role.ADMIN, self.admin), (Role.OPERATOR, self.operator), (Role.VIEWER, self.viewer)):
            if EVERYBODY in having or not having.isdisjoint(groups):
                return role
        return None

    @property
    def says_something(self) -> bool:
        """Whether anybody can have a role."""
        return bool(self.admin or self.operator or self.viewer)


def read_rules(env: Mapping[str, str]) -> RoleRules:
    """Read the groups of each role, with commas between them, from `EDWORKERS_ROLE_…`."""
    return RoleRules(
        admin=_groups(env, "EDWORKERS_ROLE_ADMIN"),
        operator=_groups(env, "EDWORKERS_ROLE_OPERATOR"),
        viewer=_groups(env, "EDWORKERS_ROLE_VIEWER"),
    )


def _groups(env: Mapping[str, str], name: str) -> frozenset[str]:
    return frozenset(group for word in env.get(name, "").split(",") if (group := word.strip()))
