import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.special import expit

from interp_embed.errors import InputError
from interp_embed.stats import associate_pairs, npmi, number_groups, partner_pairs, top_pairs
from interp_embed.stats._firing import Firing
from interp_embed.stats._group_counts import GroupCounts
from interp_embed.stats._group_kernels import Columns, cross_groups, make_room


def sparse(fires):
    return csr_array(np.asarray(fires, np.float32))


def lean(rng, sizes, n_features, *, spread=1.2, centre=-1.6):
    """Features that authors have more or less often, each in its own way."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    rates = expit(centre + spread * rng.standard_normal((len(sizes), n_features)))
    return groups, rng.random((groups.size, n_features)) < rates[groups]


def every_pair(fires, groups=None, **options):
    return associate_pairs(sparse(fires), max_q=1.0, groups=groups, **options)


def test_documents_of_an_author_who_always_agrees_with_himself_count_as_one():
    groups = np.repeat(np.arange(20), 10)
    fires = np.stack([groups % 2 == 0, groups % 4 < 2], axis=1)

    found = every_pair(fires, groups)

    assert found.design.effect == pytest.approx([10 * 20 / 19])
    assert found.design.df == pytest.approx([19])
    assert found.design.n_groups == 20


def test_where_every_document_is_its_own_group_all_is_as_without_groups():
    rng = np.random.default_rng(0)
    _, fires = lean(rng, [1] * 300, 20)
    fires[:, 1] = fires[:, 0] ^ (rng.random(300) < 0.1)
    options = {"max_q": 1.0, "min_pairs": 1}

    for search in (top_pairs, lambda matrix, **given: partner_pairs(matrix, 0, **given)):
        alone = search(sparse(fires), groups=rng.permutation(300), **options)
        plain = search(sparse(fires), **options)
        for name in ("first", "second", "n_both", "p", "q"):
            assert getattr(alone, name).tolist() == getattr(plain, name).tolist()
        assert (alone.design.effect == 1).all()
    one, other = every_pair(fires, np.arange(300)), every_pair(fires)
    assert one.npmi_low.tolist() == other.npmi_low.tolist()


def test_where_nearly_every_document_is_its_own_group_little_changes():
    rng = np.random.default_rng(1)
    groups, fires = lean(rng, [1] * 980 + [2] * 10, 30, spread=0.0)

    grouped, plain = every_pair(fires, groups), every_pair(fires)

    assert grouped.design.effect.max() < 1.1
    order = [np.lexsort((one.second, one.first)) for one in (grouped, plain)]
    logs = [np.log(one.p[places]) for one, places in zip((grouped, plain), order, strict=True)]
    assert np.abs(logs[0] - logs[1]).max() < 1.0


def test_two_features_of_one_author_alone_are_a_coincidence_of_one_in_his_number():
    groups = np.repeat(np.arange(25), 30)
    fires = np.zeros((750, 2), bool)
    fires[:30] = True

    assert every_pair(fires).p[0] < 1e-40
    assert 1 / 25 < every_pair(fires, groups).p[0] < 0.1


@pytest.mark.parametrize("n_groups", [5, 25, 100])
def test_features_that_authors_lean_to_are_not_called_associated(n_groups):
    rng = np.random.default_rng(2)
    sizes = rng.integers(20, 41, n_groups)
    groups, fires = lean(rng, sizes, 80)

    grouped, plain = every_pair(fires, groups), every_pair(fires)

    assert (plain.p <= 0.05).mean() > 0.08
    assert (grouped.p <= 0.05).mean() <= 0.05
    assert (grouped.p <= 0.001).mean() <= 0.001
    assert ((grouped.npmi_low <= 0) & (grouped.npmi_high >= 0)).mean() >= 0.94


def test_one_author_who_has_both_cannot_carry_a_pair():
    """Two features at 2 % everywhere, but two in a hundred authors have each in 90 %."""
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(100), 30)
    rates = np.where(rng.random((100, 80)) < 0.02, 0.9, 0.02)
    fires = rng.random((3000, 80)) < rates[groups]

    grouped, plain = every_pair(fires, groups), every_pair(fires)

    assert (plain.p <= 1e-6).mean() > 0.01
    assert (grouped.p <= 0.001).mean() <= 0.001


def test_a_pair_that_all_authors_have_is_found():
    rng = np.random.default_rng(4)
    groups, fires = lean(rng, [30] * 25, 40)
    fires[:, :2] |= (rng.random(750) < 0.2)[:, None]

    found = top_pairs(sparse(fires), groups=groups)

    assert list(zip(found.first, found.second, strict=True)) == [(0, 1)]
    assert found.n_tests == 40 * 39 / 2
    assert found.p[0] >= top_pairs(sparse(fires)).p.min()


def test_intervals_cover_the_truth_where_those_of_independent_documents_do_not():
    def draw(rng, n_groups, n_pairs):
        groups, fires = lean(rng, [30] * n_groups, 2 * n_pairs)
        return groups, fires | np.repeat(rng.random((groups.size, n_pairs)) < 0.1, 2, axis=1)

    _, many = draw(np.random.default_rng(5), 20_000, 1)
    truth = npmi(many.all(axis=1).sum(), *many.sum(axis=0), n=len(many))
    covered = np.zeros(2)
    for seed in range(12):
        groups, fires = draw(np.random.default_rng([6, seed]), 40, 20)
        for place, found in enumerate((every_pair(fires, groups), every_pair(fires))):
            planted = (found.first % 2 == 0) & (found.second == found.first + 1)
            inside = (found.npmi_low <= truth) & (truth <= found.npmi_high)
            covered[place] += inside[planted].mean() / 12

    assert covered[0] >= 0.93
    assert covered[1] < 0.88


def test_neither_order_nor_names_of_groups_matter():
    rng = np.random.default_rng(7)
    groups, fires = lean(rng, rng.integers(1, 30, 20), 12)
    shuffled = rng.permutation(groups.size)
    names = np.array([f"author {group}" for group in groups], object)

    one, other = every_pair(fires, groups), every_pair(fires[shuffled], names[shuffled])

    assert one.first.tolist() == other.first.tolist()
    assert one.p == pytest.approx(other.p)
    turned = every_pair(fires[:, ::-1], groups)
    assert np.sort(one.design.effect) == pytest.approx(np.sort(turned.design.effect))


def test_all_searches_give_a_pair_the_same_p():
    rng = np.random.default_rng(8)
    groups, fires = lean(rng, [20] * 40, 15)
    fires[:, 3] |= fires[:, 11] & (rng.random(800) < 0.5)
    options = {"max_q": 1.0, "groups": groups}

    def p_of(found):
        at = np.flatnonzero(np.isin(found.first, (3, 11)) & np.isin(found.second, (3, 11)))
        return float(found.p[at[0]])

    wanted = p_of(associate_pairs(sparse(fires), **options))
    assert p_of(top_pairs(sparse(fires), **options)) == wanted
    assert p_of(partner_pairs(sparse(fires), 3, **options)) == pytest.approx(wanted)
    across = top_pairs(sparse(fires[:, [3]]), other=sparse(fires[:, [11]]), **options)
    assert across.p[0] == pytest.approx(wanted)


def test_sums_over_groups_are_those_of_dense_counts():
    rng = np.random.default_rng(9)
    groups, fires = lean(rng, rng.integers(1, 20, 15), 8)
    side = Firing.of(sparse(fires), name="activations", min_support=1)
    size = np.bincount(groups).astype(float)
    first, second = (side_.astype(np.int32) for side_ in np.triu_indices(8, 1))
    found = np.zeros((first.size, 5))

    columns = Columns(side.start, side.rows)
    room = make_room(groups.size, 15)
    cross_groups(columns, columns, groups.astype(np.int32), size, first, second, room, found)

    for pair, (i, j) in enumerate(zip(side.kept[first], side.kept[second], strict=True)):
        own, other, both = (
            np.bincount(groups, weights=column)
            for column in (fires[:, i], fires[:, j], fires[:, i] & fires[:, j])
        )
        wanted = [both @ both, both @ own, both @ other, both @ size, own @ other]
        assert found[pair].tolist() == wanted


def test_the_intraclass_correlation_by_hand():
    # Groups of two: all or none -> 1; one of two in each -> below 0, taken as 0; counts 2, 0, 1
    # -> sum of count^2 / size 2.5, count^2 / n 1.5.
    fires = [[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 1], [1, 0, 0]]
    groups = np.array([0, 0, 1, 1, 2, 2])
    side = Firing.of(sparse(fires), name="activations", min_support=1)

    alike = GroupCounts.of(side, np.arange(3), groups, np.full(3, 2.0)).alike

    above, within = (2.5 - 1.5) / 2, 0.5 / 3
    by_feature = dict(zip(side.kept.tolist(), alike.tolist(), strict=True))
    assert by_feature == pytest.approx({0: 1.0, 1: 0.0, 2: (above - within) / (above + within)})
    some = GroupCounts.of(side, np.array([1]), groups, np.full(3, 2.0))
    assert np.isnan(some.alike).tolist() == [True, False, True]
    assert (some.square[1], some.by_size[1]) == (np.square([2, 0, 1]).sum(), 6)


def test_groups_that_tell_nothing_are_refused():
    fires = sparse(np.eye(6)[:, :3])

    with pytest.raises(InputError, match="all 6 documents are in one group"):
        top_pairs(fires, groups=["a"] * 6)
    with pytest.raises(InputError, match="2 of 6 labels of groups are missing"):
        partner_pairs(fires, 0, groups=["a", None, "b", "a", float("nan"), "b"])
    with pytest.raises(InputError, match="one value for each of 6 rows"):
        associate_pairs(fires, groups=[0, 1])
    assert number_groups(["b", "a", "b"], 3).tolist() == [0, 1, 0]
