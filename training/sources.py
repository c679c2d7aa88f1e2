"""Whose work a model was trained on, and under what licence: what model.json says of its sources."""

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from training.dataset import Source

METADATA: Final = "metadata.csv"
"""In a dataset's folder, a row per file: ``file``; ``licence_text``, ``maintainer``, ``title`` if known."""
NOT_STATED: Final = "not stated"


def read_table(path: Path | None) -> dict[str, dict[str, str]]:
    """Return what a JSON file says of datasets: folder name to ``name``, ``licence`` and ``attribution``."""
    return json.loads(path.read_text(encoding="utf-8")) if path else {}


def credited(sources: Iterable[Source], table: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """Return the sources of some files, one entry per dataset and licence.

    Args:
        sources: the files.
        table: what is known of whole datasets, see `read_table`; what `METADATA` says of a file comes first.
    """
    entries: dict[tuple[str, str], dict[str, Any]] = {}
    rows: dict[Path, dict[str, dict[str, str]]] = {}
    for source in sources:
        folder = source.folder
        if folder not in rows:
            rows[folder] = _rows(folder / METADATA)
        row = rows[folder].get(source.path.name, {})
        known = table.get(folder.name, {})
        licence = row.get("licence_text") or known.get("licence", NOT_STATED)
        entry = entries.setdefault(
            (folder.name, licence),
            {"name": known.get("name", folder.name), "licence": licence, "attribution": set(), "files": {}},
        )
        by = row.get("maintainer") or known.get("attribution", NOT_STATED)
        entry["attribution"].add(by)
        file = {"file": source.file} | ({"title": row["title"]} if row.get("title") else {})
        entry["files"][source.file] = file  # one entry, however many pieces are in it
    for entry in entries.values():
        entry["attribution"] = ", ".join(sorted(entry["attribution"]))
        entry["files"] = [*entry["files"].values()]
    return list(entries.values())


def _rows(metadata: Path) -> dict[str, dict[str, str]]:
    """Return the rows of a metadata.csv by file name."""
    if not metadata.exists():
        return {}
    with metadata.open(newline="", encoding="utf-8") as file:
        return {Path(row["file"]).name: row for row in csv.DictReader(file)}
