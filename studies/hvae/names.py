"""What the studies of Trading Information between Latents are called, and the columns of their frames."""

from __future__ import annotations

SVHN, CIFAR10, MNIST, LADDER = "hvae/svhn", "hvae/cifar10", "hvae/mnist", "hvae/svhn-lvae"
MODELS = {
    SVHN: "GHVAE on SVHN",
    CIFAR10: "GHVAE on CIFAR-10",
    MNIST: "GHVAE on binary MNIST",
    LADDER: "LVAE on SVHN",
}
DATA = {SVHN: "SVHN", CIFAR10: "CIFAR-10", MNIST: "binary MNIST", LADDER: "SVHN"}
SUFFIX = {SVHN: "", CIFAR10: "_cifar10", MNIST: "_mnist", LADDER: "_lvae"}  # of a figure that the paper has of SVHN

BETA2, BETA1 = "objective.beta[1]", "objective.beta[0]"  # objective.beta is bottom-up: (β1, β2)
RATE2, RATE1, RATE = "rate_z2", "rate_z1", "rate"  # R(z2), R(z1|z2) and their sum
CLASSES = 10  # of every data set
