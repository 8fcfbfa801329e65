"""What settings do to a distribution: temperatures by their definition, and every choice of generate as a row."""

from __future__ import annotations

import numpy as np
import pytest

from tinyllm.errors import ConfigError, NaNError, ShapeError
from tinyllm.generate import Sampling
from tinyllm.interpret import effect, tempered


def test_temperatures_are_powers_of_the_odds(rng):
    z = rng.normal(size=9) * 3
    rows = tempered(z, [0.5, 1, 3])
    p = np.exp(z) / np.exp(z).sum()
    for name, t in (("T=0.5", 0.5), ("T=1", 1), ("T=3", 3)):
        np.testing.assert_allclose(rows[name], p ** (1 / t) / (p ** (1 / t)).sum(), rtol=1e-12)
        np.testing.assert_allclose(rows[name], Sampling(temperature=t).probabilities(z), rtol=1e-12)


def test_cold_is_the_likeliest_and_hot_is_all_alike(rng):
    z = rng.normal(size=7)
    rows = tempered(z, [0, 1e-300, 1e9])
    assert rows["T=0"].tolist() == rows["T=1e-300"].tolist() == np.eye(7)[z.argmax()].tolist()
    np.testing.assert_allclose(rows["T=1e+09"], 1 / 7, rtol=1e-6)
    assert tempered([1.0, 1.0], [0])["T=0"].tolist() == [1, 0]


def test_entropy_grows_with_the_temperature(rng):
    found = effect(tempered(rng.normal(size=50), [0, 0.3, 0.7, 1, 1.5, 4]))
    assert (np.diff(found.entropy) > 0).all() and found.entropy[0] == 0 and found.entropy[-1] < np.log(50)
    assert found.kept.tolist() == [1] + [50] * 5


def test_a_table_of_settings(rng):
    z = np.log([0.4, 0.3, 0.2, 0.1])
    settings = {"all": Sampling(), "top_k=2": Sampling(top_k=2), "top_p=0.75": Sampling(top_p=0.75)}
    found = effect({name: s.probabilities(z) for name, s in settings.items()}, k=3)
    assert found.names == list(settings) and found.ids.tolist() == [0, 1, 2]
    np.testing.assert_allclose(found.probabilities[1], [4 / 7, 3 / 7, 0])
    np.testing.assert_allclose(found.rest, [0.1, 0, 0], atol=1e-12)
    assert found.kept.tolist() == [4, 2, 3]
    np.testing.assert_allclose(found.entropy[1], -(4 / 7 * np.log(4 / 7) + 3 / 7 * np.log(3 / 7)))
    assert effect({"all": settings["all"].probabilities(z)}, k=99).ids.tolist() == [0, 1, 2, 3]


def test_bad_input():
    with pytest.raises(ShapeError, match=r"logits of shape \(1, 2\), not \(V,\)"):
        tempered([[1.0, 2.0]], [1])
    with pytest.raises(NaNError, match="logits hold NaN"):
        tempered([1.0, np.nan], [1])
    for t in (-1, np.inf, np.nan):
        with pytest.raises(ConfigError, match="a temperature of"):
            tempered([1.0, 2.0], [t])
    with pytest.raises(ShapeError, match="for each setting"):
        effect({})
    with pytest.raises(ShapeError, match="for each setting"):
        effect({"a": [1.0], "b": [0.5, 0.5]})
    for rows, k in (([0.5, 0.6], 1), ([1.5, -0.5], 1), ([0.5, 0.5], 0)):
        with pytest.raises(ConfigError, match="probabilities with a sum of 1"):
            effect({"a": rows}, k=k)
    with pytest.raises(NaNError, match="probabilities hold NaN"):
        effect({"a": [np.nan, 1.0]})
