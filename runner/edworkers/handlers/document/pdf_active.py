"""Takes out of a PDF what acts by itself: scripts, programs to launch, forms that send, files within it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pikepdf import Pdf

_ACTIONS = ("/A", "/PA", "/OpenAction", "/Next")
_HARMLESS_ACTIONS = {"/GoTo", "/URI", "/Named"}
_ACTIVE = ("/AA", "/JavaScript", "/JS", "/EmbeddedFiles", "/EF", "/XFA", "/AF", "/RichMediaContent", "/Collection")
_ACTIVE_ANNOTATIONS = {"/FileAttachment", "/RichMedia", "/Screen", "/Movie", "/Sound", "/3D"}


def strip_active(pdf: "Pdf") -> int:
    """Take it out, and return how many pieces there were; links to pages and to addresses on the web stay."""
    return sum(_strip(found) for found in pdf.objects)


def _strip(found: Any) -> int:
    """Look through an object, and through those that lie directly in it."""
    from pikepdf import Array, Dictionary, Stream

    if isinstance(found, Array):
        return sum(_strip(item) for item in found if not _is_elsewhere(item))
    if not isinstance(found, Dictionary | Stream):
        return 0
    taken = _strip_dictionary(found)
    return taken + sum(_strip(item) for _, item in found.items() if not _is_elsewhere(item))


def _is_elsewhere(item: Any) -> bool:
    """Say whether something is an object of its own, which has its own turn."""
    return bool(getattr(item, "is_indirect", False))


def _strip_dictionary(found: Any) -> int:
    taken = [key for key in _ACTIVE if key in found]
    taken += [key for key in _ACTIONS if key in found and not _is_harmless(found[key])]
    for key in taken:
        del found[key]
    return len(taken) + _strip_annotations(found)


def _is_harmless(action: Any) -> bool:
    """Say whether an action only shows another place. `/A` and `/OpenAction` may also be a place itself."""
    from pikepdf import Array, Dictionary

    if isinstance(action, Dictionary):
        return "/S" not in action or str(action["/S"]) in _HARMLESS_ACTIONS
    if isinstance(action, Array):
        return not any(isinstance(item, Dictionary) and "/S" in item and not _is_harmless(item) for item in action)
    return True


def _strip_annotations(found: Any) -> int:
    from pikepdf import Array

    if not isinstance(found.get("/Annots"), Array):
        return 0
    notes = list(found["/Annots"])
    kept = [note for note in notes if not _is_active(note)]
    if len(kept) < len(notes):
        found["/Annots"] = Array(kept)
    return len(notes) - len(kept)


def _is_active(note: Any) -> bool:
    from pikepdf import Dictionary

    return isinstance(note, Dictionary) and str(note.get("/Subtype", "")) in _ACTIVE_ANNOTATIONS
