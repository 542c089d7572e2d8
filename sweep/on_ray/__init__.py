"""Packs on Ray: the executor, its cluster and its job server. The one place that imports ray."""
