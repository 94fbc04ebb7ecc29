#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The population engine beside PyTorch (CPU, eager, one thread) in one run.

    python3 bench/population_torch.py build/release/bench/bench_population

1-4-4-1 networks with sigmoids (the quadratic task: no biases, sigmoid output), mean absolute error, loss
and gradient. PyTorch computes many thetas at once in two forms, batched matrix products and elementwise
products with the theta as last dimension; the faster one counts. Prints nanoseconds for one theta and one
sample, the best of several rounds, engine and PyTorch taking turns so that both see the same machine.
"""
import json
import subprocess
import sys
import time

import torch

WIDTHS = (1, 4, 4, 1)
ROUNDS = 5
SECONDS = 0.4


def batch(samples):
    x = torch.rand(samples)
    return x, 0.5 * x * x + 0.25 * x + 0.1


def single(samples):
    """One theta: loss and gradient by autograd, as a training loop would."""
    x, y = batch(samples)
    x, y = x[:, None], y[:, None]
    weights = [(torch.rand(o, i) * 2 - 1).requires_grad_() for i, o in zip(WIDTHS, WIDTHS[1:])]

    def step():
        h = x
        for w in weights:
            w.grad = None
            h = torch.sigmoid(torch.nn.functional.linear(h, w))
        (h - y).abs().mean().backward()

    return step


def matrix_products(samples, thetas):
    x, y = batch(samples)
    x = x.expand(thetas, 1, samples).contiguous()
    weights = [(torch.rand(thetas, o, i) * 2 - 1).requires_grad_() for i, o in zip(WIDTHS, WIDTHS[1:])]

    def step():
        h = x
        for w in weights:
            w.grad = None
            h = torch.sigmoid(torch.bmm(w, h))
        (h[:, 0] - y).abs().mean(1).sum().backward()

    return step


def elementwise(samples, thetas):
    x, y = batch(samples)
    weights = [(torch.rand(o, i, 1, thetas) * 2 - 1).requires_grad_() for i, o in zip(WIDTHS, WIDTHS[1:])]

    def step():
        h = [x[:, None].expand(samples, thetas)]
        for w in weights:
            w.grad = None
            h = [torch.sigmoid(sum(w[o, i] * value for i, value in enumerate(h))) for o in range(w.shape[0])]
        (h[0] - y[:, None]).abs().mean(0).sum().backward()

    return step


def best_seconds(step):
    step()
    best = float("inf")
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        step()
        best = min(best, time.perf_counter() - start)
    return best


def engine_nanoseconds(program, samples, thetas):
    """Best repetition of the quadratic gradient benchmark of that size. Processor time: a repetition is
    long enough to be interrupted, a single step of PyTorch, of which the fastest counts, is not."""
    name = f"gradient/quadratic/{samples}/{thetas}$"
    output = subprocess.run(
        [program, f"--benchmark_filter={name}", "--benchmark_format=json", "--benchmark_min_time=0.04",
         "--benchmark_repetitions=10"],
        check=True, capture_output=True, text=True).stdout
    runs = [run for run in json.loads(output)["benchmarks"] if run["run_type"] == "iteration"]
    return min(run["cpu_time"] for run in runs) / (samples * thetas)


def compare(program, samples, thetas, forms):
    ours = float("inf")
    theirs = {name: float("inf") for name in forms}
    for _ in range(ROUNDS):
        ours = min(ours, engine_nanoseconds(program, samples, thetas))
        for name, step in forms.items():
            theirs[name] = min(theirs[name], best_seconds(step) * 1e9 / (samples * thetas))
    fastest = min(theirs.values())
    shown = ", ".join(f"{name} {value:.1f}" for name, value in theirs.items())
    print(f"n = {samples:5}, thetas = {thetas:4}: isthmus {ours:6.2f} ns, PyTorch {shown} ns, "
          f"ratio {fastest / ours:.1f}", flush=True)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    torch.set_num_threads(1)
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} thread; ns for one theta and one sample")
    for samples in (32, 100, 256, 10000):
        compare(sys.argv[1], samples, 1, {"eager": single(samples)})
    for samples, thetas in ((100, 64), (100, 512), (256, 64)):
        compare(sys.argv[1], samples, thetas,
                {"bmm": matrix_products(samples, thetas), "elementwise": elementwise(samples, thetas)})


if __name__ == "__main__":
    main()
