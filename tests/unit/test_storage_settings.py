"""Where objects are stored, as the environment says it."""

from pathlib import Path

import pytest

from edworkers.adapters.storage import find_faults, open_store
from edworkers.adapters.storage.settings import storage_settings
from edworkers.core.errors import SettingsError

KEYS = {"AWS_ACCESS_KEY_ID": "id-of-key", "AWS_SECRET_ACCESS_KEY": "hush"}


def test_no_storage_is_no_fault_unless_it_is_needed() -> None:
    assert find_faults({}) == []
    assert find_faults({"STORAGE_FOLDER": "", "AWS_ENDPOINT_URL": " "}) == []
    [fault] = find_faults({}, needed=True)
    assert "STORAGE_FOLDER" in fault
    assert "AWS_ACCESS_KEY_ID" in fault


def test_a_folder_or_keys_are_enough(tmp_path: Path) -> None:
    assert find_faults({"STORAGE_FOLDER": str(tmp_path)}, needed=True) == []
    assert find_faults(KEYS, needed=True) == []
    assert find_faults({"AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/token"}, needed=True) == []


def test_every_fault_is_named_at_once(tmp_path: Path) -> None:
    env = {"STORAGE_FOLDER": "data", "AWS_ACCESS_KEY_ID": "id", "AWS_ENDPOINT_URL": "ftp://s3"}
    faults = find_faults(env)
    assert [fault.split(":")[0] for fault in faults] == ["AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "STORAGE_FOLDER"]
    missing = tmp_path / "missing"
    assert find_faults({"STORAGE_FOLDER": str(missing)}) == [
        f"STORAGE_FOLDER: there is no folder {missing}; make it, or mount it there"
    ]


@pytest.mark.parametrize(
    "endpoint",
    ["s3.example.org", "https://", "https://key:hush@s3.example.org", "https://s3.example.org:99999", "http://[::1"],
)
def test_an_endpoint_that_is_none_is_named_and_not_repeated(endpoint: str) -> None:
    [fault] = find_faults({**KEYS, "AWS_ENDPOINT_URL": endpoint})
    assert fault.startswith("AWS_ENDPOINT_URL: must ")
    assert "hush" not in fault


def test_keys_go_before_the_role_of_the_pod() -> None:
    role = {"AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/token", "AWS_ROLE_ARN": "arn:aws:iam::1:role/school"}
    settings = storage_settings(role, []).s3
    assert settings is not None
    assert settings.credentials == {
        "web_identity_token_file": "/var/run/token",
        "role_arn": "arn:aws:iam::1:role/school",
    }
    settings = storage_settings({**role, **KEYS}, []).s3
    assert settings is not None
    assert settings.credentials == {"access_key_id": "id-of-key", "secret_access_key": "hush"}


def test_an_endpoint_without_keys_is_half_of_a_setting() -> None:
    [fault] = find_faults({"AWS_ENDPOINT_URL": "https://s3.example.org"})
    assert fault.startswith("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")


def test_the_region_has_a_default_and_no_secret_is_shown() -> None:
    settings = storage_settings(KEYS, []).s3
    assert settings is not None
    assert settings.region == "us-east-1"
    assert storage_settings({**KEYS, "AWS_REGION": "auto"}, []).s3 != settings
    assert "hush" not in repr(settings)
    assert "id-of-key" not in repr(settings)


async def test_a_store_with_faults_is_not_opened() -> None:
    with pytest.raises(SettingsError, match="STORAGE_FOLDER"):
        async with open_store({"STORAGE_FOLDER": "data"}):
            raise AssertionError
