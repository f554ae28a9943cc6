"""Labels that others made for published SAEs: read from files and public exports, and kept.

That there are no labels and that they could not be fetched are different answers: the first is an
empty mapping, the second an error.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from interp_embed._files import read_json, write_json
from interp_embed._fingerprint import digest_settings
from interp_embed.embedders import default_cache_folder
from interp_embed.errors import InputError, StoredFileError
from interp_embed.interpret._downloads import fetch, unpack
from interp_embed.records import Label

logger = logging.getLogger(__name__)

NEURONPEDIA_URL = "https://neuronpedia-datasets.s3.us-east-1.amazonaws.com"
HUB_URL = "https://huggingface.co"

_VERSION = 1
_MAX_BATCHES = 10_000
_MAX_TEXT = 10_000
"""Characters of a label: longer ones are none."""
_NOT_STATED = "not stated by the source"


@dataclass(frozen=True, slots=True)
class PremadeLabels:
    """Labels by feature, and where they are from."""

    labels: Mapping[int, Label]
    """One a feature; ``n_examples`` is 0, as the documents its maker saw are not known."""
    alternates: Mapping[int, tuple[Label, ...]]
    """Other labels of the same feature, in the order of preference."""
    source: str
    """As asked for."""
    licence: str
    fetched_at: str
    """Time (UTC) at which the source itself was read, in ISO format."""
    n_empty: int
    """Entries without a text, left out."""


def load_premade_labels(
    source: str,
    *,
    n_features: int,
    licence: str | None = None,
    cache_folder: str | Path | None = None,
    refresh: bool = False,
    base_url: str | None = None,
    timeout_s: float = 30.0,
) -> PremadeLabels:
    """Return the labels that a source holds for an SAE.

    Args:
        source: ``neuronpedia:MODEL/SAE``, such as ``neuronpedia:gemma-2-2b/12-gemmascope-res-16k``;
            ``hub:OWNER/REPO/FILE.json``, such as
            ``hub:nickjiang/feature_labels/goodfire/meta-llama/Llama-3.1-8B-Instruct.json``; or
            the path of a file: JSON of the form ``{index: label}``, or JSON lines as in
            Neuronpedia's exports (``.jsonl`` or ``.jsonl.gz``).
        n_features: Features of the SAE: labels of others mean it is another SAE.
        licence: Of the labels, to be recorded; None where the source does not say.
        cache_folder: Where fetched labels are kept; None for the user's cache folder.
        refresh: Fetch again what is kept.
        base_url: Another server with the same layout.
        timeout_s: Of each step of a download.

    Raises:
        InputError: The source does not exist, cannot be fetched, is not of its form, or labels
            features that the SAE does not have. An empty answer never stands for any of these.
        StoredFileError: What is kept is damaged.
    """
    if n_features < 1:
        raise InputError(f"n_features must be at least 1, got {n_features}")
    kind, _, name = source.partition(":")
    if kind not in ("neuronpedia", "hub"):
        found = _Entries.of_file(Path(source).expanduser())
        return _as_labels(found, source, licence or _NOT_STATED, _now(), n_features)
    if kind == "hub":
        base = (base_url or HUB_URL).rstrip("/")
    else:
        base = (base_url or NEURONPEDIA_URL).rstrip("/")
    folder = (
        default_cache_folder().parent / "labels" if cache_folder is None else Path(cache_folder)
    )
    key = digest_settings({"version": _VERSION, "source": source, "base_url": base})
    path = folder / f"{key[:32]}.json"
    if path.exists() and not refresh:
        return _from_cache(path, source, licence, n_features)
    read = _Entries.of_hub if kind == "hub" else _Entries.of_neuronpedia
    entries = read(name, base, timeout_s)
    labels = _as_labels(entries, source, licence or _NOT_STATED, _now(), n_features)
    _keep(path, entries, labels)
    return labels


@dataclass(frozen=True, slots=True)
class _Entry:
    feature: int
    text: str
    maker: str


@dataclass(frozen=True, slots=True)
class _Entries:
    """What a source holds, checked but for the range of the features."""

    entries: tuple[_Entry, ...]
    n_empty: int

    @classmethod
    def of_file(cls, path: Path) -> "_Entries":
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(
                f"the labels {path} cannot be read ({error.strerror or error}); give a file, "
                "neuronpedia:MODEL/SAE or hub:OWNER/REPO/FILE.json"
            ) from error
        if path.suffix == ".gz":
            content = unpack(content, str(path))
        is_lines = ".jsonl" in path.suffixes
        return cls.of_lines(content, str(path)) if is_lines else cls.of_mapping(content, str(path))

    @classmethod
    def of_hub(cls, name: str, base: str, timeout_s: float) -> "_Entries":
        parts = name.split("/")
        _check_parts(parts, least=3, form="hub:OWNER/REPO/FILE.json")
        url = f"{base}/{parts[0]}/{parts[1]}/resolve/main/{'/'.join(parts[2:])}"
        content = fetch(url, timeout_s=timeout_s)
        if content is None:
            raise InputError(f"there are no labels at {url}; check owner, repository and file")
        return cls.of_mapping(content, url)

    @classmethod
    def of_neuronpedia(cls, name: str, base: str, timeout_s: float) -> "_Entries":
        parts = name.split("/")
        _check_parts(parts, least=2, most=2, form="neuronpedia:MODEL/SAE")
        found: list[_Entries] = []
        for batch in range(_MAX_BATCHES):
            url = f"{base}/v1/{name}/explanations/batch-{batch}.jsonl.gz"
            content = fetch(url, timeout_s=timeout_s)
            if content is None:
                break
            found.append(cls.of_lines(unpack(content, url), url))
        if not found:
            raise InputError(
                f"Neuronpedia exports no labels for {name!r} (no {url}); check the name, which is "
                "MODEL/SAE as in the address of the SAE's page"
            )
        after = f"{base}/v1/{name}/explanations/batch-{len(found) + 1}.jsonl.gz"
        if fetch(after, timeout_s=timeout_s) is not None:
            raise InputError(f"the labels of {name!r} have a gap: there is {after}, but not {url}")
        entries = tuple(entry for own in found for entry in own.entries)
        return cls(entries, sum(own.n_empty for own in found))

    @classmethod
    def of_mapping(cls, content: bytes, where: str) -> "_Entries":
        """Read ``{index: label}``."""
        plain = _parse(content, where)
        if not isinstance(plain, dict):
            raise InputError(f"{where} holds {type(plain).__name__}, not {{index: label}}")
        return cls._of_pairs([(key, text, "") for key, text in plain.items()], where)

    @classmethod
    def of_lines(cls, content: bytes, where: str) -> "_Entries":
        """Read Neuronpedia's lines: a feature's index, a description and what made it."""
        pairs = []
        for number, line in enumerate(content.splitlines(), start=1):
            if not line.strip():
                continue
            plain = _parse(line, f"line {number} of {where}")
            if not isinstance(plain, dict) or "index" not in plain or "description" not in plain:
                raise InputError(
                    f"line {number} of {where} has no index and description; it is no export of "
                    "Neuronpedia's explanations"
                )
            maker = " ".join(
                str(plain[field])
                for field in ("typeName", "explanationModelName")
                if isinstance(plain.get(field), str)
            )
            pairs.append((plain["index"], plain["description"], maker))
        return cls._of_pairs(pairs, where)

    @classmethod
    def _of_pairs(cls, pairs: Sequence[tuple[Any, Any, str]], where: str) -> "_Entries":
        entries, n_empty = [], 0
        for key, text, maker in pairs:
            feature = _index(key, where)
            if not (text is None or isinstance(text, str)) or len(text or "") > _MAX_TEXT:
                raise InputError(
                    f"{where}: the label of feature {feature} is no text of at most {_MAX_TEXT} "
                    f"characters, but {type(text).__name__}"
                )
            words = " ".join((text or "").split())
            if words:
                entries.append(_Entry(feature, words, maker[:200]))
            else:
                n_empty += 1
        return cls(tuple(entries), n_empty)


def _check_parts(parts: Sequence[str], *, least: int, form: str, most: int | None = None) -> None:
    good = all(part and set(part) <= _NAME and set(part) != {"."} for part in parts)
    if not good or len(parts) < least or (most is not None and len(parts) > most):
        raise InputError(f"{'/'.join(parts)!r} is no name of labels; give {form}")


_NAME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def _parse(content: bytes, where: str) -> Any:  # noqa: ANN401 - JSON is any
    try:
        return json.loads(content.decode("utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        begins = content[:20].decode("ascii", "replace")
        raise InputError(
            f"{where} is not JSON ({str(error)[:100]}); it begins {begins!r}"
        ) from error


def _index(key: object, where: str) -> int:
    if isinstance(key, int) and not isinstance(key, bool) and key >= 0:
        return key
    if isinstance(key, str) and key.isascii() and key.isdecimal() and len(key) < 12:
        return int(key)
    raise InputError(f"{where}: {str(key)[:40]!r} is no index of a feature; use 0, 1, 2 …")


def _as_labels(
    found: _Entries, source: str, licence: str, fetched_at: str, n_features: int
) -> PremadeLabels:
    """Return one label a feature, the same one whatever the order of the entries.

    The maker that labelled most features comes first, then makers and texts by alphabet.
    """
    outside = [entry.feature for entry in found.entries if entry.feature >= n_features]
    if outside:
        raise InputError(
            f"{source} labels feature {max(outside)}, but the SAE has {n_features}; these are the "
            "labels of another SAE"
        )
    made: dict[str, int] = {}
    for entry in found.entries:
        made[entry.maker] = made.get(entry.maker, 0) + 1
    labels: dict[int, list[Label]] = {}
    for entry in sorted(
        set(found.entries), key=lambda e: (e.feature, -made[e.maker], e.maker, e.text)
    ):
        maker = f"{source} ({entry.maker})" if entry.maker else source
        labels.setdefault(entry.feature, []).append(Label(entry.feature, entry.text, maker, 0))
    if found.n_empty:
        logger.info("%s: %d entries have no text and are left out", source, found.n_empty)
    return PremadeLabels(
        labels={feature: own[0] for feature, own in labels.items()},
        alternates={feature: tuple(own[1:]) for feature, own in labels.items() if len(own) > 1},
        source=source,
        licence=licence,
        fetched_at=fetched_at,
        n_empty=found.n_empty,
    )


def _keep(path: Path, found: _Entries, labels: PremadeLabels) -> None:
    content = {
        "version": _VERSION,
        "source": labels.source,
        "licence": labels.licence,
        "fetched_at": labels.fetched_at,
        "n_empty": found.n_empty,
        "entries": [list(asdict(entry).values()) for entry in found.entries],
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, content)
    except OSError as error:
        logger.warning(
            "the labels of %s could not be kept in %s (%s); they are fetched again next time",
            labels.source,
            path.parent,
            error,
        )


def _from_cache(path: Path, source: str, licence: str | None, n_features: int) -> PremadeLabels:
    stored = read_json(path)
    damaged = StoredFileError(
        f"{path} does not hold the labels of {source}; delete it, and they are fetched again"
    )
    if not isinstance(stored, dict) or stored.get("version") != _VERSION:
        raise damaged
    if stored.get("source") != source or not isinstance(stored.get("n_empty"), int):
        raise damaged
    rows = stored.get("entries")
    if not isinstance(rows, list) or not all(_is_entry(row) for row in rows):
        raise damaged
    found = _Entries(tuple(_Entry(*row) for row in rows), stored["n_empty"])
    kept = licence or str(stored.get("licence", _NOT_STATED))
    return _as_labels(found, source, kept, str(stored.get("fetched_at", "")), n_features)


def _is_entry(row: object) -> bool:
    return (
        isinstance(row, list)
        and [type(part) for part in row] == [int, str, str]
        and row[0] >= 0
        and bool(row[1])
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
