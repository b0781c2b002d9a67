"""The queue `document`: PDFs that open, and one file that can't be read."""

from collections.abc import Sequence
from pathlib import Path

from edworkers.cli.demo.outputs.samples import LESSON, PARAGRAPHS, write_exercises, write_lesson
from edworkers.cli.demo.outputs.step import Place, Prove, Step, buried_because, result_of, sha256
from edworkers.ports import JobRecord


def write_sources(folder: Path) -> None:
    """Write what is to be converted."""
    write_lesson(folder / "lesson.docx")
    write_exercises(folder / "exercises.md")
    (folder / "broken.docx").write_bytes((folder / "lesson.docx").read_bytes()[:400])


def first_documents(place: Place) -> tuple[Step, ...]:
    """Give the conversions that need nothing but the sources."""
    return (
        _to_pdf(
            place, "lesson", "docx", "a Word file of two pages by LibreOffice", pages=2, texts=(LESSON, *PARAGRAPHS)
        ),
        _to_pdf(place, "exercises", "md", "Markdown with a table", pages=1, texts=("Exercises", "1, 2, 4, 8")),
        Step(
            "broken",
            "document",
            "a file that is cut off",
            {"source": place.url("broken.docx"), "to": "pdf", "destination": place.url("broken.pdf")},
            buried_because("damaged"),
            state="dead",
        ),
    )


def pictures(place: Place) -> Step:
    """Give the job that makes pictures of the lesson's pages."""
    data = {"source": place.url("lesson.pdf"), "to": "png", "destination": place.url("lesson-{page}.png")}
    return Step(
        "pictures", "document", "pictures of the pages of that PDF", data, _are_pictures, output="lesson-0001.png"
    )


def _to_pdf(place: Place, name: str, suffix: str, shows: str, *, pages: int, texts: Sequence[str]) -> Step:
    data = {"source": place.url(f"{name}.{suffix}"), "to": "pdf", "destination": place.url(f"{name}.pdf")}
    return Step(name, "document", f"{shows} becomes a PDF", data, _is_pdf(name, pages, texts), output=f"{name}.pdf")


def _is_pdf(name: str, pages: int, texts: Sequence[str]) -> Prove:
    async def look(place: Place, record: JobRecord) -> list[str]:
        path, result = place.folder / f"{name}.pdf", result_of(record)
        wrong = [] if result.get("sha256") == sha256(path) else ["the checksum of the result isn't that of the file"]
        found = read_pages(path)
        if len(found) != pages or result.get("pages") != pages:
            wrong.append(f"should have {pages} pages, has {len(found)}, and the result says {result.get('pages')}")
        whole = " ".join(" ".join(found).split())
        return wrong + [f"{text!r} can't be read in it" for text in texts if text not in whole]

    return look


def read_pages(path: Path) -> list[str]:
    """Open a PDF, as anybody who reads it would, and give the text of each page."""
    import pypdfium2

    with pypdfium2.PdfDocument(path) as document:
        return [page.get_textpage().get_text_bounded() for page in document]


async def _are_pictures(place: Place, _record: JobRecord) -> list[str]:
    from PIL import Image

    wrong: list[str] = []
    for number in (1, 2):
        path = place.folder / f"lesson-{number:04}.png"
        if not path.is_file():
            wrong.append(f"there is no {path.name}")
            continue
        with Image.open(path) as image:
            image.load()
            if image.convert("L").getextrema() == (255, 255):
                wrong.append(f"{path.name} is blank")
    return wrong
