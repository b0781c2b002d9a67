"""What docs/webhook.md says is so."""

import json
import re
from pathlib import Path

import yaml

from edworkers.core.settings import Groups
from edworkers.handlers.webhook.deliver import KEPT_BYTES, MODULE, find_faults
from edworkers.handlers.webhook.request import WebhookData

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "webhook.md").read_text(encoding="utf-8")


def test_the_example_is_a_job_that_the_queue_takes() -> None:
    [example] = re.findall(r"LPUSH \S+ '(.+?)'\n```", PAGE, re.DOTALL)
    job = json.loads(example)
    assert WebhookData.model_validate(job["data"]).secret_ref == "school-1"


def test_every_field_of_a_job_is_told() -> None:
    table = PAGE.partition("| field of `data` |")[2].partition("\n\n")[0]
    told = set(
        re.findall(r"`(\w+)`", "".join(line.split("|")[1] for line in table.splitlines() if line.count("|") > 2))
    )
    assert told == {field.alias for field in WebhookData.model_fields.values()}


def test_the_groups_of_the_page_are_those_of_the_pool() -> None:
    [groups] = re.findall(r"```yaml\n(.+?)```", PAGE, re.DOTALL)
    assert Groups.model_validate(yaml.safe_load(groups)["groups"]) == MODULE.pool.groups


def test_the_numbers_of_the_page_are_those_of_the_queue() -> None:
    job = MODULE.pool.job
    assert f"no answer in {job.timeout_seconds:g} s" in PAGE
    assert job.max_attempts == 5
    waits = [job.backoff.initial_seconds * job.backoff.factor**number for number in range(4)]
    assert "five times in all, after {:g}, {:g}, {:g} and {:g} seconds".format(*waits) in PAGE
    assert job.backoff.max_seconds >= waits[-1]
    assert f"{MODULE.pool.concurrency} slots" in PAGE
    assert f"the first {KEPT_BYTES // 1024} KiB are kept" in PAGE


def test_every_variable_of_the_page_is_in_the_example_of_settings() -> None:
    named = set(re.findall(r"\bWEBHOOK_[A-Z_]+[A-Z]\b", PAGE)) - {"WEBHOOK_SECRET_SCHOOL"}
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert len(named) == 6
    assert [name for name in sorted(named) if f"\n{name}=" not in example] == []


def test_the_networks_of_the_page_are_good_ones() -> None:
    for networks in ("10.1.0.0/16,fd00::/8", "169.254.169.254/32"):
        assert networks in PAGE
        assert find_faults({"WEBHOOK_SECRET": "none", "WEBHOOK_ALLOWED_NETWORKS": networks}) == []
