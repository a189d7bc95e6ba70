"""Events of the files of a library: scans, imports, renames."""

from __future__ import annotations

from datetime import timedelta
from pathlib import PurePath

from store.recording import SYSTEM, Actor
from store.typed.events import Statement, TypedEvents, duration_ms, records
from store.typed.media import Work, about


class LibraryEvents(TypedEvents):
    """What happens to the files of a library.

    The resource of a scan is `library/<name>`, that of a file is its item, with an episode as secondary
    resource. Metadata, of which None is left out:

    ========================  ==================================================================
    `library.scan_started`    `path`; running
    `library.scan_completed`  `path`, `files_imported`, `files_total`, `duration_ms`; completed
    `library.file_imported`   `title`, `path`, `size_bytes`; imported
    `library.file_renamed`    `title`, `before`, `after` (paths)
    ========================  ==================================================================

    The word after the semicolon is the status.
    """

    @records("library.scan_started")
    def scan_started(
        self, path: str | PurePath, actor: Actor = SYSTEM, *, library: str = "main"
    ) -> Statement:
        """Someone or something looks for new files under `path`."""
        return Statement(actor, ("library", library), status="running", metadata={"path": path})

    @records("library.scan_completed")
    def scan_completed(
        self,
        path: str | PurePath,
        actor: Actor = SYSTEM,
        *,
        files_imported: int,
        files_total: int | None = None,
        duration: timedelta | float | None = None,
        library: str = "main",
    ) -> Statement:
        """All under `path` was looked at, in `duration` seconds; `files_total` is what the library holds now."""
        facts = {
            "path": path,
            "files_imported": files_imported,
            "files_total": files_total,
            "duration_ms": duration_ms(duration),
        }
        return Statement(actor, ("library", library), status="completed", metadata=facts)

    @records("library.file_imported")
    def file_imported(
        self,
        work: Work,
        actor: Actor = SYSTEM,
        *,
        path: str | PurePath,
        size_bytes: int | None = None,
    ) -> Statement:
        """A file of `work` is in the library now, at `path`."""
        resource, secondary, title = about(work)
        facts = {"title": title, "path": path, "size_bytes": size_bytes}
        return Statement(actor, resource, secondary, "imported", metadata=facts)

    @records("library.file_renamed")
    def file_renamed(
        self,
        work: Work,
        actor: Actor = SYSTEM,
        *,
        before: str | PurePath,
        after: str | PurePath,
    ) -> Statement:
        """A file of `work` has another path."""
        resource, secondary, title = about(work)
        facts = {"title": title, "before": before, "after": after}
        return Statement(actor, resource, secondary, metadata=facts)
