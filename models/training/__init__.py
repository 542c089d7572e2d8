"""The pack trainer: state, optimisers, the fused and the sequential engine."""
