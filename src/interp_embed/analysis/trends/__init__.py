"""What rises, falls or turns over ordered groups of documents."""
