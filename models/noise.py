"""The random numbers of a trial: a stateless, counter-based stream.

Every number is a pure function of (key, step, site, index): the same in every pack, slot and engine, with no generator
state to save. The key comes from the trial's seed alone, so trials of equal seed share their numbers (common random
numbers). Sites are named, so a new consumer shifts no other.

The hash is two rounds of 64-bit multiply-xorshift finalisation (Stafford's variant 13, as in SplitMix64; Steele, Lea &
Flood 2014) around two independent key words, in wrapping int64 arithmetic, hence exact on every device, under vmap and
under graph capture. Uniforms have 23 bits and a half, which float32
holds exactly, so they are never 0 or 1; normals are Box-Muller pairs, so |normal| < 5.8.
"""

from __future__ import annotations

import hashlib
import math
from typing import Protocol

import torch
from torch import Tensor

_GOLDEN = -7046029254386353131  # 0x9E3779B97F4A7C15: 2^64 / golden ratio
_MIX_A = -4658895280553007687  # 0xBF58476D1CE4E5B9
_MIX_B = -7723592293110705685  # 0x94D049BB133111EB
_LOW = 0x7FFFFF
_SCALE = 2.0**-23
ALIGN = 64  # draws are padded to this many numbers, so that every slot's last numbers take the vectorised path too


def key(seed: int) -> Tensor:
    """The two key words of a trial: (2,) int64."""
    return _words(f"ratesweep:{seed}")


def _words(text: str) -> Tensor:
    raw = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return torch.tensor([int.from_bytes(raw[i : i + 8], "little", signed=True) for i in (0, 8)], dtype=torch.int64)


def _shift_right(bits: Tensor, by: int) -> Tensor:
    """Logical shift of int64, whose own >> copies the sign."""
    return (bits >> by).bitwise_and_((1 << (64 - by)) - 1)


def _mix(bits: Tensor) -> Tensor:
    bits = _shift_right(bits, 30).bitwise_xor_(bits).mul_(_MIX_A)  # in place: time goes into memory here
    bits = _shift_right(bits, 27).bitwise_xor_(bits).mul_(_MIX_B)
    return _shift_right(bits, 31).bitwise_xor_(bits)


def _bits(key: Tensor, step: Tensor, site: str, count: int) -> Tensor:
    """(..., count) int64 from key (..., 2) and step (...)."""
    site_words = _words(site).tolist()
    origin = _mix(key[..., 0] + (step + 1) * _GOLDEN + site_words[0])
    second = _mix(key[..., 1] ^ (origin + site_words[1]))
    index = torch.arange(1, count + 1, device=key.device, dtype=torch.int64) * _GOLDEN
    return _mix(_mix(origin[..., None] + index).add_(second[..., None]))


class Draws(Protocol):
    """What a model draws from: numbers named by site, for one trial or (with batched keys) for each of a pack."""

    def normal(self, site: str, shape: tuple[int, ...]) -> Tensor:
        """Standard normal numbers."""
        ...

    def uniform(self, site: str, shape: tuple[int, ...]) -> Tensor:
        """Uniform numbers on the open interval (0, 1)."""
        ...

    def bernoulli(self, site: str, probability: Tensor) -> Tensor:
        """0 or 1 with the given probabilities, in their shape and dtype."""
        return (self.uniform(site, tuple(probability.shape)) < probability).to(probability.dtype)


class Noise(Draws):
    """The stream itself, at one step of one trial, or of each of K trials.

    key: (2,) or (K, 2) int64; step: () or (K,) int64. Draws have shape `shape` or (K, *shape), in `dtype`.
    """

    def __init__(self, key: Tensor, step: Tensor | int, dtype: torch.dtype = torch.float32) -> None:
        self.key = key
        self.step = torch.as_tensor(step, dtype=torch.int64, device=key.device)
        self.dtype = dtype

    def _count(self, shape: tuple[int, ...]) -> int:
        return -(-math.prod(shape) // ALIGN) * ALIGN

    def _shaped(self, values: Tensor, shape: tuple[int, ...]) -> Tensor:
        return values[..., : math.prod(shape)].reshape(*values.shape[:-1], *shape)

    def uniform(self, site: str, shape: tuple[int, ...]) -> Tensor:
        """Uniform on the open interval (0, 1)."""
        bits = _bits(self.key, self.step, site, self._count(shape))
        values = (bits & _LOW).to(self.dtype).add_(0.5).mul_(_SCALE)
        return self._shaped(values, shape)

    def normal(self, site: str, shape: tuple[int, ...]) -> Tensor:
        """Standard normal (Box & Muller 1958): one 64-bit hash gives a pair, 32 numbers apart in a block of 64."""
        half = _bits(self.key, self.step, site, self._count(shape) // 2)
        radius = (half & _LOW).to(self.dtype).add_(0.5).mul_(_SCALE).log_().mul_(-2.0).sqrt_()
        angle = _shift_right(half, 41).to(self.dtype).mul_(_SCALE * 2.0 * math.pi)
        # In blocks, so that a number is a function of its index and not of how many are drawn.
        halves = [(radius * part).reshape(*half.shape[:-1], -1, ALIGN // 2) for part in (angle.cos(), angle.sin())]
        return self._shaped(torch.stack(halves, -2).flatten(-3), shape)

    def bernoulli(self, site: str, probability: Tensor) -> Tensor:
        """As for any draws; where keys are batched, the probabilities have the leading K too."""
        shape = tuple(probability.shape[self.key.dim() - 1 :])
        return (self.uniform(site, shape) < probability).to(self.dtype)

    def permutation(self, site: str, count: int) -> Tensor:
        """A random order of 0..count-1: int64 (..., count), by sorting 63-bit hashes."""
        return torch.argsort(_shift_right(_bits(self.key, self.step, site, count), 1), dim=-1, stable=True)
