"""The front door: a text data set with its interpretable embedding."""
