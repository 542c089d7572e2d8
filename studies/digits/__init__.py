"""Studies on the embedded digits, which every machine has."""
