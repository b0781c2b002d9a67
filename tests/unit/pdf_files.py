"""PDF files that tests make for themselves."""

import io
import random
from collections.abc import Sequence
from pathlib import Path

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf, Stream
from PIL import Image, ImageChops, ImageStat

A5 = (420, 595)


def new(pages: Sequence[str], *, size: tuple[float, float] = A5) -> Pdf:
    """A PDF with a line of text and a coloured box on each page."""
    pdf = Pdf.new()
    font = pdf.make_indirect(Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica))
    for text in pages:
        page = pdf.add_blank_page(page_size=size)
        page.Resources = Dictionary(Font=Dictionary(F1=font))
        drawing = f"0.2 0.4 0.8 rg 40 60 200 100 re f 0 g BT /F1 32 Tf 40 480 Td ({text}) Tj ET"
        page.Contents = pdf.make_stream(drawing.encode("ascii"))
    return pdf


def save(pdf: Pdf, path: Path, **options: object) -> Path:
    pdf.save(path, deterministic_id="encryption" not in options, **options)  # type: ignore[arg-type]
    return path


def written(path: Path, *pages: str) -> Path:
    """The file of a PDF with these texts."""
    return save(new(pages or ("Hello",)), path)


def with_bookmarks(path: Path, *titles: str) -> Path:
    """A PDF in which each page has a bookmark, and the first has one below it."""
    pdf = new(titles)
    with pdf.open_outline() as outline:
        outline.root.extend(pikepdf.OutlineItem(title, page) for page, title in enumerate(titles))
        outline.root[0].children.append(pikepdf.OutlineItem(f"Part of {titles[0]}", 0))
    return save(pdf, path)


def with_field(path: Path, value: str) -> Path:
    """A PDF with a form of one field `name`."""
    pdf = new(["Form"])
    field = pdf.make_indirect(
        Dictionary(
            Type=Name.Annot,
            Subtype=Name.Widget,
            FT=Name.Tx,
            T="name",
            V=value,
            DA="/Helv 12 Tf 0 g",
            Rect=Array([40, 300, 240, 330]),
            P=pdf.pages[0].obj,
        )
    )
    pdf.pages[0].Annots = Array([field])
    font = Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica)
    pdf.Root.AcroForm = Dictionary(
        Fields=Array([field]), NeedAppearances=True, DR=Dictionary(Font=Dictionary(Helv=font))
    )
    pdf.generate_appearance_streams()
    return save(pdf, path)


def active(path: Path) -> Path:
    """A PDF with all that acts by itself, and two links that are fine."""
    pdf = new(["Act", "Next"])
    script = Dictionary(S=Name.JavaScript, JS="app.alert('boo')")
    launch = Dictionary(S=Name.Launch, F="cmd.exe")
    pdf.Root.OpenAction = script
    pdf.Root.AA = Dictionary(WC=script)
    pdf.Root.AcroForm = Dictionary(Fields=Array([]), XFA=pdf.make_stream(b"<xdp:xdp/>"))
    pdf.Root.Names = Dictionary(JavaScript=Dictionary(Names=Array(["boo", script])))
    pdf.attachments["evil.exe"] = b"MZ-evil" * 10
    page = pdf.pages[0]
    page.AA = Dictionary(O=launch)
    to_page = Dictionary(S=Name.GoTo, D=Array([pdf.pages[1].obj, Name.Fit]))
    to_web = Dictionary(S=Name.URI, URI="https://school.example/")
    page.Annots = Array(
        [
            pdf.make_indirect(_note("/Link", A=launch)),
            _note("/Link", A=Dictionary(S=Name.URI, URI="https://then.example/", Next=Array([script]))),
            _note("/Link", A=Dictionary(S=Name.SubmitForm, F="https://evil.example/")),
            pdf.make_indirect(_note("/FileAttachment", FS=Dictionary(F="a.exe", EF=Dictionary()))),
            _note("/RichMedia"),
            _note("/Link", A=to_page),
            pdf.make_indirect(_note("/Link", A=to_web)),
        ]
    )
    return save(pdf, path)


def _note(kind: str, **entries: object) -> Dictionary:
    return Dictionary(Type=Name.Annot, Subtype=Name(kind), Rect=Array([0, 0, 50, 50]), **entries)  # type: ignore[arg-type]


def with_picture(path: Path, size: tuple[int, int], *, jpeg: bool = True) -> Path:
    """A PDF with one picture, which is full of detail, as large as the page."""
    pdf = new(["Picture"])
    picture = Image.frombytes("RGB", size, random.Random(1).randbytes(size[0] * size[1] * 3))
    picture = picture.resize((size[0] // 16, size[1] // 16)).resize(size, Image.Resampling.BICUBIC)
    stream = Stream(pdf, picture.tobytes())
    if jpeg:
        packed = io.BytesIO()
        picture.save(packed, "JPEG", quality=92)
        stream.write(packed.getvalue(), filter=Name.DCTDecode)
    stream.stream_dict.update(
        Dictionary(
            Type=Name.XObject,
            Subtype=Name.Image,
            Width=size[0],
            Height=size[1],
            BitsPerComponent=8,
            ColorSpace=Name.DeviceRGB,
        )
    )
    pdf.pages[0].Resources.XObject = Dictionary(P1=pdf.make_indirect(stream))
    pdf.pages[0].contents_add(b"q 420 0 0 595 0 0 cm /P1 Do Q")
    return save(pdf, path)


def picture_at(path: Path) -> Image.Image:
    """The picture in a file, which is closed again."""
    with Image.open(path) as picture:
        picture.load()
        return picture


def difference(one: Image.Image, two: Image.Image) -> float:
    """How far apart the colours of two pictures are on average, of 255."""
    assert one.size == two.size
    return max(ImageStat.Stat(ImageChops.difference(one.convert("RGB"), two.convert("RGB"))).mean)
