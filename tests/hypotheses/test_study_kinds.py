"""Studies of other outcomes than numbers, with covariates, strata and tune documents."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest

from interp_embed.errors import InputError, NoSignalWarning
from interp_embed.hypotheses import StudySettings
from interp_embed.interpret import KeywordAnnotator
from interp_embed.report import run_record

TINY = StudySettings(n=6, features=12, active=2, max_epochs=60)
UMBRELLA, POODLE, VIOLIN, PEPPER = range(4)


def held(study):
    """The planted words of significant hypotheses."""
    return {
        word
        for found in study.hypotheses
        if found.significant
        for word in ("umbrella", "poodle", "violin", "pepper", "velvet", "lantern", "ladder")
        if f'"{word}"' in found.hypothesis
    }


class TestKinds:
    def test_counts(self, planted):
        rate = np.exp(0.5 + planted.truth[:, UMBRELLA] - planted.truth[:, PEPPER])
        target = np.random.default_rng(0).poisson(rate)

        study = planted.study(target=target.tolist(), target_kind="count").study

        assert study.target_kind == "count"
        assert held(study) == {"umbrella", "pepper"}
        assert study.model.family == "poisson"

    def test_ranks_in_words(self, planted):
        words = ["bad", "fair", "good"]
        ranks = np.digitize(planted.target, [-0.5, 0.5])

        study = planted.study(
            target=[words[rank] for rank in ranks], target_kind="ordinal", order=words
        ).study

        assert study.target_note.startswith('ordinal: "bad" is 1, "fair" is 2, "good" is 3')
        assert {"umbrella", "poodle", "violin", "pepper"} <= held(study)

    def test_several_classes_in_words_are_seen_as_such(self, planted):
        truth, rng = planted.truth, np.random.default_rng(0)
        classes = np.where(truth[:, UMBRELLA], "wet", np.where(truth[:, VIOLIN], "loud", "other"))
        noisy = np.where(rng.random(400) < 0.1, rng.choice(["wet", "loud", "other"], 400), classes)

        study = planted.study(target=noisy.tolist()).study

        assert (study.target_kind, study.classes) == ("multiclass", ("loud", "other", "wet"))
        assert {"umbrella", "violin"} <= held(study)
        by_word = {f.hypothesis: f for f in study.hypotheses}
        (umbrella,) = (f for text, f in by_word.items() if "umbrella" in text)
        assert [effect.name for effect in umbrella.by_class] == ["loud", "other", "wet"]

    def test_lists_of_labels(self, planted):
        names = ["u", "p", "v"]
        chosen = [
            [names[i] for i in range(3) if present[i] != (row % 17 == 0)]
            for row, present in enumerate(planted.truth)
        ]

        study = planted.study(target=chosen).study

        assert (study.target_kind, study.classes) == ("multilabel", ("p", "u", "v"))
        assert {"umbrella", "poodle", "violin"} <= held(study)


@pytest.fixture(scope="module")
def pairs(plant_documents):
    """Planted texts, two a row; the one of more value is preferred."""
    planted = plant_documents(800)
    first, second = slice(0, 400), slice(400, 800)
    value = np.asarray(planted.target)
    return {
        "texts": planted.texts[first],
        "second": planted.texts[second],
        "embeddings": np.stack([planted.embeddings[first], planted.embeddings[second]], axis=1),
        "target": ["A" if a > b else "B" for a, b in zip(value[first], value[second], strict=True)],
    }


class TestPairs:
    def test_what_tells_preferred_texts_from_others_is_found(self, planted, pairs):
        study = planted.study(**pairs).study

        assert study.target_kind == "preference"
        assert study.rows.discover + study.rows.confirm == 800
        direction = {
            word: found.coefficient.value > 0
            for found in study.hypotheses
            if found.significant
            for word in held(study)
            if f'"{word}"' in found.hypothesis
        }
        expected = {"umbrella": True, "poodle": False, "violin": True, "pepper": False}
        assert direction.items() >= expected.items()
        assert len(direction) <= len(expected) + 1

    def test_turning_every_pair_round_finds_the_same(self, planted, pairs):
        turned = pairs | {
            "texts": pairs["second"],
            "second": pairs["texts"],
            "embeddings": pairs["embeddings"][:, ::-1],
            "target": ["B" if value == "A" else "A" for value in pairs["target"]],
        }

        assert {"umbrella", "poodle", "violin", "pepper"} <= held(planted.study(**turned).study)

    def test_pairs_that_cannot_be_used_are_dropped_with_the_reason(self, planted, pairs):
        texts, second, target = (list(pairs[key]) for key in ("texts", "second", "target"))
        second[3], second[4], texts[5], target[6], target[7] = texts[3], " ", None, "tie", None

        study = planted.study(**pairs | {"texts": texts, "second": second, "target": target}).study

        assert {drop.row: drop.reason for drop in study.rows.dropped} == {
            3: "both texts are the same",
            4: "second text is only white space",
            5: "text is missing",
            6: 'no preference: target is "tie"',
            7: "target is missing",
        }
        assert study.rows.discover + study.rows.confirm == 790

    def test_both_texts_of_a_pair_and_of_its_group_are_on_one_side(self, planted, pairs, sides):
        groups = [f"prompt {row // 3}" for row in range(400)]

        planted.study(**pairs, groups=groups)

        discover, confirm = (set(side.rows.tolist()) for side in sides[-1])
        assert not discover & confirm
        assert not {groups[row] for row in discover} & {groups[row] for row in confirm}

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"second": ["x"] * 5}, "there are 400 texts but 5 values"),
            ({"target": ["A"] * 400}, "must hold two values"),
            ({"target_kind": "numeric"}, "leave out target_kind='numeric'"),
            ({"embeddings": np.ones((400, 16))}, r"two rows for each of the 400 pairs.*\(400, 16"),
            ({"covariates": {"city": ["a", "b"] * 200}}, "covariate 'city' holds words"),
            ({"second": None, "target_kind": "preference", "embeddings": None}, "give the other"),
        ],
    )
    def test_pairs_that_do_not_go_together_are_refused(self, planted, pairs, change, message):
        with pytest.raises(InputError, match=message):
            planted.study(**pairs | change)

    def test_identical_pairs_leave_nothing(self, planted, pairs):
        with pytest.raises(InputError, match="400 x both texts are the same"):
            planted.study(**pairs | {"second": pairs["texts"]})

    def test_covariates_of_pairs_turn_round_with_the_texts(self, planted, pairs, sides):
        price = np.random.default_rng(0).standard_normal(400)

        study = planted.study(**pairs, covariates={"price": price}).study

        _, confirm = sides[-1]
        np.testing.assert_allclose(
            confirm.covariates[0::2, 0] - confirm.covariates[1::2, 0], price[confirm.rows[0::2]]
        )
        assert "price" in study.model.covariates


@pytest.fixture
def sides(monkeypatch):
    """What the test read, of each study: discover and confirm documents."""
    from interp_embed.hypotheses import steps

    seen = []
    original = steps.evaluate_candidates

    def spy(candidates, confirm, activations, *, discover, **settings):
        seen.append((discover, confirm))
        return original(candidates, confirm, activations, discover=discover, **settings)

    monkeypatch.setattr(steps, "evaluate_candidates", spy)
    return seen


class TestCovariates:
    def test_what_is_held_fixed_is_named_and_rows_without_it_dropped(self, planted):
        price = [None, *np.random.default_rng(0).random(399)]

        study = planted.study(covariates={"price": price, "one": [1] * 400}).study

        assert study.settings["covariates"] == ["price"]
        assert "price" in study.model.covariates
        assert study.rows.dropped[0].reason == 'covariate "price" is missing'
        assert any("'one' is constant" in told for told in study.warnings)

    def test_a_concept_that_a_covariate_explains_is_not_found(self, planted):
        umbrella = planted.truth[:, UMBRELLA].astype(float)

        study = planted.study(covariates={"umbrella sold": umbrella}).study

        assert "umbrella" not in held(study)
        assert {"poodle", "violin", "pepper"} <= held(study)

    def test_a_covariate_that_determines_the_target_is_refused(self, planted):
        twice = (2 * np.asarray(planted.target) + 1).tolist()

        with pytest.raises(InputError, match="they determine it; leave out the covariate"):
            planted.study(covariates={"the same": twice})

    @pytest.mark.parametrize(
        ("covariates", "message"),
        [
            ({"x": [1] * 399}, "there are 400 texts but 399 values of the covariate 'x'"),
            ({"x": [f"level {i}" for i in range(400)]}, "'x' has 400 levels"),
            ([1] * 400, "covariates must be named columns"),
        ],
    )
    def test_covariates_that_cannot_be_used_are_refused(self, planted, covariates, message):
        with pytest.raises(InputError, match=message):
            planted.study(covariates=covariates)


class TestStrata:
    def test_an_effect_of_opposite_signs_is_found_and_told(self, planted):
        strata = np.arange(400) % 2
        target = 3 * planted.truth[:, UMBRELLA] * np.where(strata == 1, 1, -1)
        target = target + 0.5 * np.random.default_rng(0).standard_normal(400)
        names = np.array(["north", "south"])[strata].tolist()

        plain = planted.study(target=target.tolist()).study
        study = planted.study(target=target.tolist(), strata=names, strata_name="region").study

        assert not any("umbrella" in f.hypothesis and f.significant for f in plain.hypotheses)
        (found,) = (f for f in study.hypotheses if '"umbrella"' in f.hypothesis)
        assert study.strata_name == "region"
        assert [effect.name for effect in found.strata.effects] == ["north", "south"]
        assert found.strata.varies
        assert found.strata.sign_reversal

    def test_rows_without_a_stratum_are_dropped(self, planted):
        strata = [None, *(["a", "b"] * 200)[:399]]

        study = planted.study(strata=strata).study

        assert study.rows.dropped[0].reason == 'stratum "stratum" is missing'

    @pytest.mark.parametrize(
        ("strata", "message"),
        [
            (["a"] * 400, "all 400 usable rows are of one stratum"),
            (["a"] * 399, "there are 400 texts but 399 values in column"),
            (list(range(400)), "has 400 levels"),
        ],
    )
    def test_strata_that_cannot_be_used_are_refused(self, planted, strata, message):
        with pytest.raises(InputError, match=message):
            planted.study(strata=strata)


class TestTuneDocuments:
    def test_labels_are_chosen_on_documents_of_their_own(self, planted):
        study = planted.study(settings=replace(TINY, tune_share=0.2)).study

        assert study.settings["tune_documents"] == 80
        assert study.rows.discover + study.rows.confirm == 320
        assert {attempt.side for attempt in study.ledger} == {"discover", "tune", "confirm"}
        assert {"umbrella", "poodle", "violin", "pepper"} <= held(study)

    def test_a_share_that_leaves_too_little_is_refused(self, planted):
        with pytest.raises(InputError, match="each side needs at least 25"):
            planted.study(settings=replace(TINY, tune_share=0.59))


class TestLedger:
    def test_everything_tried_is_listed_in_order(self, planted_run):
        study = planted_run.study
        steps = [(attempt.step, attempt.side) for attempt in study.ledger]

        assert steps == [
            ("learn features", "discover"),
            ("screen features", "discover"),
            ("label features", "discover"),
            ("keep labels that agree with their feature", "discover"),
            ("keep labels that occur often enough", "discover"),
            ("merge labels that say the same", "discover"),
            ("choose labels that predict best", "discover"),
            ("test hypotheses", "confirm"),
        ]
        for before, after in zip(study.ledger[2:6], study.ledger[3:7], strict=True):
            assert before.n_kept == after.n_tried
        assert study.ledger[-1].n_tried == study.tested
        assert study.ledger[-1].n_kept == sum(f.significant for f in study.hypotheses)

    def test_other_hypotheses_on_the_same_documents_are_told_and_the_same_study_is_not(
        self, planted, tmp_path
    ):
        file = tmp_path / "ledger.jsonl"
        first = planted.study(ledger=file).study
        fewer = planted.study(ledger=file, settings=replace(TINY, n=3)).study
        again = planted.study(ledger=file).study

        assert (first.n_earlier, fewer.n_earlier, again.n_earlier) == (0, 1, 0)
        assert run_record(again) == run_record(first)
        assert len(file.read_text().splitlines()) == 2
        assert any("opened before, for 1 other set of hypotheses" in w for w in fewer.warnings)

    def test_a_ledger_that_cannot_be_written_is_told_and_stops_nothing(self, planted, tmp_path):
        study = planted.study(ledger=tmp_path).study

        assert any("The ledger" in w and "cannot be used" in w for w in study.warnings)
        assert held(study)

    def test_no_text_and_no_label_is_written(self, planted, tmp_path):
        file = tmp_path / "ledger.jsonl"

        planted.study(ledger=file)

        (line,) = file.read_text().splitlines()
        assert sorted(json.loads(line)) == ["documents", "format", "plan", "settings"]
        assert "umbrella" not in line


class TestSignal:
    def test_noise_is_told_before_anything_is_labelled(self, planted):
        noise = np.random.default_rng(1).standard_normal(400).tolist()

        with pytest.warns(NoSignalWarning, match="not seen to predict the target"):
            study = planted.study(target=noise).study

        assert not study.signal.found
        assert any("not seen to predict" in told for told in study.warnings)

    def test_a_study_can_stop_there_and_asks_no_model(self, planted, oracle_llm):
        noise = np.random.default_rng(1).standard_normal(400).tolist()
        settings = replace(TINY, without_signal="stop")

        with pytest.raises(InputError, match="without_signal='stop'"):
            planted.study(target=noise, settings=settings, llm=oracle_llm)

        assert oracle_llm.requests == []

    def test_a_signal_is_recorded_and_nothing_is_told(self, planted):
        with warnings.catch_warnings():
            warnings.simplefilter("error", NoSignalWarning)
            study = planted.study().study

        assert study.signal.found
        assert study.signal.metric == "r2"
        assert study.signal.n == study.rows.discover


class TestAnnotators:
    def test_an_annotator_of_ones_own_reads_both_sides(self, planted):
        class Counting(KeywordAnnotator):
            read = 0

            def annotate(self, documents, concepts, *, only=None):
                type(self).read += len(documents)
                return super().annotate(documents, concepts, only=only)

        study = planted.study(annotator=Counting()).study

        assert Counting.read == 400
        assert study.settings["annotator"] == "Counting"

    def test_one_that_learns_learns_on_discover_documents_alone(self, planted):
        learnt = []

        class Learning:
            def calibrate(self, documents, labels, activations):
                learnt.append((documents, labels, activations.shape))
                return KeywordAnnotator()

        study = planted.study(annotator=Learning()).study

        ((documents, labels, shape),) = learnt
        assert len(documents) == study.rows.discover == shape[0]
        assert len(labels) >= len(study.hypotheses)
        assert held(study)
