"""CelebA's 40 attributes, and label draws that hold CelebA's true rates and correlations."""

import csv
import functools
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

FloatArray = NDArray[np.float64]

# Latent correlations stay off +-1, where the bivariate normal density degenerates.
LARGEST_LATENT_CORRELATION = 0.998
QUADRATURE_NODES = 96
BISECTION_STEPS = 40
PROJECTION_STEPS = 60


def _read_statistics() -> tuple[tuple[str, ...], FloatArray, FloatArray]:
    """Return the names (40), positive rates (40,) and Pearson correlations (40, 40) of the statistics file."""
    text = files("taskshare.data").joinpath("celeba_attribute_statistics.csv").read_text(encoding="utf-8")
    rows = list(csv.reader(text.splitlines()))[1:]
    figures = np.array([[float(value) for value in row[1:]] for row in rows])
    return tuple(row[0] for row in rows), figures[:, 0], figures[:, 1:]


ATTRIBUTES: tuple[str, ...]
"""CelebA's 40 attribute names in the official order."""
POSITIVE_RATES: FloatArray
"""Share of positives of each attribute over all 202,599 images of CelebA, shape (40,)."""
CORRELATIONS: FloatArray
"""Pearson correlations of the binary attributes over all images of CelebA, shape (40, 40)."""
ATTRIBUTES, POSITIVE_RATES, CORRELATIONS = _read_statistics()


def _binary_covariance(first: FloatArray, second: FloatArray, latent: FloatArray) -> FloatArray:
    """Return P(X < first, Y < second) - P(X < first) P(Y < second) of standard normal pairs, any equal shapes.

    The derivative of the bivariate normal distribution function by its correlation is its density (Plackett 1954),
    so the covariance is an integral over the correlation from 0 to `latent`; with correlation = sin(angle) the
    integrand is smooth.
    """
    nodes, weights = np.polynomial.legendre.leggauss(QUADRATURE_NODES)
    half_range = np.arcsin(latent)[..., None] / 2
    sine = np.sin(half_range * (nodes + 1))
    first, second = first[..., None], second[..., None]
    exponent = (first**2 + second**2 - 2 * first * second * sine) / (2 * (1 - sine**2))
    return (np.exp(-exponent) * weights * half_range).sum(axis=-1) / (2 * np.pi)


def _nearest_correlation_matrix(matrix: FloatArray) -> FloatArray:
    """Return the nearest positive semi-definite matrix with a unit diagonal (Higham 2002, alternating projections)."""
    result, correction = matrix, np.zeros_like(matrix)
    for _ in range(PROJECTION_STEPS):
        shifted = result - correction
        values, vectors = np.linalg.eigh(shifted)
        semidefinite = (vectors * np.maximum(values, 0)) @ vectors.T
        correction = semidefinite - shifted
        result = semidefinite.copy()
        np.fill_diagonal(result, 1)
    return result


@functools.cache
def _mixing_matrix() -> tuple[FloatArray, FloatArray]:
    """Return the thresholds (40,) and the matrix (40, 40) that turns independent normals into the latent ones."""
    thresholds = ndtri(POSITIVE_RATES)
    first, second = np.triu_indices(len(ATTRIBUTES), k=1)
    deviations = np.sqrt(POSITIVE_RATES * (1 - POSITIVE_RATES))
    wanted = CORRELATIONS[first, second] * deviations[first] * deviations[second]
    low = np.full(len(first), -LARGEST_LATENT_CORRELATION)
    high = -low
    for _ in range(BISECTION_STEPS):
        middle = (low + high) / 2
        too_small = _binary_covariance(thresholds[first], thresholds[second], middle) < wanted
        low, high = np.where(too_small, middle, low), np.where(too_small, high, middle)
    latent = np.eye(len(ATTRIBUTES))
    latent[first, second] = latent[second, first] = (low + high) / 2
    values, vectors = np.linalg.eigh(_nearest_correlation_matrix(latent))
    # The symmetric root is unique; eigenvectors alone have a sign that differs between linear algebra libraries.
    mixing = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return thresholds, mixing / np.linalg.norm(mixing, axis=1, keepdims=True)


def sample_attributes(count: int, generator: np.random.Generator) -> NDArray[np.bool_]:
    """Draw the labels of `count` faces with CelebA's attribute rates and correlations.

    A Gaussian copula: correlated standard normals are cut at the quantiles of the positive rates. The latent
    correlation of each pair is the tetrachoric one, for which the binary labels have CelebA's Pearson correlation.
    No Gaussian has all 780 pairs at once, so the nearest one is taken: over all pairs the correlations then differ by
    0.012 on average; the few that differ by up to 0.13 are hair colours and beards, which exclude each other.

    Args:
        count: number of faces.
        generator: where the draws come from.

    Returns:
        Labels of shape (count, 40), columns in the order of `ATTRIBUTES`.
    """
    thresholds, mixing = _mixing_matrix()
    return generator.standard_normal((count, len(ATTRIBUTES))) @ mixing.T < thresholds
