import json

import numpy as np
import pytest
from noted_words import WORDS, answer_about_notes
from scipy.sparse import csr_matrix

from interp_embed.analysis import EncodedDocuments, VerifySettings, study_difference
from interp_embed.analysis.differences.held_out import measure_coverage
from interp_embed.analysis.differences.held_out_split import (
    alike_in_strata,
    as_corpus,
    split_corpus,
)
from interp_embed.analysis.differences.sides import oppose
from interp_embed.errors import InputError
from interp_embed.hypotheses import ProposalSettings
from interp_embed.interpret import LLMAnnotator, LLMLabeller, LLMRoles, RuleAnnotator
from interp_embed.llm import ScriptedLLM
from interp_embed.records import Annotations
from interp_embed.synthetic import CorpusPlan, OracleAnnotator, plant_corpus

FIRST = np.array([0.5, 0.5, 0.15, 0.3, 0.3, 0.3, 0.3, 0.3])
SECOND = np.array([0.2, 0.2, 0.45, 0.3, 0.3, 0.3, 0.3, 0.3])


def plant(rates, n=300, seed=0, *, start=0, labels=None):
    """Texts of words, and a feature for each word that misses it once in twenty times."""
    rng = np.random.default_rng([seed, start])
    truth = rng.random((n, len(WORDS))) < rates
    texts = [f"note {start + i} " + " ".join(np.array(WORDS)[has]) for i, has in enumerate(truth)]
    fires = truth & (rng.random(truth.shape) < 0.95)
    activations = csr_matrix(fires * rng.uniform(0.5, 1.5, fires.shape).astype(np.float32))
    return EncodedDocuments(texts, activations, np.array([len(t.split()) for t in texts]),
                            labels=labels or {})  # fmt: skip


def pair(seed=0, first=FIRST, second=SECOND, **given):
    return plant(first, seed=seed, **given), plant(second, seed=seed, start=5_000)


class Reader:
    """Reads rules of words, and remembers what it was shown."""

    def __init__(self, fails=lambda text: False):
        self.calls, self._fails = [], fails

    def annotate(self, documents, concepts, *, only=None):
        self.calls.append((tuple(documents), tuple(concepts)))
        found = RuleAnnotator().annotate(documents, concepts, only=only)
        verdicts, reasons = found.verdicts.copy(), dict(found.reasons)
        for row, text in enumerate(documents):
            if self._fails(text):
                verdicts[row] = np.nan
                reasons |= {(row, column): "it was refused" for column in range(len(concepts))}
        return Annotations(tuple(concepts), verdicts, reasons)


def test_planted_differences_are_named_and_hold_on_documents_not_searched():
    found = study_difference(*pair(), names=("new", "old"))

    verified = found.verified
    held = [one for one in verified.concepts if one.holds]
    named = {word for one in held for word in WORDS if word in one.concept}
    assert named == {"umbrella", "violin", "pepper"}
    frame = found.verified_frame()
    assert frame["source"].unique().tolist() == ["feature"]
    umbrella = frame[frame["concept"] == 'mentions "umbrella"'].iloc[0]
    assert umbrella["low"] < 0.3 < umbrella["high"]
    assert umbrella["fidelity_f1"] > 0.9
    assert verified.verification_rate.value == pytest.approx(len(held) / len(verified.concepts))
    # "umbrella" or "violin" is in 1 - .5 x .5 of the first group's documents.
    assert verified.coverage.low < 0.75 < verified.coverage.high
    assert verified.coverage_second.low < 0.45 < verified.coverage_second.high
    assert "held-out documents" in found.summary()
    assert "have a named concept that is shown to be more frequent there." in found.summary()
    assert "as if concepts were independent" in found.summary()
    assert "likelier too high than too low" in found.summary()


def test_held_out_documents_are_read_once_at_the_end_and_by_nothing_before():
    reader = Reader()
    first, second = pair()

    found = study_difference(first, second, annotator=reader, seed=3)

    *before, (held_out, _) = reader.calls
    searched = {text for documents, _ in before for text in documents}
    assert len(held_out) == found.verified.n_confirm == 240
    assert not searched & set(held_out)
    assert found.n_first + found.n_second == found.verified.n_discover == 360


def test_copies_of_a_text_are_on_one_side_of_the_split():
    first, second = pair()
    long = "the very same words come again and again in this one notice "
    texts = [long + f"{i}" if i % 30 == 0 else text for i, text in enumerate(first.texts)]
    first = EncodedDocuments(texts, first.activations, first.n_tokens)
    reader = Reader()

    study_difference(first, second, annotator=reader)

    held = sum(text.startswith(long) for text in reader.calls[-1][0])
    assert held in (0, 10)


