"""`edworkers mail list` and `edworkers mail preview`."""

import email
import email.policy
from pathlib import Path

import pytest
from tests.integration.command_line import CommandLine

USAGE = 2


@pytest.fixture
def shell(tmp_path: Path, redis_url: str) -> CommandLine:
    return CommandLine(tmp_path, redis_url)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with two templates of one's own, one of which takes the place of another."""
    for name, subject, html in (("greeting", "Hi {{ name }}", "<p>{{ text }}</p>"), ("welcome", "Ours", "<p>x</p>")):
        folder = tmp_path / "own" / name
        folder.mkdir(parents=True)
        (folder / "subject.txt").write_text(f"{subject}\n")
        (folder / "html.j2").write_text(html)
    return tmp_path / "own"


async def test_the_templates_are_listed_with_their_variables(shell: CommandLine, own: Path) -> None:
    ran = await shell.run("mail", "list", "--json", MAIL_TEMPLATES=str(own))
    found = {template["name"]: template for template in ran.document}
    assert ran.code == 0
    assert set(found) == {"digest", "greeting", "password-reset", "report", "welcome"}
    assert found["password-reset"]["variables"] == ["minutes", "name", "url"]
    assert found["welcome"]["folder"] == str(own / "welcome")
    assert "password-reset\tminutes, name, url\t" in (await shell.run("mail", "list")).out


@pytest.mark.parametrize("name", ["welcome", "password-reset", "digest", "report"])
async def test_each_template_can_be_looked_at_with_its_example(shell: CommandLine, name: str) -> None:
    ran = await shell.run("mail", "preview", name)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("Subject: ")
    html = await shell.run("mail", "preview", name, "--html")
    assert html.out.startswith("<!doctype html>")
    message = email.message_from_string(
        (await shell.run("mail", "preview", name, "--eml")).out, policy=email.policy.default
    )
    assert message.get_content_type() == "multipart/alternative"


async def test_variables_are_filled_in_and_those_that_are_missing_are_shown(shell: CommandLine, own: Path) -> None:
    words = ("mail", "preview", "greeting", "--variables")
    ran = await shell.run(*words, '{"name": "<Ada>", "text": "<b>"}', "--html", MAIL_TEMPLATES=str(own))
    assert (ran.code, ran.out) == (0, "<p>&lt;b&gt;</p>\n")
    ran = await shell.run(*words, "{}", MAIL_TEMPLATES=str(own))
    assert ran.code == 1
    assert "Hi ⟦name⟧" in ran.out
    assert "the variable 'name' is missing" in ran.err
    assert "the variable 'text' is missing" in ran.err


@pytest.mark.parametrize(
    ("file", "begins"), [("a.html", b"<!doctype html>"), ("a.eml", b"Date: "), ("a.txt", b"Hello")]
)
async def test_a_preview_is_written_to_a_file_in_the_form_of_its_name(
    shell: CommandLine, tmp_path: Path, file: str, begins: bytes
) -> None:
    ran = await shell.run("mail", "preview", "welcome", "--open", str(tmp_path / file))
    assert (ran.code, ran.out) == (0, "")
    assert (tmp_path / file).read_bytes().startswith(begins)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), "there is no template 'nowhere'"),
        (("../../etc",), "there is no template"),
        (("welcome", "--variables", "{"), "--variables: no JSON"),
        (("welcome", "--variables", "[]"), "--variables: must be an object"),
        (("welcome", "--html", "--text"), "give one of"),
        (("welcome", "--variables", '{"url": "javascript:x"}'), "is no link"),
        (("welcome", "--open", "no/such/folder/x.html"), "can't be written"),
    ],
)
async def test_what_can_not_be_shown_is_said(shell: CommandLine, words: tuple[str, ...], said: str) -> None:
    ran = await shell.run("mail", "preview", *words)
    assert ran.code == USAGE
    assert said in ran.err


async def test_templates_with_faults_have_all_of_them_named(shell: CommandLine, own: Path) -> None:
    (own / "Bad Name").mkdir()
    (own / "empty").mkdir()
    (own / "greeting" / "mjml.j2").write_text("{% if %}")
    ran = await shell.run("mail", "list", MAIL_TEMPLATES=str(own))
    assert ran.code == USAGE
    for said in ("Bad Name: the name", "empty: there is no subject.txt", "take one away", "mjml.j2, line 1: Expected"):
        assert said in ran.err
