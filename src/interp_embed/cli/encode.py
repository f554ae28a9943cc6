"""``interp-embed encode``: a table of texts as a data set of feature activations."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from interp_embed.errors import InputError
from interp_embed.tables import read_table, require_column

if TYPE_CHECKING:
    from interp_embed.sae import EmbeddingSAE, LocalSAE
    from interp_embed.store import TokenDetail


@click.command(name="encode")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--text", "text", required=True, metavar="COL", help="Column with the documents.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the data set.  [default: FILE's name + -features]",
)
@click.option(
    "--sae",
    metavar="NAME",
    help="A SAELens release, a hub repository, a folder, or 'embedding' to train one on the "
    "documents' embeddings.  [default: the one that comes with this library]",
)
@click.option("--sae-id", metavar="ID", help="Which SAE of the release or repository.")
@click.option("--model", metavar="NAME", help="Model or folder, if not the one the SAE names.")
@click.option("--layer", type=int, metavar="L", help="Layer, if not the one the SAE names.")
@click.option(
    "--features",
    type=int,
    default=256,
    show_default=True,
    metavar="M",
    help="With --sae embedding: features of the SAE.",
)
@click.option(
    "--tokens",
    type=click.Choice(["all", "peaks", "none"]),
    default="peaks",
    show_default=True,
    help="What is kept of single tokens: every activation, the peaks, or nothing but their places.",
)
@click.option("--resume", is_flag=True, help="Go on with the data set in the folder.")
@click.option("--device", metavar="NAME", help="cpu, cuda, cuda:1, mps.  [default: the best]")
@click.option("--quiet", is_flag=True, help="No progress bars.")
def command(
    file: Path,
    text: str,
    out: Path | None,
    sae: str | None,
    sae_id: str | None,
    model: str | None,
    layer: int | None,
    features: int,
    tokens: "TokenDetail",
    resume: bool,
    device: str | None,
    quiet: bool,
) -> None:
    """Turn a table of texts into a data set: which features fire in which document, and where.

    FILE is CSV, TSV, JSONL (each also .gz) or Parquet. Ctrl-C keeps what is done; the same
    command with --resume goes on.

    \b
    interp-embed encode reviews.csv --text review --out reviews-features
    interp-embed top reviews-features --feature 17
    """  # noqa: D301 - \b keeps lines apart in the help
    table = read_table(file)
    require_column(table, text, purpose="--text")
    folder = out or Path(f"{file.name.split('.')[0]}-features")
    if (folder / "dataset.json").exists() and not resume:
        raise InputError(
            f"{folder} holds a data set already; add --resume to go on with it, or choose another "
            "folder with --out"
        )
    # Ten seconds: not before a typo in a column is told.
    from interp_embed.cli.datasets import echo_health
    from interp_embed.dataset import Dataset

    dataset = Dataset(
        table,
        choose_sae(sae, sae_id, model, layer, features, device),
        field=text,
        save_path=folder,
        tokens=tokens,
        progress=not quiet,
    )
    echo_health(dataset.health())
    click.echo(f"\nWritten to {folder}. Next:")
    click.echo(f"  interp-embed label {folder}")
    click.echo(f"  interp-embed top {folder} --feature 0")


def choose_sae(
    name: str | None,
    sae_id: str | None,
    model: str | None,
    layer: int | None,
    features: int,
    device: str | None,
) -> "LocalSAE | EmbeddingSAE":
    """Return the SAE that ``--sae`` and its options name.

    Raises:
        InputError: The others are given without it.
    """
    from interp_embed.sae import EmbeddingSAE, LocalSAE

    if name == "embedding":
        return EmbeddingSAE(features)
    if name is None:
        if sae_id or model or layer is not None:
            raise InputError("--sae-id, --model and --layer go with --sae: say which SAE")
        return LocalSAE.default(device=device)
    return LocalSAE(sae_id=sae_id, release=name, model=model, layer=layer, device=device)
