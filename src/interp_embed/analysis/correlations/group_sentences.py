"""What a reader must know of documents in groups, in words."""

_FEW = 10


def group_sentences(n_groups: int | None) -> list[str]:
    """Return that documents of one group were not taken for independent, and if they are few.

    Args:
        n_groups: Groups of documents; None where all documents are independent.
    """
    if n_groups is None:
        return []
    said = f"Documents are in {n_groups:,} groups, within which they are not independent."
    if n_groups <= _FEW:
        said += " So few groups can show only what nearly all of them have in common."
    return [said]
