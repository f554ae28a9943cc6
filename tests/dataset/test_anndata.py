import sys

import numpy as np
import pytest

from interp_embed import Dataset
from interp_embed.errors import MissingExtraError


def test_documents_become_obs_and_features_var(documents, tiny_sae):
    pytest.importorskip("anndata", reason="the extra anndata is not installed")
    dataset = Dataset(documents, tiny_sae, feature_labels={3: "about soup"}, progress=False)

    data = dataset[[2, 0]].to_anndata()

    assert data.shape == (2, 40)
    np.testing.assert_array_equal(data.X.toarray(), dataset[[2, 0]].latents(compress=False))
    assert data.obs["text"].tolist() == [documents[2], documents[0]]
    assert data.var["label"].iloc[3] == "about soup"


def test_without_anndata_the_command_that_installs_it_is_named(documents, tiny_sae, monkeypatch):
    monkeypatch.setitem(sys.modules, "anndata", None)
    dataset = Dataset(documents, tiny_sae, progress=False)
    with pytest.raises(MissingExtraError, match=r"pip install 'interp-embed\[anndata\]'"):
        dataset.to_anndata()
