# SPDX-License-Identifier: MIT
"""A loss that no framework computes: any function theta -> (value, gradient) on a flat vector of float32.

jax_callable.py has one of JAX, on a pytree of parameters.
"""

import numpy as np

import isthmus

X = np.linspace(-3.0, 3.0, 32)
UNITS = 8


def loss(theta: np.ndarray) -> tuple[float, np.ndarray]:
    """log cosh of the error of y(x) = sum_j v_j tanh(w_j x + b_j) as sin(x), with its gradient; theta is w, b, v."""
    w, b, v = theta.astype(np.float64).reshape(3, UNITS)
    h = np.tanh(np.outer(X, w) + b)
    error = h @ v - np.sin(X)
    back = np.tanh(error) / len(X)
    inner = np.outer(back, v) * (1.0 - h**2)
    gradient = np.concatenate([X @ inner, inner.sum(0), back @ h])
    return float(np.log(np.cosh(error)).mean()), gradient


def main() -> isthmus.Path:
    objective = isthmus.Callable(loss, [("w", (UNITS,)), ("b", (UNITS,)), ("v", (UNITS,))], name="log_cosh")
    starts = [np.random.default_rng(seed).uniform(-1, 1, 3 * UNITS).astype(np.float32) for seed in (1, 2)]
    ends = []
    for start in starts:
        state, how = isthmus.train(objective, start, 0.00095, max_steps=20000)
        print("end point:", how["termination"], "after", how["steps"], "steps")
        ends.append(np.concatenate(list(state.values())))
    path = isthmus.connect(objective, *ends, threshold=0.001)
    print(path)
    return path


if __name__ == "__main__":
    main()
