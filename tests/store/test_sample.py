"""A data set written by version 1 of the format, which must always open."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from interp_embed.store import Store

SAMPLE = Path(__file__).with_name("sample-v1")
DIGEST = "d140dbcd75b15e4470c87e37a371341065196e40747b6420acd14f2dd9fbdc34"


@pytest.fixture
def sample(tmp_path):
    shutil.copytree(SAMPLE, tmp_path / "sample")
    return Store.open(tmp_path / "sample")


def test_the_sample_opens_with_its_digest(sample):
    assert sample.digest() == DIGEST
    sample.verify()
    assert sample.is_done()


def test_the_sample_holds_what_was_written(sample, planted):
    pooled, _ = planted.shard(sample.header, 0)

    assert sample.load_documents()["text"].tolist() == planted.documents(12)["text"].tolist()
    np.testing.assert_allclose(sample.load_csr(range(10)).data, pooled.maximum, rtol=2**-11)
    assert sample.errors() == {6: "too long"}
    assert sample.labels()[3].label.text == "the sea"
    assert sample.annotations("study")[2, "sea", "me"].reason == "no answer"
    assert len(sample.tokens(0).span) == sample.load_counted()[0]
    assert len(sample.top_documents(3, 99).document) == sample.stats().count[3]


def test_planted_arrays_written_now_have_the_sample_s_digest(tmp_path, planted):
    assert planted.store(tmp_path / "now", n=12).digest() == DIGEST
