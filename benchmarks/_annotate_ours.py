"""Our side of ``annotate.py``: ``python _annotate_ours.py annotate '{...}'`` prints JSON last."""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from _memory import peak_mb

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "llm"))
from fast_clock import FastClock
from fault_truth import truth_answer, truth_matrix

from interp_embed.interpret import LLMAnnotator
from interp_embed.llm import OpenAILLM
from interp_embed.llm.answers import AnswerStore
from interp_embed.llm.records import CostEstimate, Usage

PRICE = (0.15, 0.6)
N_FIRST = 20


def annotate(
    base_url: str, texts: str, store: str, factor: float, concepts_per_call: int, seed: int
) -> dict[str, object]:
    """Annotate everything: 20 documents first, to see what they do to the estimate."""
    given = np.load(texts)
    documents, concepts = given["documents"].tolist(), given["concepts"].tolist()
    clock = FastClock(factor, waits=False)
    llm = OpenAILLM(
        "gpt-4o-mini",
        base_url=base_url,
        api_key="any-key",
        store=AnswerStore.open(Path(store)),
        prices={"gpt-4o-mini": PRICE},
        clock=clock,
        progress=False,
    )
    annotator = LLMAnnotator(llm, concepts_per_call=concepts_per_call, check=0)
    before_mb, begun_cpu, begun = peak_mb(), time.process_time(), clock.now()
    before = annotator.estimate(documents, concepts)
    annotator.annotate(documents[:N_FIRST], concepts)
    first = llm.usage
    after = annotator.estimate(documents, concepts)
    verdicts = annotator.annotate(documents, concepts).verdicts
    wall_s, cpu_s = clock.now() - begun, time.process_time() - begun_cpu
    again_s = _time_again(annotator, documents, concepts)
    truth = np.array(truth_matrix(truth_answer(seed), documents, concepts), dtype=float)
    known = ~np.isnan(verdicts)
    used = llm.usage
    note = (
        f"estimate {_miss(before, Usage(), used)} before the first answer, "
        f"{_miss(after, first, used)} after {N_FIRST}; "
        f"${used.cost_usd:.3f} spent, ${used.wasted_usd:.3f} of it in vain; "
        f"all again from the store: {1e3 * again_s / max(1, verdicts.size):.3f} ms a pair"
    )
    return {
        "lost": int((~known).sum()),
        "false": int((verdicts[known] != truth[known]).sum()),
        "wall_s": wall_s,
        "cpu_s": cpu_s,
        "before_mb": before_mb,
        "peak_mb": peak_mb(),
        "note": note,
    }


def _time_again(
    annotator: LLMAnnotator, documents: Sequence[str], concepts: Sequence[str]
) -> float:
    begun = time.perf_counter()
    annotator.annotate(documents, concepts)
    return time.perf_counter() - begun


def _miss(estimate: CostEstimate, begun: Usage, ended: Usage) -> str:
    """Return by how much an estimate of the dollars was off."""
    spent = ended.cost_usd - begun.cost_usd
    if not spent or estimate.cost_usd is None:
        return "without a price"
    return f"{estimate.cost_usd / spent - 1:+.1%}"


if __name__ == "__main__":
    print(json.dumps(annotate(**json.loads(sys.argv[2]))))
