"""Pickles read without calling anything they name.

A pickle is a program: it names functions and says what to call them with. Here every name it may
use stands for a record that only notes what it was given, so that reading a file calls nothing but
the records' own constructor. What the records mean is worked out afterwards, value by value, by
code that checks it (``_pickled_arrays``, ``_pickled_frame``). A name that no data set of the
predecessor uses is refused before anything is made of it.

A hostile file can therefore cost time and memory, and nothing else.
"""

import mmap
import pickle
import struct
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from interp_embed.errors import InputError, StoredFileError

MAX_BYTES = 64 * 2**30
"""Largest file read: four times what 50,000 documents of 300 tokens with 65,536 features take."""

_INTEGERS = tuple(f"{sign}Int{bits}Dtype" for sign in ("", "U") for bits in (8, 16, 32, 64))

# By what a value is, under every name that pandas 1.5-3.1, numpy 1.20-2.5 and scipy 1.8-1.17 write.
_KINDS: dict[str, tuple[str, ...]] = {
    "ndarray": ("numpy.ndarray",),
    "dtype": ("numpy.dtype",),
    "reconstruct": (
        "numpy.core.multiarray._reconstruct",
        "numpy._core.multiarray._reconstruct",
    ),
    "frombuffer": ("numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer"),
    "scalar": ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar"),
    "csr": (
        "scipy.sparse._csr.csr_matrix",
        "scipy.sparse._csr.csr_array",
        "scipy.sparse.csr.csr_matrix",
    ),
    "newobj": ("copyreg._reconstructor", "copy_reg._reconstructor"),
    "object": ("builtins.object", "__builtin__.object"),
    "encode": ("_codecs.encode",),
    "slice": ("builtins.slice", "__builtin__.slice"),
    "set": ("builtins.set", "__builtin__.set"),
    "frozenset": ("builtins.frozenset", "__builtin__.frozenset"),
    "bytearray": ("builtins.bytearray", "__builtin__.bytearray"),
    "ordered": ("collections.OrderedDict",),
    "enum": (
        "interp_embed.sae.base_sae.SAEType",
        "interp_embed.sae.SAEType",
    ),
    "device": ("torch.device",),
    "frame": ("pandas.DataFrame", "pandas.core.frame.DataFrame"),
    "manager": ("pandas.core.internals.managers.BlockManager",),
    "block": ("pandas._libs.internals._unpickle_block",),
    "new_index": ("pandas.core.indexes.base._new_Index",),
    "index": ("pandas.Index", "pandas.core.indexes.base.Index"),
    "range_index": ("pandas.RangeIndex", "pandas.core.indexes.range.RangeIndex"),
    "backed": ("pandas._libs.arrays.__pyx_unpickle_NDArrayBacked",),
    "string_array": (
        "pandas.arrays.StringArray",
        "pandas.core.arrays.string_.StringArray",
    ),
    "arrow_string_array": (
        "pandas.arrays.ArrowStringArray",
        "pandas.core.arrays.string_arrow.ArrowStringArray",
        "pandas.core.arrays.string_arrow.ArrowStringArrayNumpySemantics",
    ),
    "string_dtype": ("pandas.StringDtype", "pandas.core.arrays.string_.StringDtype"),
    "datetime_array": (
        "pandas.arrays.DatetimeArray",
        "pandas.core.arrays.datetimes.DatetimeArray",
    ),
    "datetime_tz": ("pandas.DatetimeTZDtype", "pandas.core.dtypes.dtypes.DatetimeTZDtype"),
    "categorical": (
        "pandas.Categorical",
        "pandas.core.arrays.categorical.Categorical",
    ),
    "categorical_dtype": (
        "pandas.CategoricalDtype",
        "pandas.core.dtypes.dtypes.CategoricalDtype",
    ),
    "masked_array": tuple(
        f"pandas.{place}"
        for place in (
            "arrays.IntegerArray",
            "arrays.FloatingArray",
            "arrays.BooleanArray",
            "core.arrays.integer.IntegerArray",
            "core.arrays.floating.FloatingArray",
            "core.arrays.boolean.BooleanArray",
        )
    ),
    "masked_dtype": tuple(
        f"{place}{dtype}"
        for dtypes, places in (
            (_INTEGERS, ("pandas.", "pandas.core.arrays.integer.")),
            (("Float32Dtype", "Float64Dtype"), ("pandas.", "pandas.core.arrays.floating.")),
            (("BooleanDtype",), ("pandas.", "pandas.core.arrays.boolean.")),
        )
        for dtype in dtypes
        for place in places
    ),
    "timezone": ("datetime.timezone",),
    "timedelta": ("datetime.timedelta",),
    "timestamp": ("pandas._libs.tslibs.timestamps._unpickle_timestamp",),
    "nat": (
        "pandas._libs.tslibs.nattype._nat_unpickle",
        "pandas._libs.tslibs.nattype.__nat_unpickle",
    ),
    "na": ("pandas.NA", "pandas._libs.missing.NA"),
    "arrow_array": ("pyarrow.lib._restore_array",),
    "arrow_chunks": ("pyarrow.lib.chunked_array",),
    "arrow_buffer": ("pyarrow.lib.py_buffer",),
    "arrow_type": ("pyarrow.lib.type_for_alias",),
}
_KIND_OF = {name: kind for kind, names in _KINDS.items() for name in names}

