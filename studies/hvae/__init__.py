"""Trading Information between Latents in Hierarchical Variational Autoencoders (Xiao & Bamler, ICLR 2023)."""
