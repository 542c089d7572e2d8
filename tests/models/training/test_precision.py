"""Training in bfloat16 and TF32: which numbers are rounded and which are not, engines, resumption, refusals."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence
from torch.func import functional_call, grad

from models.data.dataset import Dataset, Split
from models.families import Data, Model
from models.kinds import (
    Adam,
    Bernoulli,
    BetaObjective,
    ConvolutionalHierarchy,
    DenseEncoder,
    FlatModel,
    HierarchicalModel,
    PixelCnnDecoder,
    Training,
    VampPrior,
)
from models.noise import Noise, key
from models.training.precision import PrecisionError, check_precision, exact_products
from models.training.problem import Member, Problem, build_problem
from models.training.state import PackState
from models.training.trainer import train

CPU = torch.device("cpu")
EPSILON = 2.0**-8  # the relative error of rounding to bfloat16
Path = Literal["fused", "sequential"]
PATHS: tuple[Path, ...] = ("fused", "sequential")


class Marks(Data):
    """Random binary images of the size of MNIST's."""

    kind = "precision-marks"
    implementation = ":load_marks"
    shape = (1, 28, 28)
    levels = 1
    classes = 2


def load_marks(spec: Marks) -> Dataset:
    images = Noise(key(3), 0).uniform("images", (16, *spec.shape)).round().to(torch.uint8)
    split = Split(images=images, labels=torch.arange(16) % 2)
    return Dataset(spec=spec, train=split, test=split)


SMALL: dict[str, object] = {"channels": 2, "top": 3, "hidden": 4, "likelihood": {"kind": "bernoulli"}}
MODELS: dict[str, Model] = {
    "ghvae": ConvolutionalHierarchy.model_validate(SMALL),
    "lvae": ConvolutionalHierarchy.model_validate(SMALL | {"inference": "ladder"}),
    "dense": HierarchicalModel(latents=(4, 2), encoder=DenseEncoder(widths=(16,)), likelihood=Bernoulli()),
    "full normal, VampPrior": FlatModel(
        latent=3, posterior="full", prior=VampPrior(components=4), likelihood=Bernoulli()
    ),
    "pixelcnn": FlatModel(latent=2, decoder=PixelCnnDecoder(filters=2), likelihood=Bernoulli()),
}


def problem(model: str, precision: str, seeds: tuple[int, ...] = (0, 1), steps: int = 3) -> Problem:
    training = Training(steps=steps, batch_size=4, optimiser=Adam(learning_rate=3e-3), precision=precision)  # type: ignore[arg-type]
    objective = BetaObjective(beta=(1.0,) * len(MODELS[model].groups))
    return build_problem(
        Marks(), MODELS[model], [Member(objective=objective, training=training, seed=seed) for seed in seeds], CPU
    )


def _parameters(subject: Problem) -> dict[str, Tensor]:
    return {name: value[0] for name, value in subject.layout.views(subject.initial_rows()).items()}


@pytest.mark.parametrize("name", MODELS)
def test_only_layers_are_rounded(name: str) -> None:
    """Of a forward pass in bfloat16: everything that it gives is float32, and near the pass in float32, not at it."""
    exact, rounded = problem(name, "float32"), problem(name, "bfloat16")
    assert torch.equal(rounded.initial_rows(), exact.initial_rows())
    assert (rounded.dtype, rounded.initial_rows().dtype) == (torch.float32, torch.float32)
    noise = Noise(key(1), 0)
    found = {}
    for subject in (exact, rounded):
        with subject.layers():
            terms = functional_call(subject.network, _parameters(subject), ("terms", subject.first_batch(noise), noise))
        assert (terms.rate.dtype, terms.distortion.dtype) == (torch.float32, torch.float32)
        found[subject.training.precision] = torch.cat((terms.rate.flatten(), terms.distortion))
    assert not torch.equal(found["bfloat16"], found["float32"])
    # Three roundings a layer of a few layers, of sums whose terms mostly average out.
    torch.testing.assert_close(found["bfloat16"], found["float32"], rtol=20 * EPSILON, atol=20 * EPSILON)


@pytest.mark.parametrize("name", ["ghvae", "lvae", "dense"])
def test_rates_and_log_densities_are_those_of_float32(name: str) -> None:
    """By torch.distributions in double precision from what the layers gave: to 2e-6, where bfloat16 has 4e-3."""
    subject, noise = problem(name, "bfloat16"), Noise(key(1), 0)
    network, parameters, x = subject.network, _parameters(subject), subject.first_batch(noise)
    with subject.layers():
        terms = functional_call(network, parameters, ("terms", x, noise))
        codes = functional_call(network, parameters, ("codes", x, noise))
    for index, group in enumerate(network.groups):
        code = codes[group]
        expected = torch.addcmul(code.mean, code.std, noise.normal(f"posterior/{group}", tuple(code.mean.shape)))
        assert torch.equal(code.sample, expected)
        if group == network.groups[-1]:
            q = Normal(code.mean.double(), code.std.double())
            rate = kl_divergence(q, Normal(torch.zeros_like(q.mean), 1.0)).sum(1)
            torch.testing.assert_close(terms.rate[index].double(), rate, rtol=2e-6, atol=2e-6)
    network.load_state_dict(parameters, strict=False)
    with subject.layers():
        output = network.get_submodule("decoder")(codes["z1"].sample)
    assert output.dtype == torch.bfloat16
    assert isinstance(x, Tensor)
    log_prob = -torch.nn.functional.binary_cross_entropy_with_logits(output.double(), x.double(), reduction="none")
    torch.testing.assert_close(terms.distortion.double(), -log_prob.sum((1, 2, 3)), rtol=2e-6, atol=0.0)