# All that CPython's unpickler raises on bytes that are no pickle or are cut off.
_UNREADABLE = (
    pickle.UnpicklingError,
    AttributeError,
    EOFError,
    ImportError,
    IndexError,
    KeyError,
    MemoryError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)


class Record:
    """A value that a pickle would have made by a call: what was named, and what it was given."""

    __slots__ = ("args", "state")
    kind: ClassVar[str] = ""
    """What it is, such as ``ndarray``; one of the keys of the table of names."""
    name: ClassVar[str] = ""
    """The name in the file, such as ``numpy.ndarray``."""

    def __new__(cls, *args: object, **options: object) -> "Record":
        """Note the arguments; nothing else happens, whatever they are."""
        record = object.__new__(cls)
        record.args = (*args, options) if options else args
        record.state = None
        return record

    def __init__(self, *args: object, **options: object) -> None:
        self.args: tuple[Any, ...]
        self.state: Any

    def __setstate__(self, state: object) -> None:
        """Note the state the file would have set."""
        self.state = state


def read_inert(path: Path, *, max_bytes: int = MAX_BYTES) -> Any:  # noqa: ANN401 - any pickle
    """Return what a pickle holds: plain values, and records where it would have called something.

    Args:
        path: A file.
        max_bytes: Larger files are refused.

    Raises:
        InputError: There is no such file, or it cannot be read.
        StoredFileError: It is no whole pickle, is too large, or names what no data set needs.
    """
    try:
        size = path.stat().st_size
        if not 0 < size <= max_bytes:
            raise StoredFileError(
                f"{path} has {size} bytes; a saved data set has at least 1 and at most {max_bytes}"
            )
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            return _Unpickler(view, path).load()
    except StoredFileError:
        raise
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror or error}); give the file that the "
            "predecessor saved"
        ) from error
    except _UNREADABLE as error:
        raise StoredFileError(
            f"{path} is not a whole pickle ({type(error).__name__}: {str(error)[:200]}); it may be "
            "cut off, or no data set that the predecessor saved"
        ) from error


class _Unpickler(pickle.Unpickler):
    """Gives records for the names it knows, refuses all others, never imports anything."""

    def __init__(self, view: mmap.mmap, path: Path) -> None:
        # Over a map no read asks for more than the file holds, whatever length the file claims.
        super().__init__(view)
        self._path = path
        self._classes: dict[str, type[Record]] = {}

    def find_class(self, module: str, name: str, /) -> type[Record]:
        whole = f"{module}.{name}"
        kind = _KIND_OF.get(whole)
        if kind is None and module == "torch" and name.isidentifier():
            kind = "torch_constant"
        if kind is None:
            raise StoredFileError(
                f"{self._path} names {whole!r}, which no data set of the predecessor needs; it was "
                "not imported or run. The file may be hostile. If it is your own, save the data "
                "set again with plain columns (numbers, text, dates)"
            )
        # A fresh class for each file: one cannot leave anything behind for the next.
        if whole not in self._classes:
            space = {"__slots__": (), "kind": kind, "name": whole}
            self._classes[whole] = type("Record", (Record,), space)
        return self._classes[whole]

    def persistent_load(self, pid: Any, /) -> NoReturn:  # noqa: ANN401 - as in pickle
        raise StoredFileError(
            f"{self._path} refers to an object outside the file ({str(pid)[:80]!r}); "
            "no data set of the predecessor does"
        )
