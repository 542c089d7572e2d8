"""The house rules: who may import whom, what a file is called and how long it is.

The rules are functions of a source tree, so that each is also shown to catch what it forbids.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Which of our modules each package may import.
OURS = {
    "models": ("models",),
    "evaluation": ("evaluation", "models", "results.quantity", "results.information_bound"),
    "studies": ("studies", "models.spec", "models.families", "models.kinds", "results"),
    "results": ("results",),
    "sweep": ("sweep", "studies", "evaluation", "results", "models"),
}
# Listing and planning studies starts with these, so they import nothing heavy, not even by another module of models.
SPECIFICATIONS = ("models/spec.py", "models/families.py", "models/kinds.py", "models/specification/")
# Where the packages that are slow to import, or that only one place should depend on, may be imported.
CONFINED = {
    "torch": ("models/", "evaluation/", "sweep/run.py"),
    "functorch": ("models/",),
    "safetensors.torch": ("models/", "evaluation/", "sweep/run.py"),
    "sklearn": ("evaluation/", "models/data/digits.py"),  # the digits come inside scikit-learn's own package
    "ray": ("sweep/on_ray/",),
}
RESULTS_THIRD_PARTY = {
    "numpy",
    "pandas",
    "pyarrow",
    "scipy",
    "plotly",
    "jinja2",
    "safetensors",
    "kaleido",
    "choreographer",
}
LONGEST = 300
VAGUE = {"util", "utils", "helper", "helpers", "manager", "managers"}
FOREIGN = {"recon_loss", "kld", "hparams"}  # the field says distortion, rate and specification


def sources(root: Path) -> Iterator[tuple[str, ast.Module]]:
    """Path and syntax tree of every module of ours."""
    for package in OURS:
        for path in sorted((root / package).rglob("*.py")):
            yield path.relative_to(root).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def imported(path: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything imported, wherever in the file it is, also by `import_module("…")`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = path.split("/")[: -node.level] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in {"import_module", "__import__"} and isinstance(node.args[0].value, str):
                yield node.lineno, node.args[0].value


def within(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


def directions(root: Path) -> Iterator[str]:
    """Packages import only those below them; specifications import only each other."""
    for path, tree in sources(root):
        described = ("models.spec", "models.families", "models.kinds", "models.specification")
        allowed = described if path.startswith(SPECIFICATIONS) else OURS[path.split("/")[0]]
        for line, name in imported(path, tree):
            if name.split(".")[0] in OURS and not any(within(name, module) for module in allowed):
                yield f"{path}:{line} imports {name}"


def confinement(root: Path) -> Iterator[str]:
    """torch, scikit-learn and Ray are imported only where they belong; results only what any reader may need."""
    for path, tree in sources(root):
        for line, name in imported(path, tree):
            for package, places in CONFINED.items():
                if within(name, package) and (path.startswith(SPECIFICATIONS) or not path.startswith(places)):
                    yield f"{path}:{line} imports {name}"
            top = name.split(".")[0]
            known = top in sys.stdlib_module_names or top in OURS or top in RESULTS_THIRD_PARTY
            if path.startswith("results/") and not known and top not in CONFINED:
                yield f"{path}:{line} imports {name}"


def packages(root: Path) -> Iterator[str]:
    """A package's __init__ is a docstring; every folder of modules is a package; there are no other packages."""
    for path, tree in sources(root):
        if path.endswith("__init__.py") and not (len(tree.body) == 1 and ast.get_docstring(tree)):
            yield f"{path} holds more, or less, than a docstring"
        if not (root / path).with_name("__init__.py").exists():
            yield f"{path} stands in a folder without __init__.py"
    for init in root.glob("*/__init__.py"):
        if init.parent.name not in OURS:
            yield f"{init.relative_to(root).as_posix()} makes a package that is none of ours"


def lengths(root: Path) -> Iterator[str]:
    """One idea a file."""
    for path, _ in sources(root):
        count = len((root / path).read_text(encoding="utf-8").splitlines())
        if count > LONGEST:
            yield f"{path} has {count} lines"


def defined(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of whatever a module names itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg | ast.keyword) and node.arg:
            yield node.lineno, node.arg
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        elif isinstance(node, ast.alias) and node.asname:
            yield node.lineno, node.asname


