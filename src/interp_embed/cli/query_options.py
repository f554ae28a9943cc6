"""A question as features that the user may edit, for the commands that take one."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from interp_embed.cli.data_source import DataSource
from interp_embed.cli.grouped import grouped_options
from interp_embed.cli.option_values import names_of, numbers_of
from interp_embed.errors import InputError

if TYPE_CHECKING:
    from interp_embed.analysis import FeatureQuery
    from interp_embed.dataset import Dataset
    from interp_embed.interpret import LLMRoles


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """Phrases for a question and edits of the features found for it, as given."""

    drop: str | None
    add: str | None
    keyphrases: str | None

    @property
    def phrases(self) -> tuple[str, ...]:
        """The phrases, in order."""
        return tuple(names_of(self.keyphrases))

    def check(self, source: DataSource, text: str | None) -> None:
        """Check that the features are there, and a question for the phrases.

        Raises:
            InputError: A feature is no number or out of range, or there are phrases without a
                question.
        """
        if self.phrases and text is None:
            raise InputError(
                "--keyphrases belong to a query, which says in a word what they stand for, such "
                "as tone: give one"
            )
        for given, option in ((self.drop, "--drop"), (self.add, "--add")):
            source.check_features(numbers_of(given, option=option), option=option)

    def query(
        self,
        dataset: "Dataset",
        text: str | None,
        *,
        roles: "LLMRoles | None",
        common_axes: bool,
        keep: int | None = None,
    ) -> "FeatureQuery | None":
        """Return the edited features of a question; None where nothing is edited.

        Args:
            dataset: Whose features.
            text: The question.
            roles: A language model, to find features.
            common_axes: Whether built-in phrases for a common axis count.
            keep: Most features found, before edits; None: all that are near enough.

        Raises:
            InputError: A feature to drop is not among those found, or one to add is.
        """
        gone, more = (
            numbers_of(given, option=option)
            for given, option in ((self.drop, "--drop"), (self.add, "--add"))
        )
        if not gone and not more:
            return None
        from interp_embed.analysis import FeatureQuery

        labels = dataset.feature_labels()
        if text is None:
            if gone:
                raise InputError("--drop takes features out of those found for a query: give one")
            return FeatureQuery.of(more, labels=labels)
        query = dataset.find_features(
            text, keyphrases=self.phrases, keep=keep, llm=roles, common_axes=common_axes
        )
        query = query.drop(*gone) if gone else query
        for feature in more:
            query = query.add(feature, label=labels.get(feature))
        return query


query_options = grouped_options(
    QueryOptions,
    "edits",
    (
        click.option(
            "--keyphrases",
            metavar="A,B",
            help="Look for labels near these too, such as 'friendly, rude' for tone.",
        ),
        click.option("--drop", metavar="3,5", help="Leave these features out of the query."),
        click.option("--add", metavar="7", help="Take these features into the query."),
    ),
)
"""Add ``--keyphrases``, ``--drop`` and ``--add``; the command gets them as ``edits``."""
