"""``interp-embed duplicates``: copies and near-copies in a corpus."""

from pathlib import Path

import click

from interp_embed.cli.data_source import EncodeOptions, encode_options, find_source
from interp_embed.cli.result_options import ResultOptions, hand_over, result_options


@click.command(name="duplicates")
@click.argument("path", metavar="A", type=click.Path(path_type=Path))
@encode_options
@result_options
def command(path: Path, encoding: EncodeOptions, result: ResultOptions) -> None:
    """List texts that stand in a data set or a table more than once, exactly or nearly.

    A table is read as it is; nothing is encoded.

    \b
    interp-embed duplicates reviews
    interp-embed duplicates reviews.csv --text review --csv > copies.csv
    """  # noqa: D301 - \b keeps lines apart in the help
    source = find_source(path, encoding)
    result.check("duplicates")
    from interp_embed.analysis import find_duplicates

    hand_over(find_duplicates(source.texts()), result, name="duplicates")
