"""Trading Information between Latents in Hierarchical Variational Autoencoders (Xiao & Bamler, ICLR 2023)."""

from __future__ import annotations

from results.quantity import Quantity
from studies import quantities
from studies.axes import axis, logspace, product
from studies.hvae.outputs import FIGURES, TABLES
from studies.hvae.sizes import CIFAR10, MNIST, SAMPLES, SMALL_SAMPLES, SVHN, SVHN_LADDER, Size
from studies.paper import Paper
from studies.study import Reduction, Study

BETA2, BETA1 = "objective.beta[1]", "objective.beta[0]"  # objective.beta is bottom-up: (β1, β2)
WEIGHTS = logspace(0.1, 10, 21)
REFERENCE = "studies.hvae.prerequisites:reference"


def _measured(samples: int) -> tuple[Quantity, ...]:
    return (
        *quantities.information(("z1", "z2")),
        quantities.PSNR,
        *quantities.inception(samples, REFERENCE),
        *quantities.probes(("z2", "z1", "z1_mode")),
        quantities.mutual_information("z2"),
        quantities.mutual_information_bound("z2"),
        *quantities.accuracy_bound(("z2", "z1")),
        *quantities.PICTURES,
    )


def _study(name: str, question: str, size: Size) -> Study:
    """The 21 × 21 grid of layer weights; the VAE and the β-VAEs are cells of it."""
    return Study(
        name=f"hvae/{name}",
        question=question,
        base=size.trial(),
        axes=product(axis(BETA2, WEIGHTS), axis(BETA1, WEIGHTS)),
        seeds=1,
        quantities=_measured(SAMPLES),
        reduction=Reduction(note=size.note, quantities=_measured(SMALL_SAMPLES), assign=size.reduced()),
    )


QUESTION = "How does splitting the rate between two layers of latents trade reconstruction, sampling and classification"
SVHN_STUDY = _study("svhn", f"{QUESTION} against each other on SVHN?", SVHN)
CIFAR10_STUDY = _study("cifar10", f"{QUESTION} against each other on CIFAR-10?", CIFAR10)
MNIST_STUDY = _study("mnist", f"{QUESTION} against each other on binary MNIST?", MNIST)
LADDER_STUDY = _study("svhn-lvae", f"{QUESTION} against each other in a ladder VAE on SVHN?", SVHN_LADDER)
STUDIES = (SVHN_STUDY, CIFAR10_STUDY, MNIST_STUDY, LADDER_STUDY)


PAPER = Paper(
    name="hvae",
    title="Trading Information between Latents in Hierarchical Variational Autoencoders",
    reference="T. Z. Xiao and R. Bamler, Trading Information between Latents in Hierarchical Variational Autoencoders, "
    "International Conference on Learning Representations, 2023",
    studies=STUDIES,
    tables=TABLES,
    figures=FIGURES,
)
