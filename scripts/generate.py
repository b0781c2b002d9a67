"""Writes what is generated from the code: schemas of jobs and of the HTTP API, the diagram, the CRD, and references.

With `--check` it writes nothing, and ends with 1 where something is out of date.
"""

import json
import re
import sys
from pathlib import Path

import yaml

from edworkers.core.lifecycle import diagram
from edworkers.core.metric_reference import metrics_reference
from edworkers.handlers.registry import PLATFORM, find_module, schema
from edworkers.server.api.routes import api_document
from edworkers_operator.crd import make_crd
from edworkers_operator.crd.reference import make_reference

TOP = Path(__file__).resolve().parents[1]
_DIAGRAM = re.compile(r"(?<=```mermaid\n)stateDiagram.*?(?=\n```)", re.DOTALL)
_HEAD = "# Generated from operator/edworkers_operator by make generate: change it there.\n"


def generated() -> dict[Path, str]:
    """Give each generated file with its text."""
    architecture = TOP / "ARCHITECTURE.md"
    files = {
        architecture: _DIAGRAM.sub(diagram(), architecture.read_text(encoding="utf-8")),
        TOP / "manifests" / "crd.yaml": crd_text(),
        TOP / "charts" / "crds" / "workerpools.yaml": crd_text(),
        TOP / "docs" / "reference" / "workerpool.md": make_reference(),
        TOP / "docs" / "reference" / "metrics.md": metrics_reference(),
    }
    documents = {TOP / "docs" / "reference" / "openapi.json": api_document()}
    for queue, module in PLATFORM.items():
        documents[TOP / "docs" / "schemas" / f"{queue}.json"] = schema(find_module(module))
    for path, document in documents.items():
        files[path] = f"{json.dumps(document, indent=2, ensure_ascii=False)}\n"
    return files


def crd_text() -> str:
    """Write the CRD as YAML."""
    # Anchors would be legal, and would puzzle every reader.
    plain = json.loads(json.dumps(make_crd()))
    return _HEAD + str(yaml.safe_dump(plain, sort_keys=False, width=120, allow_unicode=True))


def outdated() -> dict[Path, str]:
    """Give those whose text isn't what it should be."""
    return {
        path: text
        for path, text in generated().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    }


def main() -> None:
    """Write, or check."""
    found = outdated()
    if "--check" in sys.argv[1:]:
        for path in found:
            print(f"{path.relative_to(TOP)} is out of date: run make generate")
        sys.exit(bool(found))
    for path, text in found.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"written: {path.relative_to(TOP)}")


if __name__ == "__main__":
    main()
