"""Text data sets as interpretable embeddings, and findings from them that hold up."""
