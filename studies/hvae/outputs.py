"""The tables and figures of Trading Information between Latents, by their numbers in the paper."""

from __future__ import annotations

from studies.hvae.names import CIFAR10, LADDER, MNIST, MODELS, SUFFIX, SVHN
from studies.paper import Output

TABLES: tuple[Output, ...] = ()

_TITLES = {
    "figure1": "No one model fits all tasks",
    "figure3": "Reconstruction over the rates of the layers",
    "figure4": "Samples and reconstructions of three models",
    "figure5": "Quality of samples over the rates of the layers",
    "figure6": "Accuracy on z₂ against the total rate",
    "figure7": "Information and accuracies on z₂ over the rates of the layers",
}
_BESIDE_SVHN = ("figure3", "figure7")  # the paper shows CIFAR-10 beside SVHN
_EVERY_METRIC = {SVHN: "metrics_svhn", CIFAR10: "metrics_cifar10", MNIST: "figure8", LADDER: "figure9"}


def _figure(build: str, name: str, title: str, study: str, also: tuple[str, ...] = ()) -> Output:
    return Output(
        name=name,
        title=f"{title}: {MODELS[study]}",
        studies=(study,),
        also=also,
        build=f"studies.hvae.figures:{build}",
    )


FIGURES: tuple[Output, ...] = tuple(
    output
    for study, suffix in SUFFIX.items()
    for output in (
        *(
            _figure(
                figure,
                f"{figure}{suffix}",
                title,
                study,
                (CIFAR10,) if study == SVHN and figure in _BESIDE_SVHN else (),
            )
            for figure, title in _TITLES.items()
        ),
        _figure("metrics", _EVERY_METRIC[study], "Every metric over the rates of the layers", study),
    )
)
