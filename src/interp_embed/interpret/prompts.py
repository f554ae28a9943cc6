"""Prompts as text files: the ones shipped, or the user's own, with their version."""

import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal, Self, get_args

from interp_embed._fingerprint import digest_text
from interp_embed.errors import InputError
from interp_embed.llm.records import Message, Role

Purpose = Literal[
    "annotate",
    "label",
    "refine",
    "propose",
    "keyphrases",
    "rank_labels",
    "rank_texts",
    "summarise",
    "name_clusters",
]

_REQUIRED: dict[Purpose, tuple[str, ...]] = {
    "annotate": ("concepts", "text"),
    "label": ("positive", "negative"),
    "refine": ("label", "positive", "negative"),
    "propose": ("first", "second", "n"),
    "keyphrases": ("query", "n"),
    "rank_labels": ("query", "labels"),
    "rank_texts": ("query", "texts"),
    "summarise": ("labels", "n"),
    "name_clusters": ("clusters", "n"),
}
_OPTIONAL: dict[Purpose, tuple[str, ...]] = {
    "annotate": (),
    "label": ("instructions",),
    "refine": ("instructions",),
    "propose": ("instructions",),
    "keyphrases": (),
    "rank_labels": (),
    "rank_texts": (),
    "summarise": ("instructions",),
    "name_clusters": ("query",),
}
_PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)\}")
_SECTION = re.compile(r"\[(system|user)\][ \t]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question with gaps.

    The file has a line ``[system]`` (which may be left out) and a line ``[user]``, each followed
    by what is said. A name in braces is a gap: ``{concepts}`` and ``{text}`` to annotate;
    ``{positive}``, ``{negative}`` and, if wanted, ``{instructions}`` to label; to refine a label
    also ``{label}``; ``{first}``, ``{second}``, ``{n}`` and, if wanted, ``{instructions}`` to
    propose concepts; ``{query}`` with ``{n}``, ``{labels}`` or ``{texts}`` to search;
    ``{labels}``, ``{n}`` and, if wanted, ``{instructions}`` to sum them up;
    ``{clusters}``, ``{n}`` and, if wanted, ``{query}`` to name clusters.
    """

    name: str
    version: str
    """First 8 digits of the SHA-256 of the file's text."""
    system: str
    user: str
    source: str
    """The file, for errors."""

    @classmethod
    def load(cls, name_or_path: str | Path, *, purpose: Purpose | None = None) -> Self:
        """Read a prompt.

        Args:
            name_or_path: ``annotate``, ``label``, ``refine``, ``propose``, ``keyphrases``,
                ``rank_labels`` or ``rank_texts`` for the ones shipped, else a file.
            name_or_path: ``annotate``, ``label``, ``refine``, ``propose`` or ``summarise`` for the
                ones shipped, else a file.
            purpose: What it is for, which says the gaps it must and may have; None for that of
                its name.

        Raises:
            InputError: The file cannot be read, lacks a section or a gap, or has an unknown one.
        """
        name, content = _read(name_or_path)
        source = str(name_or_path)
        sections = _split(content, source)
        found = _PLACEHOLDER.findall(" ".join(sections.values()))
        for_what = purpose or next((known for known in get_args(Purpose) if known == name), None)
        if for_what is not None:
            _check_placeholders(found, for_what, source)
        return cls(
            name=name,
            version=digest_text(content)[:8],
            system=sections.get("system", ""),
            user=sections["user"],
            source=source,
        )

    @property
    def kind(self) -> str:
        """Name and version, such as ``annotate-1f0c9a3e``."""
        return f"{self.name}-{self.version}"

    def has(self, placeholder: str) -> bool:
        """Whether there is a gap of this name."""
        return placeholder in _PLACEHOLDER.findall(f"{self.system} {self.user}")

    def fill(self, **values: str) -> tuple[Message, ...]:
        """Return the messages with every gap filled, in one pass: values may hold braces.

        Raises:
            InputError: There is no value for a gap.
        """

        def value(match: re.Match[str]) -> str:
            if match[1] not in values:
                raise InputError(
                    f"the prompt {self.source} has the placeholder {{{match[1]}}}, for which there "
                    f"is no value here; known are: {', '.join(sorted(values))}"
                )
            return values[match[1]]

        turns: tuple[tuple[Role, str], ...] = (("system", self.system), ("user", self.user))
        return tuple(
            Message(role, _PLACEHOLDER.sub(value, text).strip()) for role, text in turns if text
        )


def _read(name_or_path: str | Path) -> tuple[str, str]:
    if name_or_path in get_args(Purpose):
        name = str(name_or_path)
        shipped = files("interp_embed.interpret").joinpath("prompts", f"{name}.txt")
        return name, shipped.read_text(encoding="utf-8")
    path = Path(name_or_path).expanduser()
    try:
        return path.stem, path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"the prompt {str(name_or_path)!r} cannot be read ({error}); give a UTF-8 text file, "
            f"or one of the names {', '.join(get_args(Purpose))}"
        ) from error


def _split(content: str, source: str) -> dict[str, str]:
    """Return what is said, by role."""
    sections: dict[str, list[str]] = {}
    role = ""
    for line in content.splitlines():
        heading = _SECTION.fullmatch(line)
        if heading and heading[1] in sections:
            raise InputError(f"the prompt {source} has two sections [{heading[1]}]; keep one")
        if heading:
            role = heading[1]
            sections[role] = []
        elif role:
            sections[role].append(line)
        elif line.strip():
            raise InputError(
                f"the prompt {source} must begin with a line [system] or [user], but begins "
                f"{line[:40]!r}"
            )
    said = {role: "\n".join(lines).strip("\n") for role, lines in sections.items()}
    if not said.get("user", "").strip():
        raise InputError(f"the prompt {source} has nothing in a section [user]; add it")
    return said


def _check_placeholders(found: list[str], purpose: Purpose, source: str) -> None:
    known = (*_REQUIRED[purpose], *_OPTIONAL[purpose])
    for name in found:
        if name not in known:
            raise InputError(
                f"the prompt {source} has the unknown placeholder {{{name}}}; to {purpose}, there "
                f"are {', '.join(f'{{{k}}}' for k in known)}"
            )
    for name in _REQUIRED[purpose]:
        if name not in found:
            raise InputError(
                f"the prompt {source} lacks the placeholder {{{name}}}, without which it cannot "
                f"{purpose}; add it"
            )
