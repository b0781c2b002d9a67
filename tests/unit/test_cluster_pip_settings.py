"""The machine's settings of pip, as a build of images gets them."""

import configparser

import pytest

import pip_settings


def test_the_environment_counts_more_than_the_files() -> None:
    said = ":env:.cert='/env.pem'\n:env:.default-timeout='180'\nglobal.cert='/global.pem'\ninstall.retries='9'\n"
    assert pip_settings.merge(said) == {"cert": "/env.pem", "timeout": "180", "retries": "9"}


def test_what_does_not_concern_the_fetching_of_packages_stays_behind() -> None:
    assert pip_settings.merge("global.target='/elsewhere'\nglobal.no-compile='true'\nlist.format='json'\n") == {}


@pytest.mark.parametrize("value", ["https://one.example/simple", "https://one.example\nhttps://two.example", "50%"])
def test_pip_reads_a_value_as_it_was(value: str) -> None:
    parser = configparser.RawConfigParser()
    parser.read_string(pip_settings.as_file({"extra-index-url": value}))
    assert parser["global"]["extra-index-url"] == value


def test_several_indexes_are_read_from_one_line() -> None:
    said = "global.extra-index-url='https://one.example\\nhttps://two.example'\n"
    assert pip_settings.merge(said)["extra-index-url"].split() == ["https://one.example", "https://two.example"]
