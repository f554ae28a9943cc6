from interp_embed.embedders.packed_bert import batches_by_length


def test_batches_hold_a_token_budget_and_equal_lengths_together():
    assert batches_by_length([5, 3, 5], 10) == [[0, 2], [1]]
    assert batches_by_length([9, 20], 10) == [[1], [0]]
    assert batches_by_length([], 10) == []


def test_short_documents_are_batched_apart():
    assert batches_by_length([2, 6, 2, 5], 100, apart_below=5) == [[1, 3], [0, 2]]
