"""The data sets that an analysis is asked for: checked in a second, opened when all is right."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pandas as pd

from interp_embed.cli.grouped import grouped_options
from interp_embed.errors import InputError
from interp_embed.store import Header, Store, documents_digest
from interp_embed.tables import is_missing, read_table, require_column

if TYPE_CHECKING:
    from interp_embed.dataset import Dataset

_SHOWN = 8
_BUNDLED = "minilm-l3"
"""The SAE that comes with this library, which has no labels of its own."""


@dataclass(frozen=True, slots=True)
class EncodeOptions:
    """How a table is encoded, as given."""

    text: str | None
    sae: str | None
    features: int
    device: str | None


encode_options = grouped_options(
    EncodeOptions,
    "encoding",
    (
        click.option("--text", metavar="COL", help="For a table file: column with the documents."),
        click.option(
            "--sae",
            metavar="NAME",
            help="For a table file: SAE to encode it with, as for `encode`.  [default: the one "
            "that comes with this library]",
        ),
        click.option(
            "--features",
            type=int,
            default=256,
            show_default=True,
            metavar="M",
            help="With --sae embedding: features of the SAE.",
        ),
        click.option("--device", metavar="NAME", help="Where to run the reader."),
    ),
)
"""Add the options for table files; the command gets them as ``encoding``."""


@dataclass(frozen=True, slots=True)
class DataSource:
    """A data set on disk, or a table that is encoded first."""

    folder: Path
    """Where the data set is, or will be."""
    table: pd.DataFrame | None
    """What is to be encoded; None where the folder holds it already."""
    encoding: EncodeOptions

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of the user's table."""
        if self.table is not None:
            return tuple(map(str, self.table.columns))
        empty = Store.open(self.folder).load_documents([])
        return tuple(map(str, empty.columns))

    def column(self, name: str, *, option: str) -> "pd.Series[Any]":
        """Return a column of the user's table.

        Raises:
            InputError: There is none of that name.
        """
        if self.table is not None:
            return require_column(self.table, name, purpose=option)
        store = Store.open(self.folder)
        require_column(store.load_documents([]), name, purpose=option)
        return store.load_documents(columns=[name])[name]

    def check_columns(self, names: Sequence[str], *, option: str) -> None:
        """Check that columns are there.

        Raises:
            InputError: One is not.
        """
        frame = pd.DataFrame(columns=list(self.columns))
        for name in names:
            require_column(frame, name, purpose=option)

    def check_value(self, by: str, value: str, *, option: str) -> None:
        """Check that some document has a value in a column.

        Raises:
            InputError: None has; the message names what there is.
        """
        known = [str(one) for one in self.column(by, option="--by") if not is_missing(one)]
        distinct = list(dict.fromkeys(known))
        if value in distinct:
            return
        close = difflib.get_close_matches(value, distinct, n=1)
        meant = f" Did you mean {close[0]!r}?" if close else ""
        shown = ", ".join(one[:40] for one in distinct[:_SHOWN])
        more = f", … ({len(distinct)} in all)" if len(distinct) > _SHOWN else ""
        raise InputError(
            f"{option}: no document has {value!r} in column {by!r}.{meant} Its values are: "
            f"{shown}{more}"
        )

    @property
    def n_features(self) -> int | None:
        """Number of features; None where it is not encoded yet."""
        return None if self.table is not None else Store.open(self.folder).header.n_features

    def check_features(self, features: Sequence[int], *, option: str) -> None:
        """Check that features are of this data set.

        Raises:
            InputError: One is not.
        """
        n = self.n_features
        for feature in features:
            if feature < 0 or (n is not None and feature >= n):
                last = "" if n is None else f" to {n - 1}"
                raise InputError(
                    f"{option}: there is no feature {feature}; use a number from 0{last}"
                )

    def check_labels(self, *, purpose: str, otherwise: str = "") -> None:
        """Check that features have labels, or that there may be pre-made ones for their SAE.

        Args:
            purpose: What needs them.
            otherwise: What can be done without.

        Raises:
            InputError: There are none.
        """
        if self.table is None:
            store = Store.open(self.folder)
            if store.label_names() or _may_be_labelled(store.header):
                return
            raise InputError(
                f"{purpose} needs labels, and the features of {self.folder} have none yet: run "
                f"interp-embed label {self.folder}{otherwise}"
            )
        raise InputError(
            f"{purpose} needs labels: run interp-embed encode FILE --text {self.encoding.text} "
            f"--out {self.folder}, then interp-embed label {self.folder}{otherwise}"
        )

    def texts(self) -> list[Any]:
        """Return the documents, as given."""
        if self.table is not None:
            return self.table[self.encoding.text].tolist()
        store = Store.open(self.folder)
        field = store.header.text_field
        return store.load_documents(columns=[field])[field].tolist()

    def open(self, *, quiet: bool) -> "Dataset":
        """Return the data set; a table is encoded first."""
        from interp_embed.dataset import Dataset  # ten seconds: not before all is checked

        if self.table is None:
            return Dataset.load_from_file(
                self.folder,
                resume=self.encoding.text is not None,
                device=self.encoding.device,
                progress=not quiet,
            )
        from interp_embed.cli.encode import choose_sae

        given, text = self.encoding, str(self.encoding.text)
        sae = choose_sae(given.sae, None, None, None, given.features, given.device)
        click.echo(f"Encoding into {self.folder}; the next analysis takes it from there.", err=True)
        return Dataset(self.table, sae, field=text, save_path=self.folder, progress=not quiet)


