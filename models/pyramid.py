"""The convolutional encoder and the pixel-independent decoder of Seybold et al. (2019), Tables 5 and 6.

Both narrow to a core of 7×7 and to one vector: `halvings` 2 is the tables' own form for 28×28 images, 1 leaves the
first resolution out for 14×14. Their widths are counted in `filters` f (64 in the tables). Where the tables are silent:
pixels enter as 2x/levels − 1, as in the example of TensorFlow Probability; 'same' padding is 2 on every side, where
TensorFlow pads a stride of 2 with 1 before and 2 after, which only shifts the grid by a pixel; initial weights are
Glorot's and biases zero, the default of the authors' framework, in all layers but the first of a decoder: `Spread`
starts weights and biases at ±1/√latent, uniform.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from models.families import Data
from models.initialise import WEIGHTED
from models.kinds import ConvolutionalAuxiliary, GradientAuxiliary, PyramidDecoder, PyramidEncoder
from models.noise import Noise
from models.specification.parts import CORE

KERNEL, PADDING = 5, 2
Auxiliary = ConvolutionalAuxiliary | GradientAuxiliary  # they have such a decoder in them


class Glorot(nn.Module):
    """Layers that start with uniform weights of variance 2/(fan in + fan out) and no biases (Glorot & Bengio 2010)."""

    layers: nn.Sequential

    def initialise(self, noise: Noise, site: str) -> dict[str, Tensor]:
        """(K, *shape) by name; a `Spread` starts by its own rule."""
        parameters: dict[str, Tensor] = {}
        for index, layer in enumerate(self.layers):
            name = f"layers.{index}"
            if isinstance(layer, Spread):
                own = layer.initialise(noise, f"{site}.{name}")
                parameters |= {f"{name}.{part}": value for part, value in own.items()}
            elif isinstance(layer, WEIGHTED):
                shape = tuple(layer.weight.shape)
                bound = math.sqrt(6.0 / ((shape[0] + shape[1]) * math.prod(shape[2:])))
                draws = noise.uniform(f"{site}.{name}.weight", shape)
                parameters[f"{name}.weight"] = draws * (2.0 * bound) - bound
                parameters[f"{name}.bias"] = draws.new_zeros(
                    *draws.shape[: -len(shape)],
                    layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels,
                )
        return parameters


class Encoder(Glorot):
    """Table 5 without its last layer: (B, C, H, W) -> (B, 2f), each layer followed by a ReLU.

    Convolutions of kernel 5 with f/2 channels at full size and f at each size after: one of stride 2 that reaches it,
    and a second of stride 1 where it is not the last; then one of kernel 7 over the whole core, to 2f.
    """

    def __init__(self, spec: PyramidEncoder, data: Data) -> None:
        super().__init__()
        self.features = 2 * spec.filters
        self.scale = 2.0 / data.levels
        widths = [(data.shape[0], spec.filters // 2, 1), (spec.filters // 2, spec.filters, 2)]
        for _ in range(spec.halvings - 1):
            widths += [(spec.filters, spec.filters, 1), (spec.filters, spec.filters, 2)]
        layers: list[nn.Module] = []
        for size, width, stride in widths:
            layers += [nn.Conv2d(size, width, KERNEL, stride, PADDING), nn.ReLU()]
        # A convolution over all of its input is a dense layer, which is faster.
        layers += [nn.Flatten(), nn.Linear(spec.filters * CORE**2, self.features), nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.layers(x * self.scale - 1.0)
        return features


class Spread(nn.Module):
    """A transposed convolution of kernel 7 on one pixel, as a matrix product: (B, latent) -> (B, width, 7, 7).

    Its weight is (latent, 7, 7, width), so that what it gives lies channels last, the faster order for the layers that
    follow. Every output sees `latent` numbers: initial weights and biases are uniform on ±1/√latent.
    """

    def __init__(self, latent: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(latent, CORE, CORE, width))
        self.bias = nn.Parameter(torch.empty(width))

    def initialise(self, noise: Noise, site: str) -> dict[str, Tensor]:
        bound = 1.0 / math.sqrt(len(self.weight))
        return {
            name: noise.uniform(f"{site}.{name}", tuple(parameter.shape)) * (2.0 * bound) - bound
            for name, parameter in self.named_parameters()
        }

    def forward(self, z: Tensor) -> Tensor:
        spread = torch.mm(z, self.weight.flatten(1)).view(len(z), CORE, CORE, len(self.bias))
        return (spread + self.bias).permute(0, 3, 1, 2)  # (B, width, 7, 7)


class Decoder(Glorot):
    """Table 6: (B, latent) -> (B, channels · C, H, W), a ReLU after each layer but the last.

    From the core on all of kernel 5: 2f at its size, then transposed convolutions of stride 2 (to 2f and f; to f alone
    where there is one halving), each followed by a layer at the new size (f, then f/2 at full size), and the output.
    The table's transposed convolutions of stride 1 are convolutions here: the same functions, their kernels flipped.
    """

    def __init__(self, spec: PyramidDecoder | Auxiliary, data: Data, latent: int, channels: int) -> None:
        super().__init__()
        filters = spec.filters
        size = 2 * filters
        layers: list[nn.Module] = [Spread(latent, size), nn.ReLU(), nn.Conv2d(size, size, KERNEL, 1, PADDING)]
        for remaining in reversed(range(spec.halvings)):
            up, level = (size, filters) if remaining else (filters, filters // 2)
            layers += [nn.ReLU(), nn.ConvTranspose2d(size, up, KERNEL, 2, PADDING, output_padding=1)]
            layers += [nn.ReLU(), nn.Conv2d(up, level, KERNEL, 1, PADDING)]
            size = level
        layers += [nn.ReLU(), nn.Conv2d(size, channels * data.shape[0], KERNEL, 1, PADDING)]
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        output: Tensor = self.layers(z)
        return output
