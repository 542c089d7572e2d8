"""What is trained: specifications, data, model parts, objectives and the pack trainer."""
