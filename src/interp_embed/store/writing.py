"""A shard written: checked, rounded, put in place, and committed if nobody did so before."""

from collections.abc import Mapping

import numpy as np

from interp_embed.errors import InputError, StoredFileError
from interp_embed.store.commits import CommitLog
from interp_embed.store.files import DataFiles
from interp_embed.store.records import Commit, Header, PooledShard, TokenShard
from interp_embed.store.shards import (
    compute_stats,
    digest_shard,
    pooled_bytes,
    round_pooled,
    round_tokens,
    stats_bytes,
    token_bytes,
)
from interp_embed.store.validate import fault_of_pooled, fault_of_tokens


class ShardWriter:
    """Writes shards of one data set."""

    def __init__(self, files: DataFiles, log: CommitLog, header: Header) -> None:
        self._files = files
        self._log = log
        self._header = header

    def write(
        self, shard: int, pooled: PooledShard, tokens: TokenShard | None, texts_digest: str
    ) -> Commit:
        """Write a shard unless it is committed; return the record that counts.

        Raises:
            InputError: The arrays do not fit the plan or do not make sense.
            StoredFileError: It is committed with other arrays, or cannot be written.
        """
        self._check(shard, pooled, tokens)
        pooled = round_pooled(pooled, self._header.precision)
        tokens = None if tokens is None else round_tokens(tokens, self._header.precision)
        digest = digest_shard(texts_digest, pooled, tokens)
        there = self._log.find(shard)
        if there is not None:
            return self._agreed(there, digest)
        files: dict[str, int] = {}
        try:
            self._write_files(shard, pooled, tokens, files)
            commit = self._commit(shard, pooled, tokens, digest, files)
            if self._log.create(commit):
                return commit
        except BaseException:
            self._delete(files, {})
            raise
        winner = self._log.find(shard)
        if winner is None:
            raise StoredFileError(f"the commit record of shard {shard} was there and is gone")
        self._delete(files, winner.files)
        return self._agreed(winner, digest)

    def _check(self, shard: int, pooled: PooledShard, tokens: TokenShard | None) -> None:
        n_documents, n_features = len(self._header.rows_of(shard)), self._header.n_features
        fault = fault_of_pooled(pooled, n_documents, n_features)
        if fault:
            raise InputError(f"shard {shard} cannot be stored: {fault}")
        detail = self._header.tokens
        if (tokens is None) != (detail == "none"):
            raise InputError(
                f'the data set has tokens="{detail}": tokens must '
                f"{'not ' if detail == 'none' else ''}be given"
            )
        if tokens is None:
            return
        fault = fault_of_tokens(tokens, n_documents, n_features)
        if not fault and (tokens.start is None) != (detail == "peaks"):
            fault = f'activations of tokens are kept where tokens="all", here it is "{detail}"'
        if not fault:
            per_document = np.diff(tokens.token_start)
            if np.any(pooled.peak >= np.repeat(per_document, np.diff(pooled.start))):
                fault = "a peak lies behind the document's last token"
        if fault:
            raise InputError(f"the tokens of shard {shard} cannot be stored: {fault}")

    def _write_files(
        self, shard: int, pooled: PooledShard, tokens: TokenShard | None, files: dict[str, int]
    ) -> None:
        """Write the data files; ``files`` gets their names and sizes as they come to be."""
        first = self._header.rows_of(shard).start
        stats = compute_stats(pooled, self._header.n_features)
        contents = {"acts": pooled_bytes(pooled, first), "stats": stats_bytes(stats)}
        if tokens is not None:
            contents["tokens"] = token_bytes(tokens, first)
        for folder, data in contents.items():
            files[self._files.write(folder, shard, data)] = data.size

    def _commit(
        self,
        shard: int,
        pooled: PooledShard,
        tokens: TokenShard | None,
        digest: str,
        files: Mapping[str, int],
    ) -> Commit:
        rows = self._header.rows_of(shard)
        n_token_entries = 0 if tokens is None or tokens.feature is None else len(tokens.feature)
        return Commit(
            shard=shard,
            first=rows.start,
            n_documents=len(rows),
            n_entries=len(pooled.feature),
            n_token_entries=n_token_entries,
            n_failed=sum(error is not None for error in pooled.errors),
            digest=digest,
            files=dict(files),
        )

    def _agreed(self, commit: Commit, digest: str) -> Commit:
        if commit.digest != digest:
            raise StoredFileError(
                f"shard {commit.shard} of {self._files.location.describe()} is committed with "
                "other activations than these: the first to be committed count. The same plan on "
                "another machine or version may give such differences; use another folder, or "
                "drop the shard"
            )
        return commit

    def _delete(self, files: Mapping[str, int], kept: Mapping[str, int]) -> None:
        for name in files:
            if name not in kept:
                self._files.location.delete(name)