def words(name: str) -> set[str]:
    """The words of a name in snake_case or CamelCase."""
    return set(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_"))


def names(root: Path) -> Iterator[str]:
    """No name that says nothing, and none that the field does not use."""
    for path, tree in sources(root):
        for part in Path(path).with_suffix("").parts:
            if words(part) & VAGUE:
                yield f"{path} is named {part}"
        for line, name in defined(tree):
            if words(name) & VAGUE or name.lower() in FOREIGN or words(name) & FOREIGN:
                yield f"{path}:{line} names {name}"


RULES = (directions, confinement, packages, lengths, names)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_the_rule(rule: Callable[[Path], Iterator[str]]) -> None:
    assert list(rule(ROOT)) == []


def test_the_house_is_there() -> None:
    found = {path.split("/")[0] for path, _ in sources(ROOT)}
    assert found == set(OURS)


@pytest.mark.parametrize(
    ("rule", "path", "text", "caught"),
    [
        (directions, "results/a.py", "from models.families import Data", "results/a.py:1 imports models.families.Data"),
        (directions, "models/a.py", "x = 1\nimport studies.trial", "models/a.py:2 imports studies.trial"),
        (directions, "evaluation/a.py", "from results import store", "evaluation/a.py:1 imports results.store"),
        (directions, "studies/a.py", "from models import vae", "studies/a.py:1 imports models.vae"),
        (directions, "studies/a.py", "def f():\n    import sweep.plan", "studies/a.py:2 imports sweep.plan"),
        (directions, "models/kinds.py", "from models.noise import key", "models/kinds.py:1 imports models.noise.key"),
        (directions, "models/data/a.py", "from ...sweep import b", "models/data/a.py:1 imports sweep.b"),
        (confinement, "studies/a.py", "import torch.nn as nn", "studies/a.py:1 imports torch.nn"),
        (confinement, "models/spec.py", "import torch", "models/spec.py:1 imports torch"),
        (confinement, "sweep/a.py", "from ray import tune", "sweep/a.py:1 imports ray.tune"),
        (confinement, "sweep/run_all.py", "import_module('torch')", "sweep/run_all.py:1 imports torch"),
        (confinement, "models/a.py", "if True:\n    import sklearn", "models/a.py:2 imports sklearn"),
        (confinement, "results/a.py", "from safetensors.torch import save", "results/a.py:1 imports safetensors.torch"),
        (confinement, "results/a.py", "import requests", "results/a.py:1 imports requests"),
        (packages, "models/__init__.py", '"""Docs."""\nx = 1', "models/__init__.py holds more"),
        (packages, "models/__init__.py", "", "models/__init__.py holds more, or less"),
        (packages, "results/deep/a.py", "", "results/deep/a.py stands in a folder without"),
        (packages, "extra/__init__.py", "", "extra/__init__.py makes a package"),
        (lengths, "sweep/a.py", "x = 1\n" * 301, "sweep/a.py has 301 lines"),
        (names, "sweep/pack_utils.py", "", "sweep/pack_utils.py is named pack_utils"),
        (names, "sweep/manager/a.py", "", "sweep/manager/a.py is named manager"),
        (names, "models/a.py", "class StoreManager: ...", "models/a.py:1 names StoreManager"),
        (names, "models/a.py", "def f(helper): ...", "models/a.py:1 names helper"),
        (names, "models/a.py", "total = rate\nmean_kld = 1", "models/a.py:2 names mean_kld"),
        (names, "models/a.py", "f(recon_loss=1)", "models/a.py:1 names recon_loss"),
    ],
)
def test_each_rule_catches_what_it_forbids(
    tmp_path: Path, rule: Callable[[Path], Iterator[str]], path: str, text: str, caught: str
) -> None:
    for package in OURS:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text('"""A package."""\n')
    assert [fault for each in RULES for fault in each(tmp_path)] == []
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text(text)
    (fault,) = rule(tmp_path)
    assert fault.startswith(caught)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("evaluation/a.py", "import torch\nimport sklearn.svm\nfrom results.quantity import Quantity"),
        ("studies/a.py", "from models.spec import Spec\nfrom results.frame import Frame"),
        ("results/a.py", "import json\nimport numpy as np\nfrom safetensors.numpy import load\nfrom . import store"),
        ("sweep/on_ray/executor.py", "import ray\nfrom studies import study"),
        ("models/a.py", "import torch.utils.checkpoint\nfrom torch.utils import data"),
    ],
)
def test_what_is_allowed_is_not_caught(tmp_path: Path, path: str, text: str) -> None:
    for package in OURS:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text('"""A package."""\n')
    (tmp_path / path).parent.mkdir(exist_ok=True)
    (tmp_path / path).with_name("__init__.py").write_text('"""A package."""\n')
    (tmp_path / path).write_text(text)
    assert [fault for rule in RULES for fault in rule(tmp_path)] == []


def test_studies_and_stored_results_load_neither_torch_nor_ray_nor_scikit_learn() -> None:
    program = (
        "import sys\n"
        "import studies.catalogue, results.store, results.frame\n"
        "studies.catalogue.find(['digits', 'digits@small'])[0].study.planned()\n"
        "print(*sorted({'torch', 'ray', 'sklearn'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout.strip(), run.stderr) == (0, "", "")


def test_tests_are_no_packages() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []
