"""The options of ``interp-embed hypotheses``, in groups: columns, outcome, test, features."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from interp_embed.cli.grouped import grouped_options
from interp_embed.errors import InputError

# Choices and defaults are those of the library, whose import takes seconds; a test compares them.


@dataclass(frozen=True, slots=True)
class ColumnOptions:
    """Names of columns, as given."""

    text: str
    second: str | None
    target: str
    groups: str | None
    covariates: tuple[str, ...]
    strata: str | None


@dataclass(frozen=True, slots=True)
class OutcomeOptions:
    """How the target is to be understood, as given."""

    kind: str
    order: str | None
    positive: str | None

    def arguments(self) -> dict[str, Any]:
        """Return what was asked for, as arguments of ``find_hypotheses``.

        Raises:
            InputError: An order is given for a kind that has none.
        """
        given: dict[str, Any] = {"positive": self.positive}
        if self.kind != "auto":
            given["target_kind"] = self.kind
        if self.order is None:
            return given
        if self.kind not in ("auto", "ordinal"):
            raise InputError(f"--order is of an ordinal target, not of --kind {self.kind}")
        words = [word.strip() for word in self.order.split(",")]
        if len(words) < 3 or not all(words):
            raise InputError(
                f'--order must name at least three values, lowest first, such as "low,mid,high"; '
                f"got {self.order!r}"
            )
        return given | {"target_kind": "ordinal", "order": words}


@dataclass(frozen=True, slots=True)
class TestOptions:
    """How hypotheses are tested, as given."""

    __test__ = False  # no test, whatever its name begins with

    confirm_share: float
    tune_share: float
    level: float
    correction: str
    model: str
    no_length_control: bool
    stop_without_signal: bool
    ledger: Path | None
    no_ledger: bool

    def settings(self) -> dict[str, Any]:
        """Return what was asked for, as settings of a study; defaults stay the library's."""
        given: dict[str, Any] = {
            "confirm_share": self.confirm_share,
            "level": self.level,
            "correction": self.correction,
        }
        if self.tune_share:
            given["tune_share"] = self.tune_share
        if self.model != "auto":
            given["model"] = self.model
        if self.no_length_control:
            given["control_length"] = False
        if self.stop_without_signal:
            given["without_signal"] = "stop"
        return given

    def arguments(self) -> dict[str, Any]:
        """Return what was asked for, as arguments of ``find_hypotheses``.

        Raises:
            InputError: A ledger is both named and unwanted.
        """
        if self.no_ledger and self.ledger is not None:
            raise InputError("--ledger and --no-ledger contradict each other; leave one out")
        if self.no_ledger:
            return {"ledger": None}
        return {} if self.ledger is None else {"ledger": self.ledger}


@dataclass(frozen=True, slots=True)
class FeatureOptions:
    """How features are made and screened, as given."""

    embedder: str
    features: int | None
    active: int
    select: str
    n: int
    threads: int
    seed: int

    def settings(self) -> dict[str, Any]:
        """Return them as settings of a study."""
        return {
            "features": self.features,
            "active": self.active,
            "select": self.select,
            "n": self.n,
            "threads": self.threads,
            "seed": self.seed,
        }


column_options = grouped_options(
    ColumnOptions,
    "columns",
    (
        click.option("--text", required=True, metavar="COL", help="Column with the documents."),
        click.option(
            "--second",
            metavar="COL",
            help="Column with the other text of each pair: --target says which is preferred.",
        ),
        click.option(
            "--target",
            required=True,
            metavar="COL",
            help="Column to explain: numbers, two classes, several. With --kind multilabel labels "
            "separated by semicolons, or several 0/1 columns: A,B,C.",
        ),
        click.option(
            "--groups",
            metavar="COL",
            help="Column whose equal values (an author, a prompt) stay on one side of the split.",
        ),
        click.option(
            "--covariates",
            multiple=True,
            metavar="COL[,COL]",
            help="Columns held fixed when a concept is tested: numbers, or classes in words.",
        ),
        click.option(
            "--strata",
            metavar="COL",
            help="Column of kinds of documents, in each of which an effect is looked at.",
        ),
    ),
)
"""Add the options of columns; the command gets them as ``columns``."""

outcome_options = grouped_options(
    OutcomeOptions,
    "outcome",
    (
        click.option(
            "--kind",
            type=click.Choice(
                ["auto", "numeric", "binary", "count", "ordinal", "multiclass", "multilabel"]
            ),
            default="auto",
            show_default=True,
            help="What the target's values are.",
        ),
        click.option(
            "--order",
            metavar="LOW,MID,HIGH",
            help="Values of an ordinal target, lowest first.",
        ),
        click.option(
            "--positive",
            metavar="CLASS",
            help="For several classes: explain this one against all others.",
        ),
    ),
)
"""Add the options of the outcome; the command gets them as ``outcome``."""

feature_options = grouped_options(
    FeatureOptions,
    "features",
    (
        click.option(
            "--embedder",
            default="all-MiniLM-L6-v2",
            show_default=True,
            help="A sentence-transformers name or folder, tfidf, or openai:MODEL.",
        ),
        click.option(
            "--features",
            type=int,
            metavar="M",
            help="Features of the SAE.  [default: by the number of documents]",
        ),
        click.option(
            "--active",
            type=int,
            default=16,
            show_default=True,
            metavar="K",
            help="Features active in a document, on average.",
        ),
        click.option(
            "--select",
            type=click.Choice(["lasso", "correlation", "separation"]),
            default="correlation",
            show_default=True,
            help="How features are screened.",
        ),
        click.option("--n", type=int, default=20, show_default=True, help="Hypotheses wanted."),
        click.option(
            "--threads",
            type=int,
            default=1,
            show_default=True,
            help="Threads of the SAE's training.",
        ),
        click.option(
            "--seed",
            type=int,
            default=0,
            show_default=True,
            help="Same input, seed and versions: same result.",
        ),
    ),
)
"""Add the options of features; the command gets them as ``features``."""

test_options = grouped_options(
    TestOptions,
    "tests",
    (
        click.option(
            "--confirm-share",
            type=float,
            default=0.4,
            show_default=True,
            help="Share of the documents kept sealed for the test.",
        ),
        click.option(
            "--tune-share",
            type=float,
            default=0.0,
            show_default=True,
            help="Share that nothing else reads, to choose among labels; 0: on those searched.",
        ),
        click.option(
            "--level", type=float, default=0.05, show_default=True, help="Significance level."
        ),
        click.option(
            "--correction",
            type=click.Choice(["bh", "bonferroni", "holm", "by"]),
            default="bh",
            show_default=True,
            help="For testing many hypotheses at once.",
        ),
        click.option(
            "--model",
            type=click.Choice(["auto", "linear", "logit", "poisson", "ordered", "multinomial"]),
            default="auto",
            show_default=True,
            help="Of the joint regression; auto: by the kind of target.",
        ),
        click.option(
            "--no-length-control",
            is_flag=True,
            help="Do not hold a document's length fixed in the joint regression.",
        ),
        click.option(
            "--stop-without-signal",
            is_flag=True,
            help="Stop before anything is spent if the texts do not predict the target.",
        ),
        click.option(
            "--ledger",
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Where it is written down that documents were used for a test.  [default: the "
            "user's]",
        ),
        click.option("--no-ledger", is_flag=True, help="Write it down nowhere."),
    ),
)
"""Add the options of the test; the command gets them as ``tests``."""
