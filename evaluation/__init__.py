"""A trained model in, named numbers out."""
