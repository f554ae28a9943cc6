"""Annotate in a process of its own, which may be killed: ``python annotate_child.py '{...}'``.

The last line it prints is JSON.
"""

import json
import sys
from pathlib import Path

import numpy as np
from fast_clock import FastClock
from fault_truth import truth_answer, truth_matrix

from interp_embed.errors import Interrupted
from interp_embed.interpret import LLMAnnotator
from interp_embed.llm import OpenAILLM
from interp_embed.llm.answers import AnswerStore

CONCEPTS = ["mentions bread", "complains about waiting", "names a price", "thanks the staff"]


def main(base_url: str, store: str, n: int, factor: float, mode: str = "live") -> dict[str, object]:
    """Annotate ``n`` documents by four concepts; return what is lost or false."""
    documents = [f"Guest {i} of many, at table {i % 7}." for i in range(n)]
    llm = OpenAILLM(
        "gpt-4o-mini",
        mode=mode,
        base_url=base_url,
        api_key="sk-good-key-0123456789",
        store=AnswerStore.open(Path(store)),
        clock=FastClock(factor),
        progress=False,
    )
    message = ""
    try:
        annotations = LLMAnnotator(llm, check=0).annotate(documents, CONCEPTS)
    except Interrupted as stop:
        annotations, message = stop.partial, str(stop)
    verdicts = annotations.verdicts
    truth = np.array(truth_matrix(truth_answer(7, p=0.4), documents, CONCEPTS), dtype=float)
    known = ~np.isnan(verdicts)
    return {
        "interrupted": bool(message),
        "message": message,
        "known": int(known.sum()),
        "lost": int((~known).sum()),
        "false": int((verdicts[known] != truth[known]).sum()),
    }


if __name__ == "__main__":
    result = main(**json.loads(sys.argv[1]))
    sys.stdout.write(json.dumps(result) + "\n")
