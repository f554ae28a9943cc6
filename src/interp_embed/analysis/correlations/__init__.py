"""Which features go together, or avoid each other, in documents, two texts, and columns."""
