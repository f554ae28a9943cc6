from interp_embed.readers.pieces import Piece, batch_end, cut_pieces


def test_long_documents_are_cut_into_equal_pieces_longest_first():
    assert cut_pieces([3, 10], room=4) == [
        Piece(1, 0, 4),
        Piece(0, 0, 3),
        Piece(1, 4, 7),
        Piece(1, 7, 10),
    ]


def test_pieces_of_a_document_come_in_order_and_cover_it():
    pieces = cut_pieces([7, 50, 33, 1], room=8)

    for document, length in enumerate([7, 50, 33, 1]):
        own = [piece for piece in pieces if piece.document == document]
        assert [i for piece in own for i in range(piece.begin, piece.end)] == list(range(length))
        assert max(map(len, own)) <= 8
        assert max(map(len, own)) - min(map(len, own)) <= 1


def test_batches_hold_at_most_the_budget_and_at_least_one_piece():
    pieces = cut_pieces([9, 8, 8, 7], room=100)

    assert batch_end(pieces, 0, budget=30, extra=1) == 3  # 3 x 10
    assert batch_end(pieces, 3, budget=30, extra=1) == 4
    assert batch_end(pieces, 0, budget=2, extra=1) == 1


def test_a_batch_ends_where_rows_would_be_mostly_padding():
    pieces = cut_pieces([100, 90, 10, 10], room=100)

    assert batch_end(pieces, 0, budget=400, extra=0) == 2
    assert batch_end(pieces, 0, budget=4000, extra=0) == 4  # too little for two batches
