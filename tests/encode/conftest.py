import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from interp_embed.errors import InputError
from interp_embed.readers import HiddenBatch, TokenizedDocument


class LetterReader:
    """One token a letter, one dimension a letter; "!" does not count, "#" breaks the model."""

    d_in = 26
    identity = {"kind": "letters"}  # noqa: RUF012

    def __init__(self, batch=2, piece=4):
        self.batch, self.piece = batch, piece

    def tokenize(self, document):
        if not isinstance(document, str) or not document:
            raise InputError("text is empty" if document == "" else "text is missing")
        n = len(document)
        return TokenizedDocument(
            text=document,
            token_ids=np.array([ord(c) for c in document], np.int32),
            span=np.stack([np.arange(n), np.arange(1, n + 1)], axis=1).astype(np.int32),
            counted=np.array([c != "!" for c in document]),
        )

    def iter_hidden(self, documents):
        pieces = [
            (i, at) for i, d in enumerate(documents) for at in range(0, len(d.text), self.piece)
        ]
        pieces.sort(key=lambda piece: (len(documents[piece[0]].text), piece))
        last = dict(sorted(pieces))
        for begin in range(0, len(pieces), self.batch):
            chosen = pieces[begin : begin + self.batch]
            rows, document, position = [], [], []
            for i, at in chosen:
                for p, letter in enumerate(documents[i].text[at : at + self.piece], start=at):
                    if letter == "#":
                        raise RuntimeError("the model cannot run #")
                    rows.append(np.eye(26, dtype=np.float32)[(ord(letter) - 97) % 26])
                    document.append(i)
                    position.append(p)
            document, position = np.array(document), np.array(position)
            counted = np.array(
                [documents[i].counted[p] for i, p in zip(document, position, strict=True)]
            )
            finished = tuple(i for i, at in chosen if last[i] == at)
            yield HiddenBatch(
                torch.from_numpy(np.array(rows)), document, position, counted, finished
            )


class LetterSAE:
    """Feature j fires on letter j, weighted j + 1."""

    d_in, n_features = 26, 26
    identity = {"kind": "letters"}  # noqa: RUF012

    def encode(self, hidden):
        return csr_matrix(hidden.numpy() * np.arange(1, 27, dtype=np.float32))


@pytest.fixture
def letter_reader():
    return LetterReader()


@pytest.fixture
def letter_sae():
    return LetterSAE()
