"""What documents ask for that is none of their business doesn't happen, and each layer against it holds by itself."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pypdfium2
import pytest
from tests.integration import documents
from tests.integration.document_desk import Desk
from tests.integration.processes import eventually

from edworkers.adapters.libreoffice import convert, profile, sealed
from edworkers.handlers.document.limits import Limits
from edworkers.handlers.document.package import seal

pytestmark = pytest.mark.timeout(120)

CANARY = "CANARY"
UNSEALED = "import os, sys\nos.execv(sys.argv[2], sys.argv[2:])\n"
PERMISSIVE: tuple[tuple[str, str, str], ...] = ()


@dataclass
class Trap:
    """A server on loopback that must get no request."""

    port: int = 0
    requests: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.requests.append((await reader.readline()).decode())
        writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        writer.close()


@asynccontextmanager
async def serving() -> AsyncGenerator[Trap]:
    made = Trap()
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    async with server:
        yield made


@pytest.fixture
async def trap() -> AsyncGenerator[Trap]:
    async with serving() as made:
        yield made


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file that is none of a document's business."""
    path = tmp_path / "secret.odt"
    path.write_bytes(documents.odt(CANARY))
    return path


def linking_odt(trap: Trap, secret: Path) -> bytes:
    picture = (
        '<draw:frame text:anchor-type="paragraph" svg:width="5cm" svg:height="5cm">'
        f'<draw:image xlink:href="{trap.url}/picture.png" xlink:type="simple"/></draw:frame>'
    )
    sections = "".join(
        f'<text:section text:name="{name}"><text:section-source xlink:href="{link}" xlink:type="simple"/>'
        "<text:p>old</text:p></text:section>"
        for name, link in (("local", secret.as_uri()), ("remote", f"{trap.url}/section.odt"))
    )
    objects = (
        '<draw:frame text:anchor-type="paragraph" svg:width="5cm" svg:height="5cm">'
        f'<draw:object xlink:href="{trap.url}/object.odt" xlink:type="simple"/></draw:frame>'
        '<draw:frame text:anchor-type="paragraph" svg:width="5cm" svg:height="5cm">'
        f'<draw:floating-frame xlink:href="{trap.url}/frame.html" xlink:type="simple"/></draw:frame>'
    )
    body = f"<text:p>Hello{picture}{objects}</text:p>{sections}"
    return documents.package(documents.odf_parts("text", body))


def linking_docx(trap: Trap, secret: Path) -> bytes:
    picture = (
        '<w:p><w:r><w:drawing><wp:inline><wp:extent cx="1000000" cy="1000000"/><wp:docPr id="1" name="x"/><a:graphic>'
        '<a:graphicData uri="http://schemas.openxmlformats.org/drawingml/2006/picture"><pic:pic><pic:nvPicPr>'
        '<pic:cNvPr id="0" name="x"/><pic:cNvPicPr/></pic:nvPicPr><pic:blipFill><a:blip r:link="l1"/><a:stretch>'
        '<a:fillRect/></a:stretch></pic:blipFill><pic:spPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="1000000"'
        ' cy="1000000"/></a:xfrm><a:prstGeom prst="rect"><a:avLst/></a:prstGeom></pic:spPr></pic:pic></a:graphicData>'
        "</a:graphic></wp:inline></w:drawing></w:r></w:p>"
    )
    shape = f'<v:shape style="width:9pt"><v:imagedata src="{trap.url}/v.png"/></v:shape>'
    drawn = f"<w:p><w:r><w:pict>{shape}</w:pict></w:r></w:p>"
    return documents.package(
        documents.docx_parts(
            documents.paragraph("Hello"),
            picture,
            drawn,
            word_field(f'INCLUDEPICTURE "{trap.url}/field.png"'),
            word_field(f'INCLUDETEXT "{secret}"'),
            relations=[
                ("l1", "image", f"{trap.url}/picture.png", "External"),
                ("l2", "attachedTemplate", f"{trap.url}/template.dotx", "External"),
                ("l3", "hyperlink", "https://school.example/", "External"),
            ],
        )
    )


def word_field(instruction: str) -> str:
    def mark(kind: str) -> str:
        return f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>'

    code = f"<w:r><w:instrText>{instruction}</w:instrText></w:r>"
    return f"<w:p>{mark('begin')}{code}{mark('separate')}<w:r><w:t>old</w:t></w:r>{mark('end')}</w:p>"


def linking_rtf(trap: Trap, secret: Path) -> bytes:
    fields = "".join(
        r"{\field{\*\fldinst " + instruction + r"}{\fldrslt old}}"
        for instruction in (f'INCLUDEPICTURE "{trap.url}/rtf.png"', f'INCLUDETEXT "{secret}"')
    )
    return rb"{\rtf1 Hello " + fields.encode() + rb"\par}"


LINKING = {"odt": linking_odt, "docx": linking_docx, "rtf": linking_rtf}


async def made_of(folder: Path, kind: str, content: bytes, *, is_stripped: bool) -> str:
    """Have LibreOffice make a PDF; returns its text."""
    work = folder / "work-of-libreoffice"
    work.mkdir()
    source = work / f"source.{kind}"
    source.write_bytes(content)
    if is_stripped:
        seal(source, Limits())
    with pypdfium2.PdfDocument(await convert(os.environ, source, work, "pdf", "writer_pdf_Export")) as document:
        return "".join(page.get_textpage().get_text_bounded() for page in document)


