"""Documents, labels and copies found: by features, by meaning, by words."""