def test_where_nothing_differs_nothing_is_named():
    n_holding = n_unnamed = 0
    for seed in range(6):
        found = study_difference(*pair(seed, SECOND, SECOND))
        n_unnamed += "No feature's difference was named" in found.summary()
        n_holding += sum(one.holds for one in found.verified.concepts)
        assert np.isnan(found.verified.coverage.value)

    assert n_holding == 0
    assert n_unnamed >= 4
    json.dumps(found.to_json(), allow_nan=False)


def test_missing_verdicts_are_counted_and_left_out():
    first, second = pair()
    reader = Reader(fails=lambda text: text.split()[1].endswith("7"))

    found = study_difference(first, second, annotator=reader, names=("new", "old"))

    verified = found.verified
    missing = sum(text.split()[1].endswith("7") for text in reader.calls[-1][0])
    assert all(one.n_missing == missing for one in verified.concepts)
    assert verified.concepts[0].difference.n == verified.n_confirm - missing
    assert verified.n_missing == missing * len(verified.concepts)
    assert verified.coverage.n < 120
    assert "it was refused" in found.summary()


def test_a_wrong_label_gives_way_to_a_better_one_and_a_good_one_stays():
    labels = {0: 'mentions "harbour"', 1: 'mentions "violin"'}
    first, second = pair(labels=labels)

    better = study_difference(first, second).verified_frame().set_index("feature")["concept"]
    kept = study_difference(first, second, settings=VerifySettings(relabel=False))

    assert better[0] == 'mentions "umbrella"'
    assert better[1] == 'mentions "violin"'
    concepts = kept.verified_frame().set_index("feature")["concept"]
    assert concepts[0] == 'mentions "harbour"'
    harbour = next(one for one in kept.verified.concepts if one.feature == 0)
    assert not harbour.holds


def test_pairs_stay_together_and_are_tested_as_pairs():
    first, second = pair()
    keys = np.arange(300)

    found = study_difference(first, second, pair_first=keys, pair_second=keys[::-1])

    assert found.paired
    assert found.verified.n_confirm % 2 == 0
    assert found.verified.concepts[0].difference.n == found.verified.n_confirm // 2
    # In a pair the other document must lack it: less than the share that has it.
    assert found.verified.coverage.value < 0.75
    assert "more frequent there, which the other of the pair lacks." in found.summary()


