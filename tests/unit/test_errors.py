"""Errors say what is wrong, all of it, so that one run is enough to put it right."""

import pytest

from edworkers.core import errors
from edworkers.core.errors import EdworkersError, FaultsError, InvalidJobError, MailUnavailableError, SettingsError


@pytest.mark.parametrize("kind", [FaultsError, SettingsError, InvalidJobError])
def test_every_fault_stands_on_a_line_of_its_own(kind: type[FaultsError]) -> None:
    error = kind("this can't be used:", ["a: wrong", "b: missing"])
    assert str(error) == "this can't be used:\n  - a: wrong\n  - b: missing"
    assert (error.summary, error.faults) == ("this can't be used:", ("a: wrong", "b: missing"))


def test_an_error_without_faults_is_its_summary() -> None:
    assert str(SettingsError("nothing is set", [])) == "nothing is set"


def test_one_clause_catches_every_error_of_our_own() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and kind.__module__ == errors.__name__]
    assert len(kinds) >= 7
    assert all(issubclass(kind, EdworkersError) for kind in kinds)


@pytest.mark.parametrize(("given", "kind"), [({}, "connection"), ({"kind": "timeout"}, "timeout")])
def test_a_mail_server_that_is_away_says_in_which_way(given: dict[str, str], kind: str) -> None:
    error = MailUnavailableError("mail.example did not answer", **given)
    assert (str(error), error.kind) == ("mail.example did not answer", kind)
