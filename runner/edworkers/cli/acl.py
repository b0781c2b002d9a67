"""`edworkers acl`: users of Redis with the least rights that each needs."""

from collections.abc import Sequence

from edworkers.adapters.redis.acl import users
from edworkers.cli.show import print_json, say


def show_acl(queues: Sequence[str], *, as_json: bool) -> None:
    """Print the command that makes each user, for redis-cli."""
    rules = {f"edworkers-{user.name}": (user.what, user.rule(queues)) for user in users()}
    if as_json:
        print_json({"users": [{"user": name, "what": what, "command": rule} for name, (what, rule) in rules.items()]})
        return
    for _, rule in rules.values():
        say(rule)
