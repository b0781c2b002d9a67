"""What the demo works on: a lesson as a Word file and in Markdown, and a small school's database."""

import zipfile
from pathlib import Path

LESSON = "Prime numbers"
PARAGRAPHS = (
    "A prime number is a whole number greater than one that only one and itself divide.",
    "Every whole number greater than one is a product of primes, and in one way only.",
    "There is no largest prime number: multiply all that you know, and add one.",
)

_CONTENT_TYPES = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/word/document.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
)
_RELATIONSHIPS = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r1" Target="word/document.xml" Type='
    '"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"/></Relationships>'
)
_BREAK = '<w:p><w:r><w:br w:type="page"/></w:r></w:p>'


def write_lesson(path: Path) -> None:
    """Write the lesson as a Word file of two pages."""
    heading = f'<w:p><w:r><w:rPr><w:b/><w:sz w:val="48"/></w:rPr><w:t>{LESSON}</w:t></w:r></w:p>'
    first, *others = (f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>" for text in PARAGRAPHS)
    body = heading + first + _BREAK + "".join(others)
    document = (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        f"<w:body>{body}</w:body></w:document>"
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("[Content_Types].xml", _CONTENT_TYPES)
        file.writestr("_rels/.rels", _RELATIONSHIPS)
        file.writestr("word/document.xml", document)


def write_exercises(path: Path) -> None:
    """Write the exercises in Markdown."""
    rows = "".join(
        f"| {number} | {divisors} |\n" for number, divisors in ((7, "1, 7"), (8, "1, 2, 4, 8"), (11, "1, 11"))
    )
    text = f"# Exercises\n\n{PARAGRAPHS[0]}\n\n| number | divisors |\n|---|---|\n{rows}\n1. Which of them are prime?\n"
    path.write_text(text, encoding="utf-8")


SCHOOL = """
CREATE TABLE students (id integer PRIMARY KEY, name text NOT NULL, email text NOT NULL);
CREATE TABLE logins (student_id integer NOT NULL REFERENCES students, at timestamptz NOT NULL);
CREATE TABLE refresh_tokens (id bigint PRIMARY KEY, student_id integer NOT NULL, expires_at timestamptz NOT NULL);
CREATE INDEX ON refresh_tokens (expires_at);
INSERT INTO students SELECT n, 'Student ' || n, 'student' || n || '@school.example' FROM generate_series(1, 50) AS n;
INSERT INTO logins SELECT 1 + n % 50, now() - n * interval '1 hour' FROM generate_series(1, 700) AS n;
INSERT INTO refresh_tokens
  SELECT n, 1 + n % 50, now() + CASE WHEN n <= 3000 THEN interval '-2 days' ELSE interval '2 days' END
  FROM generate_series(1, 4000) AS n;
INSERT INTO edworkers.notifications (user_id, email, kind, title, body)
  SELECT id::text, email, 'grade', 'Exercise ' || n || ' is graded', 'Well done.'
  FROM students, generate_series(1, 2) AS n WHERE id <= 3;
"""
EXPIRED, STUDENTS, NOTIFIED = 3000, 50, 3

REPORT = """-- title: Logins by student
-- columns: Student, Logins
SELECT name, count(*) FROM students JOIN logins ON student_id = students.id
GROUP BY students.id, name ORDER BY students.id
"""
