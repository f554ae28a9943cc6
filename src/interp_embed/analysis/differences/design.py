"""How two groups are compared, on the documents searched and on those held out."""

from dataclasses import dataclass

from interp_embed.analysis.differences.diff import Correction, diff_groups
from interp_embed.analysis.differences.held_out_split import design_keys
from interp_embed.analysis.differences.rate_comparison import check_testing
from interp_embed.analysis.differences.records import GroupDiff
from interp_embed.analysis.differences.sides import Names, Sides, oppose


@dataclass(frozen=True, slots=True)
class DifferenceDesign:
    """How both comparisons are made."""

    names: Names
    match_length: bool
    min_support: int
    level: float
    correction: Correction

    def __post_init__(self) -> None:
        """Check the settings of the tests.

        Raises:
            InputError: One is out of range.
        """
        check_testing(self.min_support, self.level, self.correction)

    def diff(self, sides: Sides) -> GroupDiff:
        """Return which features differ."""
        return diff_groups(
            sides.first,
            sides.second,
            names=self.names,
            match_length=self.match_length,
            min_support=self.min_support,
            level=self.level,
            correction=self.correction,
            **design_keys(sides),
        )

    def oppose(self, sides: Sides) -> Sides:
        """Return the documents as they are compared."""
        return oppose(
            sides.first,
            sides.second,
            names=self.names,
            match_length=self.match_length,
            **design_keys(sides),
        )
