"""How a data set is shown on a terminal."""

import click

from interp_embed.dataset import DatasetHealth, readable_bytes

_DEAD = 0.9


def echo_health(health: DatasetHealth) -> None:
    """Print what is in a data set and what to mind."""
    click.echo(f"documents   {health.n_encoded:,} of {health.n_documents:,} encoded")
    if health.n_failed:
        click.secho(f"missing     {health.n_failed:,} have no activations:", fg="yellow")
        for reason, count in health.reasons[:5]:
            click.echo(f"            {count:,} x {reason}")
    if health.n_counted != health.n_encoded - health.n_failed:
        click.echo(f"tokens      {health.n_counted:,} count")
    click.echo(
        f"features    {health.n_features:,}, {health.mean_active:,.1f} active in a document on "
        "average"
    )
    click.echo(f"dead        {health.n_dead:,} fire on no document")
    click.echo(f"dense       {health.n_dense:,} fire on more than half of the documents")
    if health.densest:
        shown = ", ".join(f"{feature} ({density:.0%})" for feature, density in health.densest)
        click.echo(f"densest     {shown}")
    click.echo(f"labels      {health.n_labels:,}")
    click.echo(f"on disk     {readable_bytes(health.n_bytes)}")
