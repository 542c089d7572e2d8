"""The orchestrator: plans, packs, executors and the command line."""
