import pytest

from interp_embed.cli.result_options import ResultOptions, tell_unlabelled


class Labelled:
    """A data set of which two features have labels."""

    location = "my data"

    def feature_labels(self):
        return {3: "asks a question", 5: ""}


def options(**given):
    return ResultOptions(
        **{"out": None, "overwrite": False, "as_json": False, "as_csv": False, "show": 3,
           "quiet": False} | given
    )  # fmt: skip


def test_features_shown_without_a_label_are_named_with_the_command_for_them(capsys):
    tell_unlabelled(Labelled(), [3, 5, 5, 8, 13], options())

    said = capsys.readouterr()
    assert said.out == ""
    assert "2 of these features have no label." in said.err
    assert "interp-embed label 'my data' --features 5,8\n" in said.err


@pytest.mark.parametrize(
    ("features", "given"),
    [([3], {}), ([], {}), ([3, 8], {"show": 1}), ([8], {"as_json": True}), ([8], {"as_csv": True})],
)
def test_nothing_is_said_where_all_shown_have_labels_or_a_program_reads(features, given, capsys):
    tell_unlabelled(Labelled(), features, options(**given))

    assert capsys.readouterr().err == ""
