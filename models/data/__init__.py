"""Data families: the official files in, tensors and splits out."""
