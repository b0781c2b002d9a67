"""The queue `email`: a mail that arrives with its attachment, and one that its receiver's server refuses."""

from typing import Any

from edworkers.cli.demo.outputs.step import Place, Step, buried_because
from edworkers.ports import JobRecord

ADA = "ada@school.example"


def mails(place: Place) -> tuple[Step, ...]:
    """Give the jobs of this queue."""
    data = {
        "to": f"Ada Lovelace <{ADA}>",
        "subject": "Your lesson on prime numbers",
        "html": "<h1>Dear Ada</h1><p>here is your lesson, with the exercises in <b>Friday's</b> class.</p>",
        "attachments": [{"url": place.url("lesson.pdf"), "contentType": "application/pdf"}],
    }
    bounce = {"to": "status-550@school.example", "subject": "Hello", "text": "Is anybody there?"}
    return (
        Step("lesson-mail", "email", "a mail brings that PDF", data, _has_arrived, output="mails"),
        Step("bounce", "email", "a receiver whom nobody knows", bounce, buried_because("550"), state="dead"),
    )


async def _has_arrived(place: Place, record: JobRecord) -> list[str]:
    found = [mail for mail in place.mailbox.mails if ADA in mail.recipients]
    if len(found) != 1:
        return [f"{len(found)} mails arrived for {ADA}"]
    message = found[0].message
    wrong = [] if record.id in str(message["message-id"]) else ["its Message-ID isn't made of the job's id"]
    parts: dict[str, Any] = {part.get_content_type(): part for part in message.walk()}
    wrong += [f"it has no part {kind}" for kind in ("text/plain", "text/html", "application/pdf") if kind not in parts]
    pdf = parts.get("application/pdf")
    if pdf is not None and pdf.get_content() != (place.folder / "lesson.pdf").read_bytes():
        wrong.append("the attachment isn't the file")
    return wrong
