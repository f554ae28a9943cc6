import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("kill_encode.py")


def run(tiny_model, tiny_sae_folder, out, *, kills, seed, n_documents):
    arguments = map(str, (tiny_model, tiny_sae_folder, out, kills, seed, n_documents))
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=300,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
@pytest.mark.parametrize(
    ("kills", "seed", "n_documents"), [(3, 0, 72), pytest.param(20, 1, 240, marks=pytest.mark.slow)]
)
def test_kills_at_any_moment_and_a_second_writer_change_nothing(
    tiny_model, tiny_sae_folder, tmp_path, kills, seed, n_documents
):
    size = {"kills": kills, "seed": seed, "n_documents": n_documents}
    result = run(tiny_model, tiny_sae_folder, tmp_path, **size)

    assert result["killed"] >= 1
    assert result["lost"] == 0  # what was committed stays
    assert result["resumed"] == result["whole"]
    assert result["both"] == result["whole"]
    assert result["writers"] == [0, 0]
    assert result["errors"] == 0
