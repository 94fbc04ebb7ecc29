#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The dnn engine beside PyTorch on one thread, in turns within one run.

    ninja -C build/release bench_dnn
    python3 bench/dnn_torch.py [--program build/release/bench/bench_dnn] [--rounds 3] [--network lstm]

Networks and batch sizes are those of bench_dnn.cpp. PyTorch takes a training step with torch.optim.Adam
as it comes, with foreach and with fused; its best one counts. Ratios are PyTorch's time over ours, from
the best times of all rounds and from the medians of the rounds' medians. All times are processor times of
the one thread, which other programs on the machine disturb less than those of the clock. "two_threads": by
the clock, PyTorch with two threads against two workers of ours, time for each step of either.
"""
import argparse
import json
import statistics
import subprocess
import time

import torch
from torch import nn

BATCH, EVALUATION, WORDS = 128, 1280, 10000


def convnet():
    return nn.Sequential(
        nn.Conv2d(1, 32, 5, padding="same"), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 5, padding="same"),
        nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(3136, 1024), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(1024, 10))


def perceptron():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 10))


class Cifar10(nn.Sequential):
    """The network of TensorFlow's tutorial; its SAME pooling of even sides pads below and to the right."""

    def __init__(self):
        def pool():
            return [nn.ZeroPad2d((0, 1, 0, 1)), nn.MaxPool2d(3, 2)]  # behind a ReLU zeros never win

        super().__init__(nn.Conv2d(3, 64, 5, padding="same"), nn.ReLU(), *pool(), nn.LocalResponseNorm(9, 0.001),
                         nn.Conv2d(64, 64, 5, padding="same"), nn.ReLU(), nn.LocalResponseNorm(9, 0.001), *pool(),
                         nn.Flatten(), nn.Linear(2304, 384), nn.ReLU(), nn.Linear(384, 192), nn.ReLU(),
                         nn.Linear(192, 10))


class LanguageModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 200)
        self.lstm = nn.LSTM(200, 200, 2)
        self.head = nn.Linear(200, WORDS)

    def forward(self, tokens, state):
        hidden, state = self.lstm(self.embedding(tokens), state)
        return self.head(hidden.flatten(0, 1)), state


def measure_lstm(repetitions, clock=time.process_time):
    tokens = torch.randint(0, WORDS, (20, 20))
    labels = torch.randint(0, WORDS, (400,))
    criterion = nn.CrossEntropyLoss()
    net = LanguageModel()
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    state = [torch.zeros(2, 20, 200), torch.zeros(2, 20, 200)]

    def step():
        nonlocal state
        optimizer.zero_grad()
        logits, last = net(tokens, tuple(state))
        state = [part.detach() for part in last]
        criterion(logits, labels).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.25)
        optimizer.step()

    def evaluate():
        with torch.inference_mode():
            return criterion(net(tokens, tuple(state))[0], labels)

    return {"step": times(step, repetitions, clock=clock), "optimizer": "sgd",
            "evaluate": times(evaluate, repetitions, clock=clock)}


def times(work, repetitions, inner=1, clock=time.process_time):
    work()
    found = []
    for _ in range(repetitions):
        begin = clock()
        for _ in range(inner):
            work()
        found.append(1e3 * (clock() - begin) / inner)
    return {"best_ms": min(found), "median_ms": statistics.median(found)}


def measure(make, repetitions, inner, shape=(1, 28, 28), make_optimizer=torch.optim.Adam):
    inputs = torch.rand(EVALUATION, *shape)
    labels = torch.randint(0, 10, (EVALUATION,))
    criterion = nn.CrossEntropyLoss()
    steps = {}
    for name, options in (("default", {}), ("foreach", {"foreach": True}), ("fused", {"fused": True})):
        net = make()
        optimizer = make_optimizer(net.parameters(), lr=1e-4, **options)

        def step():
            optimizer.zero_grad()
            criterion(net(inputs[:BATCH]), labels[:BATCH]).backward()
            optimizer.step()

        steps[name] = times(step, repetitions, inner)
    net.eval()

    def evaluate():
        # Blocks of 128 are PyTorch's fastest too: larger ones leave the cache.
        with torch.inference_mode():
            return sum(criterion(net(x), y) * len(y) for x, y in zip(inputs.split(BATCH), labels.split(BATCH)))

    best = min(steps, key=lambda name: steps[name]["best_ms"])
    return {"step": steps[best], "optimizer": best, "evaluate": times(evaluate, repetitions, inner)}


def ratio(rounds, network, what):
    theirs = [r["torch"][network][what] for r in rounds]
    ours = [r["isthmus"][network][what] for r in rounds]
    def least(found):
        return min(t["best_ms"] for t in found)
    def middle(found):
        return statistics.median(t["median_ms"] for t in found)
    return {"torch_best_ms": least(theirs), "isthmus_best_ms": least(ours), "ratio_best": least(theirs) / least(ours),
            "ratio_median": middle(theirs) / middle(ours)}


SUBJECTS = {
    "convnet": lambda n: measure(convnet, n, 1),
    "cifar10": lambda n: measure(Cifar10, n, 1, (3, 24, 24), torch.optim.SGD),
    "lstm": measure_lstm,
    "perceptron": lambda n: measure(perceptron, n, 50),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default="build/release/bench/bench_dnn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--network", choices=SUBJECTS, help="one network alone")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    networks = [arguments.network] if arguments.network else list(SUBJECTS)
    command = [arguments.program, str(arguments.repetitions)] 
    if arguments.network:
        command += [arguments.network, f"{arguments.network}_two"]
    rounds = []
    for _ in range(arguments.rounds):
        theirs = {name: SUBJECTS[name](arguments.repetitions) for name in networks}
        if "lstm" in networks:
            torch.set_num_threads(2)
            theirs["lstm_two"] = measure_lstm(arguments.repetitions, time.perf_counter)
            torch.set_num_threads(1)
        output = subprocess.run(command, check=True, capture_output=True)
        rounds.append({"torch": theirs, "isthmus": json.loads(output.stdout)})
    result = {
        "torch": torch.__version__,
        "onednn": rounds[0]["isthmus"]["onednn"],
        "optimizers": {name: [r["torch"][name]["optimizer"] for r in rounds] for name in networks},
        "sgemm_gflops": max(r["isthmus"]["sgemm_gflops"] for r in rounds),
    }
    for name in networks:
        gflops = max(r["isthmus"][name]["step_gflops"] for r in rounds)
        result[name] = {"step": ratio(rounds, name, "step"), "evaluation": ratio(rounds, name, "evaluate"),
                        "step_gflops": gflops, "sgemm_fraction": gflops / result["sgemm_gflops"]}
        if f"{name}_two" in rounds[0]["isthmus"]:
            two = [r["isthmus"][f"{name}_two"] for r in rounds]
            result[name]["two_workers_by_clock_best"] = max(each["by_clock"]["best"] for each in two)
            result[name]["two_workers_by_processor_median"] = statistics.median(
                each["by_processor"]["median"] for each in two)
        if f"{name}_two" in rounds[0]["torch"]:
            result[name]["two_threads"] = {"step": ratio(rounds, f"{name}_two", "step"),
                                           "evaluation": ratio(rounds, f"{name}_two", "evaluate")}
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