@pytest.mark.parametrize("name", ["ghvae", "lvae", "full normal, VampPrior"])
def test_gradients_point_where_those_of_float32_do(name: str) -> None:
    noise = Noise(key(1), 0)
    directions = []
    for precision in ("float32", "bfloat16"):
        subject = problem(name, precision)

        def loss(parameters: dict[str, Tensor], subject: Problem = subject) -> Tensor:
            with subject.layers():
                terms = functional_call(subject.network, parameters, ("terms", subject.first_batch(noise), noise))
            return terms.distortion.mean() + terms.rate.sum(0).mean()

        grown = grad(loss)(_parameters(subject))
        assert {value.dtype for value in grown.values()} == {torch.float32}
        directions.append(torch.cat([value.flatten() for value in grown.values()]))
    exact, rounded = directions
    assert not torch.equal(exact, rounded)
    assert float(torch.dot(exact, rounded) / exact.norm() / rounded.norm()) > 1 - 10 * EPSILON


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("path", PATHS)
def test_engines_train_in_it(name: str, path: Path) -> None:
    """The curves of three steps are those of float32 but for the rounding; parameters and moments stay float32."""
    exact, rounded = (train(problem(name, precision), path) for precision in ("float32", "bfloat16"))
    assert bool(rounded.alive.all())
    assert {value.dtype for value in (rounded.rows, *rounded.moments.values(), rounded.curves)} == {torch.float32}
    assert not torch.equal(rounded.rows, exact.rows)
    torch.testing.assert_close(rounded.curves, exact.curves, rtol=20 * EPSILON, atol=20 * EPSILON)


@pytest.mark.parametrize("path", PATHS)
def test_it_resumes_bit_for_bit(path: Path) -> None:
    saved: list[dict[str, Tensor]] = []

    def keep(state: PackState) -> None:
        saved.append({name: value.clone() for name, value in state.tensors().items()})

    calm = train(problem("ghvae", "bfloat16", steps=20), path, after_block=keep)
    resumed = problem("ghvae", "bfloat16", steps=20)
    state = PackState.initial(resumed)
    state.load(saved[0])
    assert int(state.step.max()) == 16
    assert torch.equal(train(resumed, path, state).rows, calm.rows)


def test_tf32_is_refused_where_it_cannot_be_had() -> None:
    check_precision("float32", CPU)
    with pytest.raises(PrecisionError, match=r"'tf32' needs a CUDA device, not cpu; take 'float32'"):
        check_precision("tf32", CPU)
    with pytest.raises(PrecisionError, match="needs a CUDA device"):
        train(problem("ghvae", "tf32"), "sequential")


def test_a_process_that_trains_multiplies_exactly() -> None:
    exact_products()
    rounding = (torch.backends.cuda.matmul.fp32_precision, torch.backends.cudnn.conv.fp32_precision)
    assert rounding == ("ieee", "ieee")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("path", PATHS)
def test_on_cuda_float32_is_exact_and_tf32_is_not(path: Path) -> None:
    """One step's loss: of float32 as on the CPU, of TF32 off by its 10 bits; and nothing of it is left behind."""
    exact_products()
    model, losses = ConvolutionalHierarchy(likelihood=Bernoulli()), {}
    for precision, device in (("float32", "cpu"), ("float32", "cuda"), ("tf32", "cuda"), ("bfloat16", "cuda")):
        training = Training(steps=1, batch_size=16, precision=precision)  # type: ignore[arg-type]
        member = Member(objective=BetaObjective(beta=(1.0, 1.0)), training=training, seed=0)
        state = train(build_problem(Marks(), model, [member], torch.device(device)), path)
        losses[precision, device] = float(state.curves[0, 0, 0])
    expected = losses["float32", "cpu"]
    assert losses["float32", "cuda"] == pytest.approx(expected, rel=1e-6)
    assert 1e-7 < abs(losses["tf32", "cuda"] / expected - 1) < 2.0**-10
    assert 1e-6 < abs(losses["bfloat16", "cuda"] / expected - 1) < 4 * EPSILON
    test_a_process_that_trains_multiplies_exactly()
