"""Which hypotheses were tested on which documents, in a file that outlives the study.

One line of JSON for each set of hypotheses that confirm documents were opened for. Only digests
are written: no text, no label.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Self

from interp_embed._files import cache_root

LedgerLike = Path | Literal["default"] | None
"""A file, the one in the user's cache folder, or none."""

_NAME = "ledger.jsonl"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Opening:
    """Confirm documents were opened for a set of hypotheses."""

    documents: str
    """Digest of the confirm documents and their target."""
    plan: str
    """Digest of the hypotheses."""
    settings: str
    """Digest of the study's settings."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the ledger says about an opening."""

    n_earlier: int
    """Other plans that these documents were opened for before this one was first."""
    problem: str = ""
    """Why the file could not be read or written, in words; empty if it could."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """A file of openings, which only grows."""

    path: Path

    @classmethod
    def open(cls, where: LedgerLike) -> Self | None:
        """Return the ledger in a file, which need not exist yet; None for None."""
        if where is None:
            return None
        return cls(cache_root() / _NAME if where == "default" else Path(where).expanduser())

    def record(self, opening: Opening) -> Recorded:
        """Write an opening, unless it is there, and return how many plans came before.

        The same opening again changes nothing and gets the same answer. Whatever fails is
        reported and stops nothing. Two processes may write at once: a line is appended in one
        piece.
        """
        try:
            before = self.path.read_bytes() if self.path.exists() else b""
            entries, n_unreadable = _parse(before)
            if opening not in entries:
                self._append(opening, before)
        except OSError as error:
            return Recorded(0, f"the ledger {self.path} cannot be used ({error.strerror or error})")
        earlier: set[str] = set()
        for entry in entries:
            if entry.documents == opening.documents:
                if entry.plan == opening.plan:
                    break
                earlier.add(entry.plan)
        problem = f"{n_unreadable} lines of the ledger {self.path} cannot be read"
        return Recorded(len(earlier), problem if n_unreadable else "")

    def _append(self, opening: Opening, before: bytes) -> None:
        line = json.dumps({"format": _FORMAT} | asdict(opening)).encode() + b"\n"
        # A line that a kill cut off must not swallow this one.
        whole = before.endswith(b"\n") or not before
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab", buffering=0) as file:  # appended by the system in one piece
            file.write(line if whole else b"\n" + line)


def _parse(content: bytes) -> tuple[list[Opening], int]:
    """Return the openings in a ledger's lines, and how many lines cannot be read."""
    found: list[Opening] = []
    n_unreadable = 0
    for line in content.splitlines():
        try:
            fields = json.loads(line) if line.strip() else None
            if fields is not None:
                names = ("documents", "plan", "settings")
                found.append(Opening(*(str(fields[name]) for name in names)))
        except (ValueError, KeyError, TypeError):  # cut off, or by another program
            n_unreadable += 1
    return found, n_unreadable
