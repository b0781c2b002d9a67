"""The commands for templates of mails. What they do is imported when it is done."""

from pathlib import Path
from typing import Annotated

import typer

from edworkers.cli.options import Json

commands = typer.Typer()
mail = typer.Typer(no_args_is_help=True)
commands.add_typer(
    mail, name="mail", help="Templates of mails: which there are, and how they look.", rich_help_panel="Mail"
)


@mail.command("list")
def list_templates(*, as_json: Json = False) -> None:
    """List the templates, those of MAIL_TEMPLATES among them, with the variables that each is filled in with."""
    from edworkers.cli.mail import show_templates

    show_templates(as_json=as_json)


@mail.command()
def preview(
    name: Annotated[str, typer.Argument(help="name of the template")],
    *,
    variables: Annotated[
        str | None, typer.Option(metavar="JSON", help="what to fill it in with; the template's example, if none")
    ] = None,
    html: Annotated[bool, typer.Option("--html", help="only the HTML")] = False,
    text: Annotated[bool, typer.Option("--text", help="only the text")] = False,
    eml: Annotated[bool, typer.Option("--eml", help="the whole message, for a mail program")] = False,
    file: Annotated[Path | None, typer.Option("--open", metavar="FILE", help="write it to a file to look at")] = None,
) -> None:
    """Show a template as it would be sent; variables that are missing are marked, and named on stderr."""
    from edworkers.cli.mail import show_preview

    chosen = [form for form, asked in (("html", html), ("text", text), ("eml", eml)) if asked]
    if len(chosen) > 1:
        raise typer.BadParameter("give one of --html, --text and --eml")
    raise typer.Exit(show_preview(name, variables, next(iter(chosen), None), file))
