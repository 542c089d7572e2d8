"""The quantities that studies measure: names, units and labels. The code behind each is named, not imported."""

from __future__ import annotations

from results.quantity import Goal, Quantity

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
    """Accuracy of each classifier on the modes of each group, a fraction, for the groups in the order given.

    A lower group's mode is conditional on a sample of the group above; of `z1_mode` on the mode of that group.
    """
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
        version=2,  # 1 was not cut to [0, H(y)]
        label=f"mutual information of class and {group}",
    )


def mutual_information_bound(group: str) -> Quantity:
    """A lower bound on I_q(y; z) of the top latent group by a classifier of sampled codes, nats; it cannot saturate."""
    return Quantity(
        name=f"mutual_information_bound@{group}",
        unit="nats",
        goal="maximise",
        family="evaluation.mutual_information_bound:mutual_information_bound",
        label=f"lower bound on the mutual information of class and {group}",
    )


def accuracy_bound(groups: tuple[str, ...]) -> tuple[Quantity, ...]:
    """The accuracy that the rate of each group and of those above it allows a classifier, by Fano's inequality."""
    return tuple(
        Quantity(
            name=f"accuracy_bound@{group}",
            unit="fraction",
            goal="none",
            family="evaluation.accuracy_bound:accuracy_bound",
            label=f"Fano bound on accuracy from {group}",
        )
        for group in groups
    )


def inception(count: int, prerequisites: str) -> tuple[Quantity, ...]:
    """Inception Score of `count` samples, its factors, and the accuracy of the classifier that judges them.

    prerequisites: the 'module:function' that names that classifier, in the role `reference`.
    """
    measures: tuple[tuple[str, str, Goal, str], ...] = (
        (f"inception_score@{count}", "", "maximise", "Inception Score"),
        (f"diversity@{count}", "", "maximise", "diversity of samples"),
        (f"sharpness@{count}", "", "maximise", "sharpness of samples"),
        ("reference_accuracy", "fraction", "none", "accuracy of the reference classifier"),
    )
    return tuple(
        Quantity(
            name=name,
            unit=unit,
            goal=goal,
            family="evaluation.inception:inception",
            label=label,
            prerequisites=prerequisites,
        )
        for name, unit, goal, label in measures
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
    Quantity(
        name=name,
        unit="pixels",
        goal="none",
        family="evaluation.samples:samples",
        version=2,  # 1 had the levels of the data, by which the means of binary pixels are black or white
        label=label,
        form="images",
        levels=255,
    )
    for name, label in (
        ("originals", "test images"),
        ("reconstructions", "reconstructions"),
        ("samples", "samples from the prior"),
    )
)
"""One picture a class, in 0..255: test images, their reconstructions at the posterior modes, samples."""

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


def semantic(group: str) -> tuple[Quantity, ...]:
    """Accuracy of an MLP and of a linear classifier on sampled codes of a group, and the MLP's cross-entropy in nats.

    Fitted to the training split; then those fitted to half of the test split (Seybold et al. 2019, Secs. 3.2 and 4.1).
    """
    measures: tuple[tuple[str, str, Goal, str], ...] = (
        ("accuracy_mlp", "fraction", "maximise", "MLP accuracy"),
        ("accuracy_linear", "fraction", "maximise", "linear accuracy"),
        ("label_distortion_mlp", "nats", "minimise", "label distortion"),
    )
    return tuple(
        Quantity(
            name=f"{name}{suffix}@{group}",
            unit=unit,
            goal=goal,
            family="evaluation.semantics:representation",
            label=f"{label}{how}",
        )
        for suffix, how in (("", ""), ("_fit_on_test", ", fitted on test data"))
        for name, unit, goal, label in measures
    )


def semantic_reconstruction(prerequisites: str) -> tuple[Quantity, ...]:
    """Accuracy of a classifier of original images on sampled reconstructions and on the test set, and pictures of both.

    prerequisites: the 'module:function' that names that classifier, in the role `reference`. The pictures are one a
    class: test images, and reconstructions x' ~ p(x'|z) with z ~ q(z|x).
    """
    place = "evaluation.semantic_reconstruction"
    accuracies: tuple[tuple[str, Goal, str], ...] = (
        ("reconstruction_accuracy", "maximise", "reconstruction accuracy"),
        ("reference_accuracy", "none", "accuracy of the reference classifier"),
    )
    pictures = (("originals", "test images"), ("sampled_reconstructions", "sampled reconstructions"))
    return (
        *(
            Quantity(
                name=name,
                unit="fraction",
                goal=goal,
                family=f"{place}:reconstruction",
                label=label,
                prerequisites=prerequisites,
            )
            for name, goal, label in accuracies
        ),
        *(
            Quantity(name=name, unit="pixels", goal="none", family=f"{place}:pictures", label=label, form="images")
            for name, label in pictures
        ),
    )


def supervised_accuracy(prerequisites: str) -> Quantity:
    """Accuracy on the test set of a classifier that sees what the auxiliary decoder is to reconstruct.

    prerequisites: the 'module:function' that names it, in the role `supervised`.
    """
    return Quantity(
        name="supervised_accuracy",
        unit="fraction",
        goal="none",
        family="evaluation.semantic_reconstruction:supervised",
        label="supervised accuracy on the target",
        prerequisites=prerequisites,
    )


def latents(group: str) -> tuple[Quantity, ...]:
    """Points with their labels: posteriors of the top group in two dimensions, and a plane for all dimensions."""
    return tuple(
        Quantity(name=name, unit="latent", goal="none", family="evaluation.latents:latents", label=label, form="codes")
        for name, label in (
            ("latents", f"posteriors of {group} in its first two dimensions"),
            ("tsne", f"t-SNE of the posterior means of {group}"),
        )
    )
