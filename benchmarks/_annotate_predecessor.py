"""The predecessor's side of ``annotate.py``: run by an interpreter that holds hypothesaes==2.0.1.

``python _annotate_predecessor.py annotate '{...}'`` prints one line of JSON last. It uses the
published function with its defaults; server and key come from the environment.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from hypothesaes.annotate import annotate as annotate_tasks
from hypothesaes.llm_api import get_client

from _memory import peak_mb

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "llm"))
from fault_truth import truth_answer


def annotate(texts: str, seed: int) -> dict[str, object]:
    """Annotate every pair; then do what ``annotate_texts_with_concepts`` does with the results."""
    given = np.load(texts)
    documents, concepts = given["documents"].tolist(), given["concepts"].tolist()
    tasks = [(document, concept) for document in documents for concept in concepts]
    get_client()
    truth = truth_answer(seed)
    before_mb, begun_cpu, begun = peak_mb(), time.process_time(), time.monotonic()
    results = annotate_tasks(tasks, model="gpt-4o-mini", show_progress=False)
    wall_s, cpu_s = time.monotonic() - begun, time.process_time() - begun_cpu
    lost = sum(document not in results.get(concept, {}) for document, concept in tasks)
    false = sum(
        verdict != truth.truth(document, concept)
        for concept, verdicts in results.items()
        for document, verdict in verdicts.items()
    )
    try:
        for concept in concepts:
            np.array([results[concept][document] for document in documents])
        matrix = "whole"
    except KeyError:
        matrix = "KeyError"
    return {
        "lost": lost,
        "false": false,
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "before_mb": before_mb,
        "peak_mb": peak_mb(),
        "matrix": matrix,
    }


if __name__ == "__main__":
    print(json.dumps(annotate(**json.loads(sys.argv[2]))))
