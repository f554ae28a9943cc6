"""``interp-embed top``: the documents on which a feature is strongest."""

from pathlib import Path

import click

from interp_embed.dataset import Dataset


@click.command(name="top")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--feature", type=int, required=True, metavar="F", help="Index of the feature.")
@click.option("--k", type=int, default=10, show_default=True, help="Documents to show.")
@click.option(
    "--width", type=int, default=400, show_default=True, help="Characters of each to show."
)
@click.option("--device", metavar="NAME", help="Where to run the reader.  [default: the best]")
def command(folder: Path, feature: int, k: int, width: int, device: str | None) -> None:
    """Show the documents on which a feature is strongest, its tokens between << and >>."""
    dataset = Dataset.load_from_file(folder, device=device)
    documents = dataset.top_documents_for_feature(feature, k=k)
    label = dataset.own_labels().get(feature)
    click.secho(f"feature {feature}: {label or 'no label yet'}", bold=True)
    if not documents:
        click.echo("It fires on no document.")
    for place, text in enumerate(documents, start=1):
        click.echo(f"{place:3}. {_around(text, width)}")


def _around(text: str, width: int) -> str:
    """Return the part of a text around its first mark, on one line."""
    line = " ".join(text.split())
    at = max(0, line.find("<<"))
    begin = max(0, min(at - width // 3, len(line) - width))
    shown = line[begin : begin + width]
    return ("…" if begin else "") + shown + ("…" if begin + width < len(line) else "")
