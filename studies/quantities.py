"""The quantities that studies measure: names, units and labels. The code behind each is named, not imported."""

from __future__ import annotations

from results.quantity import Quantity

CLASSIFIERS = {"logistic": "logistic regression", "svm_linear": "linear SVM", "svm_rbf": "RBF SVM", "knn": "5-NN"}


def information(groups: tuple[str, ...]) -> tuple[Quantity, ...]:
    """rate_<group> of each latent group, bottom-up, then rate, distortion and elbo: nats per datum on the test set."""
    family = "evaluation.information:information"
    rates = tuple(
        Quantity(name=f"rate_{group}", unit="nats", goal="none", family=family, label=f"rate of {group}")
        for group in groups
    )
    return (
        *rates,
        Quantity(name="rate", unit="nats", goal="minimise", family=family, label="total rate"),
        Quantity(name="distortion", unit="nats", goal="minimise", family=family, label="distortion"),
        Quantity(name="elbo", unit="nats", goal="maximise", family=family, label="ELBO"),
    )


def probes(groups: tuple[str, ...]) -> tuple[Quantity, ...]:
    """Accuracy of each classifier on the modes of each group, a fraction, for the groups in the order given."""
    return tuple(
        Quantity(
            name=f"accuracy_{classifier}@{group}",
            unit="fraction",
            goal="maximise",
            family="evaluation.probes:probes",
            label=f"{title.replace(' ', '-')} accuracy on {group}",
        )
        for group in groups
        for classifier, title in CLASSIFIERS.items()
    )


def mutual_information(group: str) -> Quantity:
    """I_q(y; z) of the top latent group, nats; saturates at H(y) where posteriors are narrow."""
    return Quantity(
        name=f"mutual_information@{group}",
        unit="nats",
        goal="maximise",
        family="evaluation.mutual_information:mutual_information",
        label=f"mutual information of class and {group}",
    )


PSNR = Quantity(
    name="psnr",
    unit="dB",
    goal="maximise",
    family="evaluation.reconstruction:reconstruction",
    label="PSNR",
)
"""Of mode reconstructions, from the mean squared error over the whole test set."""

PICTURES = tuple(
    Quantity(name=name, unit="pixels", goal="none", family="evaluation.samples:samples", label=label, form="images")
    for name, label in (
        ("originals", "test images"),
        ("reconstructions", "reconstructions"),
        ("samples", "samples from the prior"),
    )
)
"""One picture a class: test images, their reconstructions at the posterior modes, samples."""

CLASSIFICATION = (
    Quantity(
        name="accuracy",
        unit="fraction",
        goal="maximise",
        family="evaluation.classification:classification",
        label="accuracy",
    ),
)
"""Of a classifier on the test set: what is measured of a prerequisite that is one."""
