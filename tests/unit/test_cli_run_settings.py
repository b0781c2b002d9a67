"""What `edworkers run` says of settings with which it can't start."""

import json
from pathlib import Path

import pytest

from edworkers.cli.report import run


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("GEMINI_API_KEY", "REDIS_URL", "EDWORKERS_POOL", "EDWORKERS_PROCESSES"):
        monkeypatch.delenv(name, raising=False)


def test_faults_of_every_kind_are_named_in_one_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = {"REDIS_PORT": "x", "EDWORKERS_HEALTH_PORT": "y", "PM2_INSTANCES": "z", "GEMINI_DAILY_LIMIT": "0"}
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    assert run(["run", "ai", "a1"]) == 2
    said = capsys.readouterr().err
    assert [name for name in (*wrong, "'a1'") if name not in said] == []


def test_a_missing_key_is_told_with_the_way_to_do_without(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", "ai"]) == 2
    said = capsys.readouterr().err
    assert "GEMINI_API_KEY: not set" in said
    assert "edworkers dev" in said


def test_an_unknown_queue_names_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", "a1"]) == 2
    assert "there are: ai, webhook" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("pause", "ai", "--pool", "odd"), ("run", "ai", "--pool", "odd"), ("queues",)])
def test_files_that_are_no_text_are_named(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    odd = Path("odd" if "odd" in words else ".env")
    odd.write_bytes(b"A=\xff")
    assert run(words) == 2
    assert f"{odd} can't be read:" in capsys.readouterr().err


def test_a_line_of_the_env_file_that_is_no_setting_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path(".env").write_text("A=b\nREDIS_URL='redis://127.0.0.1:1\n", encoding="utf-8")
    assert run(["queues"]) == 2
    assert ".env can't be used:\n  - line 2 is no setting" in capsys.readouterr().err


def test_a_wrong_log_level_is_told_with_the_other_faults(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDWORKERS_LOG_LEVEL", "loud")
    assert run(["run", "ai"]) == 2
    said = capsys.readouterr().err
    assert "'loud' is none of debug, info, warning, error" in said
    assert "GEMINI_API_KEY: not set" in said


@pytest.mark.parametrize("option", ["--group", "--type", "--unique-key", "--run-at", "--expires-at"])
def test_an_option_that_is_no_text_is_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["enqueue", "ai", "{}", option, "\udcff", "--json"]) == 2
    assert "must be UTF-8" in json.loads(capsys.readouterr().err)["error"]


def test_errors_for_programs_are_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["pause", "a1", "--json"]) == 2
    out, err = capsys.readouterr()
    assert (out, json.loads(err).keys()) == ("", {"error", "faults"})


def test_a_dash_dash_ends_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(["pause", "ai", "--", "--json"])
    assert ended.value.code == 2
    assert "Usage:" in capsys.readouterr().err