@pytest.mark.parametrize("kind", ["odt", "docx"])
@pytest.mark.parametrize("layer", ["none", "profile", "kernel", "package"])
async def test_nothing_is_fetched_and_each_layer_sees_to_it_by_itself(
    kind: str, layer: str, trap: Trap, secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if layer != "profile":
        monkeypatch.setattr(profile, "SETTINGS", PERMISSIVE)
    if layer != "kernel":
        unsealed = tmp_path / "unsealed.py"
        unsealed.write_text(UNSEALED)
        monkeypatch.setattr(sealed, "__file__", str(unsealed))
    content = LINKING[kind](trap, secret)
    text = await made_of(tmp_path, kind, content, is_stripped=layer == "package")
    assert CANARY not in text
    assert bool(trap.requests) == (layer == "none"), trap.requests


async def test_a_macro_that_would_run_is_not_run(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "ran.txt"
    content = documents.macro_odt(str(target))
    await run_macro(tmp_path / "control", content, target)
    target.unlink()
    unsealed = tmp_path / "unsealed.py"
    unsealed.write_text(UNSEALED)
    monkeypatch.setattr(sealed, "__file__", str(unsealed))
    assert (await desk.convert("a.odt", content, "pdf"))["pages"] == 1
    assert "Hello" in await made_of(tmp_path, "odt", content, is_stripped=False)
    assert not target.exists()


def lay_where_macros_are_on(folder: Path, content: bytes) -> Path:
    """Write a document, and beside it a profile in which macros run."""
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        scripting = "/org.openoffice.Office.Common/Security/Scripting"
        patch.setattr(profile, "SETTINGS", ((scripting, "MacroSecurityLevel", "0"),))
        profile.write_profile(folder / "profile")
    source = folder / "source.odt"
    source.write_bytes(content)
    return source


def is_there(path: Path) -> bool:
    return path.exists()


async def run_macro(folder: Path, content: bytes, target: Path) -> None:
    """Have LibreOffice run the document's macro where macros are on, and wait until it did."""
    source = lay_where_macros_are_on(folder, content)
    program = await asyncio.create_subprocess_exec(
        *(
            "soffice",
            f"-env:UserInstallation={(folder / 'profile').as_uri()}",
            "--headless",
            "--norestore",
            str(source),
        ),
        "macro://source/Standard.Module1.Main()",
        env={"PATH": os.environ["PATH"], "HOME": str(folder)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )

    async def ran() -> bool:
        return is_there(target)

    try:
        await eventually(ran)
    finally:
        os.killpg(program.pid, signal.SIGKILL)
        await program.wait()


@pytest.mark.parametrize("kind", ["odt", "docx", "rtf"])
async def test_a_document_that_links_elsewhere_is_converted_without_it(
    desk: Desk, trap: Trap, secret: Path, kind: str
) -> None:
    await desk.convert(f"a.{kind}", LINKING[kind](trap, secret), "pdf")
    assert "Hello" in desk.text()[0]
    assert CANARY not in "".join(desk.text())
    assert trap.requests == []


async def test_a_spreadsheet_that_asks_the_web_or_other_files_gets_nothing(
    desk: Desk, trap: Trap, secret: Path
) -> None:
    formulas = {"A": f'WEBSERVICE("{trap.url}/ws")', "B": f"'{secret.as_uri()}'#$Sheet1.A1"}
    await desk.convert("a.xlsx", documents.xlsx([["Hello"]], formulas=formulas), "pdf")
    assert "Hello" in desk.text()[0]
    assert CANARY not in desk.text()[0]
    assert trap.requests == []


@pytest.mark.parametrize("name", ["a.html", "a.md"])
async def test_a_page_loads_nothing_but_what_lies_in_it(desk: Desk, trap: Trap, secret: Path, name: str) -> None:
    loads = (
        f'<link rel="stylesheet" href="{trap.url}/style.css"><link rel="attachment" href="{secret.as_uri()}">'
        f"<style>@import '{trap.url}/more.css'; @font-face {{ font-family: x; src: url({trap.url}/font.woff) }}"
        f" body {{ font-family: x; background: url({trap.url}/back.png) }}</style><p>Hello"
        f'<img src="{trap.url}/picture.png"><img src="{secret.as_uri()}"><iframe src="{trap.url}/frame"></iframe>'
        f'<object data="{trap.url}/object"></object><script src="{trap.url}/script.js"></script>'
    )
    content = (
        f"<!DOCTYPE html>{loads}" if name == "a.html" else f"Hello ![x]({trap.url}/p.png) ![]({secret.as_uri()})\n"
    )
    await desk.convert(name, content, "pdf")
    assert "Hello" in desk.text()[0]
    assert trap.requests == []
    assert CANARY.encode() not in desk.result("pdf").read_bytes()


async def test_the_seal_leaves_no_way_to_the_network_nor_to_the_files_of_others(tmp_path: Path, secret: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    script = folder / "script.sh"
    script.write_text(
        f"cat {secret}; echo x > {tmp_path}/written; cat /proc/1/environ; ls {tmp_path}\n"
        f"echo own > {folder}/own; cat {folder}/own\n"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", sealed.__file__, str(folder), "/bin/sh", str(script)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, refused = await process.communicate()
    assert said == b"own\n"
    assert refused.count(b"ermission denied") == 4
    assert not (tmp_path / "written").exists()
