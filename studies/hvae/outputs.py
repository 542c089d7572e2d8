"""The tables and figures of Trading Information between Latents, by their numbers in the paper."""

from __future__ import annotations

from studies.hvae.names import CIFAR10, LADDER, MNIST, MODELS, SUFFIX, SVHN
from studies.hvae.study_tables import NAMES
from studies.paper import Output

_STUDY_TABLES = {
    "best_accuracies": "Best accuracies of classifiers on the latents",
    "optima": "The VAE and the best cells of the grid",
    "setup": "The experiments in numbers",
    "claims": "The paper's claims",
    "claims_evidence": "The evidence on the paper's claims",
}
TABLES: tuple[Output, ...] = (
    Output(
        name="table1",
        title="Best accuracies of classifiers on the latents",
        studies=(SVHN, CIFAR10),
        also=(MNIST, LADDER),
        build="studies.hvae.tables:table1",
    ),
    *(
        Output(
            name=f"{table}{suffix}",
            title=f"{title}: {MODELS[study]}",
            studies=(study,),
            build=f"studies.hvae.tables:{table}",
            options=("hull",) if table.startswith("claims") else (),
        )
        for study, suffix in NAMES.items()
        for table, title in _STUDY_TABLES.items()
    ),
)

_TITLES = {
    "figure1": "No one model fits all tasks",
    "figure3": "Reconstruction over the rates of the layers",
    "figure4": "Samples and reconstructions of three models",
    "figure5": "Quality of samples over the rates of the layers",
    "figure6": "Accuracy on z₂ against the total rate",
    "figure7": "Information and accuracies on z₂ over the rates of the layers",
}
_WITHOUT_HULL = ("figure1", "figure4")
_BESIDE_SVHN = ("figure3", "figure7")  # the paper shows CIFAR-10 beside SVHN
EVERY_METRIC = {SVHN: "metrics_svhn", CIFAR10: "metrics_cifar10", MNIST: "figure8", LADDER: "figure9"}


def _figure(build: str, name: str, title: str, study: str, also: tuple[str, ...] = ()) -> Output:
    return Output(
        name=name,
        title=f"{title}: {MODELS[study]}",
        studies=(study,),
        also=also,
        build=f"studies.hvae.figures:{build}",
        options=("hull",) if build not in _WITHOUT_HULL else (),
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
        _figure("metrics", EVERY_METRIC[study], "Every metric over the rates of the layers", study),
    )
)
