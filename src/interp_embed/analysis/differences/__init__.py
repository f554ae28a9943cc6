"""What differs between groups of documents, and what of it holds in words on other documents."""
