"""Small documents of every kind, written part by part; for tests."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_SLIDE = "http://schemas.openxmlformats.org/presentationml/2006/main"
_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
_OFFICE = "application/vnd.openxmlformats-officedocument."
PAGE_BREAK = '<w:p><w:r><w:br w:type="page"/></w:r></w:p>'

Parts = Mapping[str, str | bytes]


def package(parts: Parts, *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Put parts into a zip file; one named `mimetype` is stored as it is, as ODF wants it."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", method) as archive:
        for name, content in parts.items():
            archive.writestr(name, content, zipfile.ZIP_STORED if name == "mimetype" else None)
    return written.getvalue()


def content_types(overrides: Mapping[str, str]) -> str:
    listed = "".join(f'<Override PartName="{part}" ContentType="{kind}"/>' for part, kind in overrides.items())
    return (
        f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Default Extension="png" ContentType="image/png"/>{listed}</Types>'
    )


def relationships(*relations: tuple[str, str, str] | tuple[str, str, str, str]) -> str:
    """Write relationships: id, kind, target, and `External` where it is."""
    listed = "".join(
        f'<Relationship Id="{name}" Type="{RELATIONS}/{kind}" Target="{escape(target)}"'
        + "".join(f' TargetMode="{mode}"' for mode in more)
        + "/>"
        for name, kind, target, *more in relations
    )
    return f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{listed}</Relationships>'


def paragraph(text: str, *, style: str = "") -> str:
    return f'<w:p><w:r><w:rPr>{style}</w:rPr><w:t xml:space="preserve">{escape(text)}</w:t></w:r></w:p>'


def docx_parts(*body: str, relations: Sequence[tuple[str, str, str, str]] = ()) -> dict[str, str | bytes]:
    """The parts of a document of Word; `body` is paragraphs, `relations` are those of the document."""
    return {
        "[Content_Types].xml": content_types({"/word/document.xml": f"{_OFFICE}wordprocessingml.document.main+xml"}),
        "_rels/.rels": relationships(("r1", "officeDocument", "word/document.xml")),
        "word/document.xml": (
            f'{_HEAD}<w:document xmlns:w="{_WORD}" xmlns:r="{RELATIONS}" xmlns:v="urn:schemas-microsoft-com:vml"'
            f' xmlns:o="urn:schemas-microsoft-com:office:office" xmlns:a="{_DRAWING}"'
            ' xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"'
            ' xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture"><w:body>'
            f"{''.join(body)}<w:sectPr><w:pgSz w:w='11906' w:h='16838'/></w:sectPr></w:body></w:document>"
        ),
        "word/_rels/document.xml.rels": relationships(*relations),
    }


def docx(*texts: str) -> bytes:
    """A document of Word with these paragraphs."""
    return package(docx_parts(*(text if text.startswith("<w:") else paragraph(text) for text in texts)))


def xlsx(rows: Sequence[Sequence[str | float]], *, formulas: Mapping[str, str] | None = None) -> bytes:
    """A workbook with one sheet; `formulas` are put into cells of a row of their own."""
    lines = [
        f'<row r="{number}">{"".join(_cell(value) for value in row)}</row>' for number, row in enumerate(rows, start=1)
    ]
    for number, (cell, formula) in enumerate((formulas or {}).items(), start=len(rows) + 1):
        lines.append(f'<row r="{number}"><c r="{cell}{number}"><f>{escape(formula)}</f></c></row>')
    return package(
        {
            "[Content_Types].xml": content_types(
                {
                    "/xl/workbook.xml": f"{_OFFICE}spreadsheetml.sheet.main+xml",
                    "/xl/worksheets/sheet1.xml": f"{_OFFICE}spreadsheetml.worksheet+xml",
                }
            ),
            "_rels/.rels": relationships(("r1", "officeDocument", "xl/workbook.xml")),
            "xl/workbook.xml": f'{_HEAD}<workbook xmlns="{_SHEET}" xmlns:r="{RELATIONS}"><sheets>'
            '<sheet name="Grades" sheetId="1" r:id="r1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": relationships(("r1", "worksheet", "worksheets/sheet1.xml")),
            "xl/worksheets/sheet1.xml": f'{_HEAD}<worksheet xmlns="{_SHEET}"><sheetData>{"".join(lines)}</sheetData>'
            "</worksheet>",
        }
    )


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t>{escape(value)}</t></is></c>'
    return f"<c><v>{value}</v></c>"


def pptx(*slides: str) -> bytes:
    """A presentation with a line of text on each slide."""
    numbers = range(1, len(slides) + 1)
    parts: dict[str, str | bytes] = {
        "[Content_Types].xml": content_types(
            {
                "/ppt/presentation.xml": f"{_OFFICE}presentationml.presentation.main+xml",
                **{f"/ppt/slides/slide{number}.xml": f"{_OFFICE}presentationml.slide+xml" for number in numbers},
            }
        ),
        "_rels/.rels": relationships(("r1", "officeDocument", "ppt/presentation.xml")),
        "ppt/presentation.xml": f'{_HEAD}<p:presentation xmlns:p="{_SLIDE}" xmlns:r="{RELATIONS}"><p:sldIdLst>'
        + "".join(f'<p:sldId id="{255 + number}" r:id="r{number}"/>' for number in numbers)
        + '</p:sldIdLst><p:sldSz cx="9144000" cy="6858000"/></p:presentation>',
        "ppt/_rels/presentation.xml.rels": relationships(
            *((f"r{number}", "slide", f"slides/slide{number}.xml") for number in numbers)
        ),
    }
    for number, text in zip(numbers, slides, strict=True):
        parts[f"ppt/slides/slide{number}.xml"] = (
            f'{_HEAD}<p:sld xmlns:p="{_SLIDE}" xmlns:a="{_DRAWING}"><p:cSld><p:spTree><p:nvGrpSpPr>'
            '<p:cNvPr id="1" name=""/><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/><p:sp><p:nvSpPr>'
            '<p:cNvPr id="2" name="Text"/><p:cNvSpPr txBox="1"/><p:nvPr/></p:nvSpPr><p:spPr><a:xfrm>'
            '<a:off x="914400" y="914400"/><a:ext cx="7315200" cy="1371600"/></a:xfrm>'
            '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></p:spPr><p:txBody><a:bodyPr/><a:p><a:r>'
            f'<a:rPr lang="en" sz="4000"/><a:t>{escape(text)}</a:t></a:r></a:p></p:txBody></p:sp></p:spTree>'
            "</p:cSld></p:sld>"
        )
    return package(parts)


def odf_parts(kind: str, body: str, *, more: str = "") -> dict[str, str | bytes]:
    """The parts of an OpenDocument file: `kind` is text, spreadsheet or presentation."""
    mimetype = f"application/vnd.oasis.opendocument.{kind}"
    names = ("office", "text", "table", "draw", "presentation", "style", "script", "manifest")
    spaces = " ".join(f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{_space(name)}:1.0"' for name in names)
    others = {
        "xlink": "http://www.w3.org/1999/xlink",
        "dom": "http://www.w3.org/2001/xml-events",
        "fo": "urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0",
        "svg": "urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0",
    }
    spaces += "".join(f' xmlns:{name}="{space}"' for name, space in others.items())
    return {
        "mimetype": mimetype,
        "META-INF/manifest.xml": f'{_HEAD}<manifest:manifest {spaces} manifest:version="1.2">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{mimetype}"/>'
        '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/></manifest:manifest>',
        "content.xml": f'{_HEAD}<office:document-content {spaces} office:version="1.2">{more}<office:body>'
        f"<office:{kind}>{body}</office:{kind}></office:body></office:document-content>",
    }


def _space(name: str) -> str:
    return {"draw": "drawing"}.get(name, name)


def macro_odt(target: str) -> bytes:
    """A text with a macro, Standard.Module1.Main, which runs when it is opened and writes to a file."""
    library = "http://openoffice.org/2000/library"
    start = "vnd.sun.star.script:Standard.Module1.Main?language=Basic&amp;location=document"
    parts = odf_parts(
        "text",
        "<text:p>Hello</text:p>",
        more='<office:scripts><office:event-listeners><script:event-listener script:language="ooo:script"'
        f' script:event-name="dom:load" xlink:href="{start}" xlink:type="simple"/>'
        "</office:event-listeners></office:scripts>",
    )
    macros: dict[str, str | bytes] = {
        "Basic/script-lc.xml": f'{_HEAD}<library:libraries xmlns:library="{library}">'
        '<library:library library:name="Standard" library:link="false"/></library:libraries>',
        "Basic/Standard/script-lb.xml": f'{_HEAD}<library:library xmlns:library="{library}" library:name="Standard"'
        ' library:readonly="false" library:passwordprotected="false"><library:element library:name="Module1"/>'
        "</library:library>",
        "Basic/Standard/Module1.xml": f'{_HEAD}<script:module xmlns:script="http://openoffice.org/2000/script"'
        f' script:name="Module1" script:language="StarBasic">Sub Main\nOpen "{target}" For Output As #1\n'
        'Print #1, "ran"\nClose #1\nEnd Sub</script:module>',
    }
    listed = "".join(
        f'<manifest:file-entry manifest:full-path="{name}" manifest:media-type="text/xml"/>' for name in macros
    )
    manifest = str(parts["META-INF/manifest.xml"]).replace("</manifest:manifest>", f"{listed}</manifest:manifest>")
    return package({**parts, "META-INF/manifest.xml": manifest, **macros})


def odt(*texts: str) -> bytes:
    """A text of OpenDocument."""
    return package(odf_parts("text", "".join(f"<text:p>{escape(text)}</text:p>" for text in texts)))


def ods(rows: Sequence[Sequence[str]]) -> bytes:
    """A spreadsheet of OpenDocument."""
    cells = "".join(
        "<table:table-row>"
        + "".join(
            f'<table:table-cell office:value-type="string"><text:p>{escape(value)}</text:p></table:table-cell>'
            for value in row
        )
        + "</table:table-row>"
        for row in rows
    )
    return package(odf_parts("spreadsheet", f'<table:table table:name="Grades">{cells}</table:table>'))


def odp(*slides: str) -> bytes:
    """A presentation of OpenDocument."""
    pages = "".join(
        f'<draw:page draw:name="page{number}"><draw:frame svg:width="20cm" svg:height="3cm" svg:x="2cm" svg:y="2cm">'
        f"<draw:text-box><text:p>{escape(text)}</text:p></draw:text-box></draw:frame></draw:page>"
        for number, text in enumerate(slides, start=1)
    )
    return package(odf_parts("presentation", pages))


def rtf(text: str) -> bytes:
    """A document of RTF."""
    return rb"{\rtf1\ansi{\fonttbl{\f0 Liberation Serif;}}\f0 " + text.encode("ascii") + rb"\par}"


def pdf(*, pages: int = 1, password: str | None = None) -> bytes:
    """A PDF of empty pages."""
    import pikepdf

    written = io.BytesIO()
    with pikepdf.Pdf.new() as made:
        for _ in range(pages):
            made.add_blank_page()
        encryption = pikepdf.Encryption(owner=password, user=password) if password else False
        made.save(written, encryption=encryption)
    return written.getvalue()
