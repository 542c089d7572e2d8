"""Rehearsal: a study on a simulated cluster and clock, with the planner, packer, policy and store of a launch."""
