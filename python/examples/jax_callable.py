# SPDX-License-Identifier: MIT
"""A loss of JAX on a pytree of parameters: raveled into a flat vector, compiled with its gradient, and two minima of it
joined."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

import isthmus

X = jnp.linspace(-3.0, 3.0, 64)[:, None]
Y = jnp.sin(X)
UNITS = 16


def initial(seed: int) -> dict:
    keys = jax.random.split(jax.random.key(seed), 2)
    hidden = {"w": jax.random.normal(keys[0], (1, UNITS)), "b": jnp.zeros(UNITS)}
    return {"hidden": hidden, "out": {"w": jax.random.normal(keys[1], (UNITS, 1)) / UNITS**0.5, "b": jnp.zeros(1)}}


def loss(parameters: dict) -> jax.Array:
    h = jnp.tanh(X @ parameters["hidden"]["w"] + parameters["hidden"]["b"])
    return jnp.mean((h @ parameters["out"]["w"] + parameters["out"]["b"] - Y) ** 2)


def objective() -> tuple[isthmus.Callable, object]:
    """The loss on a flat vector, and what makes a pytree of one again."""
    flat, unravel = ravel_pytree(initial(0))
    value_and_gradient = jax.jit(jax.value_and_grad(lambda theta: loss(unravel(theta))))
    value = jax.jit(lambda theta: loss(unravel(theta)))

    def call(theta: np.ndarray) -> tuple[float, np.ndarray]:
        found, gradient = value_and_gradient(jnp.array(theta))  # a copy: theta is valid during the call alone
        return float(found), np.asarray(gradient)

    return isthmus.Callable(call, flat.size, value=lambda theta: float(value(jnp.array(theta)))), unravel


def main() -> isthmus.Path:
    of, unravel = objective()
    ends = []
    for seed in (1, 2):
        start = np.asarray(ravel_pytree(initial(seed))[0])
        state, how = isthmus.train(of, start, 0.002, max_steps=20000, learning_rate=0.01)
        print("end point:", how["termination"], "after", how["steps"], "steps")
        ends.append(state["theta"])
    path = isthmus.connect(of, *ends, threshold=0.0022)
    print(path)
    print("loss of the pytree in the middle:", float(loss(unravel(jnp.array(path.theta(0.5))))))
    return path


if __name__ == "__main__":
    main()