def find_source(path: Path, encoding: EncodeOptions) -> DataSource:
    """Return what a path names: the folder of a data set, or a table and the folder for it.

    A table that was encoded before, into the folder named after it, is not encoded again; where
    its documents are others by now, that is an error.

    Raises:
        InputError: There is nothing at the path, it is no data set, or ``--text`` is missing.
        StoredFileError: The data set is damaged.
    """
    if path.is_dir():
        if not (path / "dataset.json").exists():
            raise InputError(
                f"{path} is a folder, but not of a data set; make one with: interp-embed encode "
                f"FILE --text COL --out {path.name}-features"
            )
        if encoding.text is not None or encoding.sae is not None:
            raise InputError(f"--text and --sae are for table files; {path} is a data set already")
        Store.open(path)
        return DataSource(path, None, encoding)
    check_exists(path)
    table = read_table(path)
    if encoding.text is None:
        raise InputError(
            f"{path} is a table: name the column with its documents with --text; the columns are: "
            f"{', '.join(map(str, table.columns))}"
        )
    require_column(table, encoding.text, purpose="--text")
    folder = Path(f"{path.name.split('.')[0]}-features")
    if (folder / "dataset.json").exists() and encoding.sae is None:
        return _encoded_before(folder, path, table, encoding)
    return DataSource(folder, table, encoding)


def _encoded_before(
    folder: Path, path: Path, table: pd.DataFrame, encoding: EncodeOptions
) -> DataSource:
    """Return the data set that was made of a table.

    Raises:
        InputError: It holds other documents.
    """
    header = Store.open(folder).header
    texts = table[encoding.text]
    if header.text_field != encoding.text or header.documents_digest != documents_digest(texts):
        raise InputError(
            f"{folder} holds a data set of other documents than column {encoding.text!r} of "
            f"{path}; encode the table into a folder of its own (interp-embed encode {path} "
            f"--text {encoding.text} --out DIR) and name that"
        )
    return DataSource(folder, None, encoding)


def _may_be_labelled(header: Header) -> bool:
    """Whether labels of the SAE may have been made by others; only released ones have any."""
    release = header.reload.get("release")
    return header.source.get("kind") == "reader" and release not in (None, _BUNDLED)


def check_exists(path: Path) -> None:
    """Check that there is something at a path.

    Raises:
        InputError: There is not; what is called nearly so is named.
    """
    if not path.exists():
        raise InputError(f"{path} does not exist{_near(path)}")


def _near(path: Path) -> str:
    """Suggest a data set or file beside a path that does not exist."""
    if not path.parent.is_dir():
        return f": there is no folder {path.parent}"
    names = [entry.name for entry in path.parent.iterdir() if not entry.name.startswith(".")]
    close = difflib.get_close_matches(path.name, names, n=1, cutoff=0.5)
    return f"; did you mean {str(path.parent / close[0])!r}?" if close else ""


def find_sources(paths: Sequence[Path], encoding: EncodeOptions) -> list[DataSource]:
    """Return the data sets of a command that takes several.

    Raises:
        InputError: One is not there or named twice, or tables cannot get one SAE.
    """
    if len({path.resolve() for path in paths}) < len(paths):
        raise InputError(f"{paths[0]} is named twice; name two data sets")
    tables = [path for path in paths if path.is_file()]
    folders = [path for path in paths if path.is_dir()]
    if tables and folders:
        raise InputError(
            f"{tables[0]} is a table and {folders[0]} a data set: encode the table with the SAE of "
            f"{folders[0]} first (interp-embed encode {tables[0]} --text COL --sae NAME)"
        )
    if len(tables) > 1 and encoding.sae == "embedding":
        raise InputError(
            "--sae embedding trains an SAE on each table's own documents, whose features cannot be "
            "compared; put the tables into one with a column that tells them apart, and use --by"
        )
    return [find_source(path, encoding) for path in paths]
