"""A mail as a job asks for it."""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, WithJsonSchema, model_validator

from edworkers.handlers.data import JobData, must_match
from edworkers.handlers.email.own_headers import check_headers, check_unsubscribe
from edworkers.handlers.mail_addresses import is_one_line, parse_address
from edworkers.handlers.stored import StoredUrl

MOST_RECIPIENTS = 100
TEMPLATE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")

_LONGEST_ADDRESS = 512
_UNFIT_TYPES = ("multipart/", "message/")


def _check_address(text: str) -> str:
    parse_address(text)
    return text


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _check_line(text: str) -> str:
    if not is_one_line(text) or not text.strip():
        raise ValueError("must be one line without control characters")
    return text


def _check_content(text: str) -> str:
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("must be base64") from None
    return text


def _check_type(text: str) -> str:
    if text.startswith(_UNFIT_TYPES):
        raise ValueError("must be the type of a file: neither multipart/ nor message/")
    return text


def _check_filename(name: str) -> str:
    if not is_one_line(name) or "/" in name or "\\" in name or name.strip() in {"", ".", ".."}:
        raise ValueError("must be the name of a file, without a folder")
    if len(name.encode()) > 200:
        raise ValueError("must be at most 200 bytes long")
    return name


def _check_text(text: str) -> str:
    text.encode()  # half of a surrogate pair can't be sent
    if "\0" in text:
        raise ValueError("must not have a NUL in it")
    return text


Address = Annotated[str, Field(max_length=_LONGEST_ADDRESS), AfterValidator(_check_address)]
_ADDRESSES: dict[str, Any] = {"items": {"type": "string"}, "maxItems": MOST_RECIPIENTS, "type": "array"}
Addresses = Annotated[
    list[Address],
    Field(max_length=MOST_RECIPIENTS),
    BeforeValidator(_as_list),
    WithJsonSchema({"anyOf": [{"type": "string"}, _ADDRESSES]}),
]
Line = Annotated[str, Field(max_length=500), AfterValidator(_check_line)]
Text = Annotated[str, Field(min_length=1), AfterValidator(_check_text)]
TemplateName = Annotated[
    str,
    Field(json_schema_extra={"pattern": f"^{TEMPLATE_NAME.pattern}$"}),
    AfterValidator(must_match(TEMPLATE_NAME.pattern, "must be the name of a template: a-z, 0-9 and -")),
]
Unsubscribe = Annotated[
    list[str],
    Field(max_length=5),
    BeforeValidator(_as_list),
    AfterValidator(check_unsubscribe),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "maxItems": 5}]}),
]


