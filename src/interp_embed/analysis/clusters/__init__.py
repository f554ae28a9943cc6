"""Documents divided by the features one asks for, and how far that can be trusted."""