def by_decade(n=1_200):
    """Notes whose words depend on the decade; one word more is due to the side, within decades.

    "umbrella": .90 and .65 in the old decade, .30 and .05 in the new one, but the first side is
    mostly new: .39 against .56 in all. "violin" depends on the decade alone.
    """
    sides, decades = [], []
    for start, n_old, more in ((0, n * 15 // 100, 0.25), (5_000, n * 85 // 100, 0.0)):
        is_old = np.arange(n) < n_old
        rates = np.full((n, len(WORDS)), 0.3)
        rates[:, 0] = np.where(is_old, 0.65, 0.05) + more
        rates[:, 1] = np.where(is_old, 0.7, 0.2)
        sides.append(plant(rates, n, seed=3, start=start))
        decades.append(np.where(is_old, "60s", "90s"))
    return sides, {"strata_first": decades[0], "strata_second": decades[1]}


def test_within_strata_the_true_difference_is_found_and_not_the_reversed_one():
    sides, strata = by_decade()

    plain = study_difference(*sides).verified_frame().set_index("concept")
    found = study_difference(*sides, **strata)

    umbrella = 'mentions "umbrella"'
    assert plain.loc[umbrella, "difference"] < 0
    assert plain["holds"].sum() == 2
    frame = found.verified_frame().set_index("concept")
    assert frame.index[frame["holds"]].tolist() == [umbrella]
    assert 0.15 < frame.loc[umbrella, "low"] < 0.25 < frame.loc[umbrella, "high"]
    assert "strata" in found.rates.method
    assert "within 2 strata" in found.summary()


@pytest.mark.parametrize("seed", range(3))
def test_small_strata_keep_both_sides_in_both_parts(seed):
    # 30 strata of 2 documents a side, and one large one: 2 of 60 % and 40 % are 1 and 1.
    sides = oppose(
        plant(FIRST, 200),
        plant(SECOND, 200, start=5_000),
        strata_first=np.minimum(np.arange(200) // 2, 30),
        strata_second=np.minimum(np.arange(200) // 2, 30),
    )
    corpus = as_corpus(sides)

    split = split_corpus(corpus, 0.4, seed)

    for part in (split.discover, split.confirm):
        cells = set(zip(corpus.strata[part].tolist(), corpus.target[part].tolist(), strict=True))
        assert len(cells) == 62
    assert len(split.confirm) == pytest.approx(0.4 * 400, abs=16)


def test_strata_of_single_documents_do_not_shift_the_shares():
    sides = oppose(
        plant(FIRST, 200),
        plant(SECOND, 200, start=5_000),
        strata_first=np.arange(200),
        strata_second=np.arange(200)[::-1].copy(),
    )

    split = split_corpus(as_corpus(sides), 0.4, 0)

    assert len(split.confirm) == pytest.approx(0.4 * 400, abs=4)
    assert (split.confirm < 200).mean() == pytest.approx(0.5, abs=0.02)


def test_the_model_is_shown_documents_alike_in_strata():
    (first, second), strata = by_decade()
    sides = oppose(first, second, **strata)
    corpus = as_corpus(sides)

    shown = alike_in_strata(corpus, sides, 0)

    texts = dict(zip(corpus.documents, corpus.strata.tolist(), strict=True))
    counts = np.zeros((2, 2), int)
    for text, side in zip(shown.documents, shown.target, strict=True):
        counts[texts[text], int(side)] += 1
    assert (counts[:, 0] == counts[:, 1]).all()
    assert (counts > 0).all()
    assert shown.documents == alike_in_strata(corpus, sides, 0).documents


def test_what_strata_explain_is_not_what_the_model_is_asked_about():
    sides, strata = by_decade()
    llm = ScriptedLLM(model)
    settings = VerifySettings(
        k=3, baseline=True, proposals=ProposalSettings(n_per_prompt=3, n_prompts=4)
    )

    study_difference(*sides, **strata, llm=as_roles(llm), settings=settings)

    decades = np.concatenate(list(strata.values()))
    old = {t for t, d in zip([*sides[0].texts, *sides[1].texts], decades, strict=True) if d < "7"}
    shares = {"A": [], "B": []}
    for prompt in (request.messages[-1].content for request in llm.requests):
        if "GROUP A:" in prompt:
            one, other = prompt.split("GROUP A:")[1].split("GROUP B:")
            for name, said in (("A", one), ("B", other)):
                notes = [line for line in said.splitlines() if "note " in line]
                shares[name] += [any(line.endswith(text) for text in old) for line in notes]
    # Of all documents, 15 % of one side and 85 % of the other are of the old decade.
    assert len(shares["A"]) == len(shares["B"]) == 40
    assert abs(np.mean(shares["A"]) - np.mean(shares["B"])) < 0.3


def test_without_strata_all_documents_searched_are_shown():
    sides = oppose(*pair(n=50))
    corpus = as_corpus(sides)

    assert alike_in_strata(corpus, sides, 0).documents == corpus.documents


def test_strata_of_one_side_are_neither_searched_nor_read():
    sides, strata = by_decade(300)
    strata["strata_first"][:20] = "50s"
    reader = Reader()

    found = study_difference(*sides, **strata, annotator=reader)

    shown = {text for documents, _ in reader.calls for text in documents}
    assert not shown & set(sides[0].texts[:20])
    assert found.verified.n_discover + found.verified.n_confirm == 580
    assert "compared 580 of 600 documents, within 2 strata" in found.summary().casefold()


def test_too_few_authors_are_told_of_before_a_document_is_read():
    reader = Reader()
    authors = np.arange(300) // 150

    with pytest.raises(InputError, match="in 1 group|of one group on a side"):
        study_difference(*pair(), groups_first=authors, groups_second=authors + 2, annotator=reader)

    assert reader.calls == []


def test_authors_all_whose_verdicts_are_missing_leave_concepts_untested():
    authors = np.arange(300) // 75
    reader = Reader(fails=lambda text: int(text.split()[1]) < 5_000 and len(reader.calls) > 1)

    found = study_difference(
        *pair(), groups_first=authors, groups_second=authors + 4, annotator=reader,
        settings=VerifySettings(confirm_share=0.5),
    )  # fmt: skip

    assert not any(one.holds for one in found.verified.concepts)
    assert np.isnan([one.difference.value for one in found.verified.concepts]).all()


def test_the_share_covered_does_not_grow_with_the_verdicts_that_are_missing():
    rng = np.random.default_rng(0)
    verdicts = (rng.random((4_000, 4)) < 0.1).astype(np.float32)  # .344 have one of four
    documents = plant(FIRST, 2_000)
    sides = oppose(documents, documents)
    whole = measure_coverage(verdicts, sides, range(4))
    verdicts[rng.random(verdicts.shape) < 0.4] = np.nan

    left = measure_coverage(verdicts, sides, range(4))

    assert whole.low < 0.344 < whole.high
    assert left.low < 0.344 < left.high
    assert left.n < 0.2 * whole.n


def test_authors_stay_on_one_side():
    first, second = pair()
    reader = Reader()
    authors = np.arange(300) // 10

    found = study_difference(
        first, second, groups_first=authors, groups_second=authors + 30, annotator=reader
    )

    held = {int(text.split()[1]) for text in reader.calls[-1][0]}
    for author in range(30):
        own = {author * 10 + i for i in range(10)}
        assert own <= held or not own & held
    assert "cluster-robust" in found.rates.method


def test_an_oracle_that_errs_shrinks_the_differences_but_finds_them():
    plan = CorpusPlan(prevalence=0.25, group_differences={"long_wait": 0.25, "overpriced": -0.25})
    corpus = plant_corpus(800, plan=plan, seed=1)
    row_of = {text: row for row, text in enumerate(corpus.texts)}

    class Oracle:
        def __init__(self):
            self.oracle = OracleAnnotator(corpus, sensitivity=0.9, specificity=0.95)

        def annotate(self, documents, concepts, *, only=None):
            return self.oracle.annotate([row_of[text] for text in documents], concepts)

    whole = EncodedDocuments(
        corpus.texts,
        csr_matrix(corpus.truth.astype(np.float32)),
        np.array([len(text.split()) for text in corpus.texts]),
        labels=dict(enumerate(corpus.descriptions)),
    )
    is_a = corpus.metadata["group"] == "A"

    found = study_difference(
        whole.take(np.flatnonzero(is_a)),
        whole.take(np.flatnonzero(~is_a)),
        annotator=Oracle(),
        settings=VerifySettings(relabel=False),
    )

    held = [one for one in found.verified.concepts if one.holds]
    assert {one.concept for one in held} == {
        corpus.descriptions[corpus.concepts.index(name)] for name in plan.group_differences
    }
    assert all(abs(one.difference.value) < abs(one.expected) + 0.1 for one in held)


def model(request):
    return answer_about_notes(request.messages[-1].content)


def as_roles(llm):
    return LLMRoles(LLMLabeller(llm), LLMAnnotator(llm, check=0))


def test_a_language_model_names_sums_up_and_is_compared_with_itself_alone():
    llm = ScriptedLLM(model)
    settings = VerifySettings(
        k=3, baseline=True, proposals=ProposalSettings(n_per_prompt=3, n_prompts=4)
    )

    found = study_difference(*pair(), llm=as_roles(llm), settings=settings, names=("new", "old"))

    frame = found.verified_frame()
    assert set(frame["source"]) == {"feature", "summary", "language model alone"}
    summed = frame[frame["source"] == "summary"]
    assert set(summed["concept"]) == {f"mentions a {w}" for w in ("umbrella", "violin", "pepper")}
    assert summed["holds"].all()
    assert frame[frame["named"]]["source"].eq("summary").all()
    assert len(found.verified.named) == 3
    assert found.verified.baseline_rate.n >= 1
    assert "by itself" in found.summary()


def test_the_summary_is_written_before_held_out_documents_are_read():
    llm = ScriptedLLM(model)

    found = study_difference(*pair(), llm=as_roles(llm), settings=VerifySettings(k=2))

    asked = [request.messages[-1].content for request in llm.requests]
    last_summary = max(i for i, said in enumerate(asked) if "PROPERTIES:" in said)
    n_read_after = sum("\nTEXT:\n" in said for said in asked[last_summary:])
    assert n_read_after == found.verified.n_confirm
    assert not any(
        "new" in said or "group" in said.casefold() for said in asked[last_summary + 1 :]
    )


def test_the_same_seed_gives_the_same_study():
    one, other = (json.dumps(study_difference(*pair(), seed=4).to_json()) for _ in range(2))

    assert one == other


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"settings": VerifySettings(baseline=True)}, "give llm="),
        ({"level": 2.0}, "level must lie between 0 and 1"),
        ({"pair_first": range(5)}, "keys of the second group are missing"),
    ],
)
def test_a_study_that_cannot_be_made_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        study_difference(*pair(), **given)


def test_too_few_documents_cannot_be_split():
    with pytest.raises(InputError, match="too few"):
        study_difference(*(plant(rates, n=8) for rates in (FIRST, SECOND)))


@pytest.mark.parametrize("settings", [{"confirm_share": 1.0}, {"k": 0}, {"n_candidates": 0}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(InputError, match=next(iter(settings))):
        VerifySettings(**settings)


def test_the_plot_shows_every_concept():
    pytest.importorskip("matplotlib").use("Agg")

    found = study_difference(*pair(), names=("new", "old")).verified
    axes = found.plot()

    assert axes.get_xlabel().endswith("in percentage points")
    markers = {line.get_xdata()[0] for line in axes.get_lines() if line.get_marker() == "o"}
    assert markers == {100 * one.difference.value for one in found.concepts}
