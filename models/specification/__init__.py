"""The kinds that ship, by topic; `models.kinds` has them all under one name."""
