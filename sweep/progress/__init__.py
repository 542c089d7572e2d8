"""Progress: how far a launch is, while it runs: looked at, reckoned, drawn, shown on a terminal or as plain lines."""