class Attachment(JobData):
    """A file that goes with a mail: from storage (`url`), or in the job itself (`content`)."""

    url: StoredUrl | None = None
    """Where the file lies: s3://bucket/key or file:///folder/name."""
    content: Annotated[str, AfterValidator(_check_content)] | None = Field(default=None, repr=False)
    """The file itself in base64; a job has 1 MiB in all, so larger ones go into storage."""
    filename: Annotated[str, AfterValidator(_check_filename)] | None = None
    """What the file is called; without it, as at its `url`."""
    content_type: (
        Annotated[
            str,
            AfterValidator(
                must_match(
                    r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}(; charset=[a-z0-9-]{1,40})?",
                    "must be a type such as application/pdf, or text/csv; charset=utf-8",
                )
            ),
            AfterValidator(_check_type),
        ]
        | None
    ) = None
    """The type of the file, such as application/pdf; without it, as its name says."""
    inline: (
        Annotated[
            str,
            AfterValidator(must_match(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,127}", "must be letters, digits, . _ - and @")),
        ]
        | None
    ) = None
    """The name under which the HTML shows the file: `logo` for `<img src="cid:logo">`."""

    @model_validator(mode="after")
    def _check_source(self) -> "Attachment":
        if (self.url is None) == (self.content is None):
            raise ValueError("give url or content, and not both")
        if self.content is not None and self.filename is None:
            raise ValueError("give a filename with content")
        return self


class Again(JobData):
    """What edworkers adds when it sends a mail once more to those whom a server put off."""

    to: Addresses
    """Those of the receivers who haven't got it."""
    message_id: Annotated[
        str,
        Field(max_length=512),
        AfterValidator(
            must_match(r"<[A-Za-z0-9._-]+@[A-Za-z0-9.-]+>", "must be a Message-ID such as <1@school.example>")
        ),
    ]
    """The Message-ID with which the others have got it."""


class EmailData(JobData):
    """A mail."""

    to: Addresses = Field(default_factory=list[str])
    """Receivers: `ada@school.example` or `Ada Lovelace <ada@school.example>`, one or a list of them."""
    cc: Addresses = Field(default_factory=list[str])
    bcc: Addresses = Field(default_factory=list[str])
    """Receivers whom nobody sees."""
    reply_to: Addresses = Field(default_factory=list[str])
    sender: Address | None = Field(default=None, alias="from")
    """From whom it comes; without it, MAIL_FROM."""
    subject: Line | None = None
    """Without it, that of the template."""
    template: TemplateName | None = None
    """The name of a template, in place of `html` and `text`."""
    variables: dict[str, JsonValue] = Field(default_factory=dict[str, JsonValue], repr=False)
    """What the template is filled in with; it may hold any JSON."""
    html: Text | None = Field(default=None, repr=False)
    text: Text | None = Field(default=None, repr=False)
    """Without it, made from the HTML."""
    attachments: list[Attachment] = Field(default_factory=list[Attachment], max_length=50)
    headers: Annotated[dict[str, str], AfterValidator(check_headers)] = Field(
        default_factory=dict[str, str], max_length=30
    )
    """More headers, such as X-School or In-Reply-To."""
    list_unsubscribe: Unsubscribe | None = None
    """Where to unsubscribe: https:// or mailto: URLs; without it MAIL_LIST_UNSUBSCRIBE, with [] none."""
    idempotency_key: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    """Makes the Message-ID, in place of the job's id: jobs with one key are one message to those who get it."""
    again: Again | None = None
    """Set by edworkers itself: who of the receivers is sent it, when a server had put some of them off."""

    @model_validator(mode="after")
    def _check_together(self) -> "EmailData":
        faults = [*self._receiver_faults(), *self._content_faults()]
        ids = [attachment.inline for attachment in self.attachments if attachment.inline is not None]
        if len(set(ids)) < len(ids):
            faults.append("each inline attachment needs a name of its own")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _receiver_faults(self) -> list[str]:
        count = len(self.to) + len(self.cc) + len(self.bcc)
        if count == 0:
            return ["give at least one receiver in to, cc or bcc"]
        if count > MOST_RECIPIENTS:
            return [f"there are {count} receivers, and {MOST_RECIPIENTS} are allowed: send several jobs"]
        if self.again is not None and not set(bare(self.again.to)) <= set(self.everybody()):
            return ["again.to may only name receivers of to, cc and bcc"]
        return []

    def _content_faults(self) -> list[str]:
        if self.template is not None:
            return ["give template, or html and text, not both"] if self.html or self.text else []
        faults = [] if self.html or self.text else ["give template, or html or text"]
        if self.subject is None:
            faults.append("give a subject: only a template brings one along")
        if self.variables:
            faults.append("variables are for a template, and none is given")
        return faults

    def everybody(self) -> list[str]:
        """Name everybody whom the mail is for, once, by bare address."""
        return bare([*self.to, *self.cc, *self.bcc])

    def receivers(self) -> list[str]:
        """Name those who are sent it now."""
        return self.everybody() if self.again is None else bare(self.again.to)


def bare(addresses: Sequence[str]) -> list[str]:
    """Give bare addresses, each once, in their order."""
    return list(dict.fromkeys(parse_address(address).bare for address in addresses))
