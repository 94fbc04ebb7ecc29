# SPDX-License-Identifier: MIT
"""Any function of a flat vector: values, errors, threads, interruption, forks."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
import weakref

import numpy as np
import pytest

import isthmus

A = np.array([1.0, 0.0], np.float32)
B = np.array([-0.5, 0.8660254], np.float32)


def valley(theta):
    """(|theta|^2 - 1)^2: its minima are the unit circle, and the straight line between A and B climbs to .5625."""
    excess = float(theta @ theta) - 1.0
    return excess**2, 4.0 * excess * theta


def connect(function=valley, a=A, b=B, **options):
    return isthmus.connect(function, a, b, **{"threshold": 0.05, "progress": False, **options})


def test_joins_two_minima_around_the_hill():
    path = connect()
    assert path.connected and path.verdict == "connected"
    assert path.max_metric <= 0.05
    assert len(path) > 2 and 1.0 < path.length < 2.0
    # The independent look: every place of the path, by the function itself.
    values = [valley(path.theta(t).astype(np.float64))[0] for t in np.linspace(0, 1, 500)]
    assert max(values) <= 0.0502
    assert np.array_equal(path.theta(0.0), A) and np.array_equal(path.theta(1.0), B)
    assert "connected" in str(path) and "loss" in str(path)


def test_gives_the_same_bits_on_any_number_of_threads():
    one = connect()
    two = connect(isthmus.Callable(valley, 2, concurrent=True), threads=2)
    assert np.array_equal(one.beads, two.beads)
    assert np.array_equal(one.beads, connect().beads)


def test_takes_float64_gradients_and_a_function_for_the_value_alone():
    calls = []

    def value(theta):
        calls.append(1)
        return valley(theta)[0]

    def in_double(theta):
        found, gradient = valley(theta.astype(np.float64))
        return found, gradient

    path = connect(isthmus.Callable(in_double, 2, value=value, name="energy"))
    assert path.connected and path.metric == "energy" and calls


def test_a_path_that_is_not_found_is_a_verdict():
    def wall(theta):
        x, y = float(theta[0]), float(theta[1])
        d = 1.0 + 100.0 * x * x
        return 1.0 / d + y * y, np.array([-200.0 * x / d**2, 2.0 * y], np.float32)

    path = connect(wall, np.array([-1, 0], np.float32), np.array([1, 0], np.float32), max_steps=50, repair="none")
    assert path.verdict == "not_connected" and path.reason
    assert not path.connected


def test_an_end_point_above_the_threshold_is_a_verdict_with_its_numbers():
    path = connect(b=np.array([2.0, 0.0], np.float32))
    assert path.verdict == "endpoint_not_reached"
    assert path.value_b == 9.0 and "9" in path.reason


def test_the_traceback_of_a_raising_function_arrives():
    def broken(theta):
        raise ZeroDivisionError("in the middle of my loss")

    with pytest.raises(ZeroDivisionError, match="middle of my loss") as caught:
        connect(broken)
    assert "broken" in "".join(traceback.format_tb(caught.value.__traceback__))


def test_an_exception_on_a_worker_thread_arrives_too():
    calls = []

    def late(theta):
        calls.append(threading.get_ident())
        if len(calls) > 40:
            raise RuntimeError("late")
        return valley(theta)

    with pytest.raises(RuntimeError, match="late"):
        connect(isthmus.Callable(late, 2, concurrent=True), threads=3)


@pytest.mark.parametrize(
    ("gradient", "text"),
    [
        (np.zeros(3, np.float32), r"gradient: expected the shape \(2,\) of theta, got \(3,\)"),
        (np.zeros((2, 1), np.float32), r"got \(2, 1\)"),
        (np.zeros(2, np.int64), "expected float32 or float64, got int64"),
        (np.zeros(2, np.complex64), "got complex64"),
        (None, "expected float32 or float64, got object"),
    ],
)
def test_a_wrong_gradient_is_refused(gradient, text):
    with pytest.raises(isthmus.UsageError, match=text):
        connect(lambda theta: (1.0 if theta[0] > 5 else 0.0, gradient), b=-A, threshold=0.5, always_insert=True)


@pytest.mark.parametrize("found", [0.5, (0.5,), (0.5, 1, 2)])
def test_what_is_no_value_with_a_gradient_is_refused(found):
    with pytest.raises(isthmus.UsageError, match=r"expected \(value, gradient\)"):
        connect(lambda theta: found)


def test_a_loss_that_is_a_vector_or_nan_is_refused():
    with pytest.raises(isthmus.UsageError, match="expected one number as the value"):
        connect(lambda theta: (np.zeros(2), theta))
    with pytest.raises(isthmus.UsageError, match=r"end point A: its loss is not a number \(nan\)"):
        connect(lambda theta: (float("nan"), theta))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"a": A[:1]}, "end point B: expected a flat vector of 1 numbers"),
        ({"a": np.array([np.nan, 1.0])}, "end point A: expected finite numbers, 1 are not"),
        ({"a": np.array(["x", "y"])}, "end point A: expected a flat vector"),
        ({"threshold": -1.0}, "threshold"),
        ({"threshold": float("nan")}, "threshold"),
        ({"metric": "error_rate"}, "metric: expected loss, got 'error_rate'"),
        ({"max_round": 3}, "max_round: no such option; did you mean .*max_rounds"),
        ({"bends": 2}, "bends: an option of method=polychain, not of greedy"),
        ({"method": "neb", "t_star": "half"}, "t_star: an option of method=greedy and constrained, not of neb"),
        ({"relax_beads": 9}, "relax_beads: an option of shorten=True"),
        ({"repair": "none", "repair_tries": 2}, "repair_tries: an option of repair=restarts"),
        ({"max_evaluations": 9.0}, "max_evaluations: the budget of a proof, and the check is sampled"),
        ({"max_rounds": 0}, "max-rounds: expected"),
        ({"max_rounds": "many"}, "max-rounds: expected"),
        ({"optimizer": "lbfgs"}, "optimizer: expected adam"),
        ({"check": "certified"}, "check|certif|prove|network"),
        ({"threads": 0}, "threads: expected 1 to 256, got 0"),
        ({"learning_rate": -1.0}, "learning_rate: expected a number > 0"),
        ({"batch_size": 5}, "batch-size: expected at most the 1 training samples, got 5"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, text):
    with pytest.raises(isthmus.UsageError, match=text):
        connect(**arguments)


def test_what_is_no_objective_is_refused():
    with pytest.raises(isthmus.UsageError, match=r"objective: expected an isthmus\.Objective"):
        isthmus.connect("loss", A, B, threshold=0.1)


def test_numpy_numbers_are_options_too():
    assert connect(threshold=np.float64(0.05), max_rounds=np.int64(12)).connected


def test_theta_cannot_be_written_to():
    def writes(theta):
        theta[0] = 0.0
        return valley(theta)

    with pytest.raises(ValueError, match="read-only"):
        connect(writes)


def test_objectives_and_functions_are_let_go():
    class Loss:
        def __call__(self, theta):
            return valley(theta)

    loss = Loss()
    gone = weakref.ref(loss)
    for threads in (1, 3):
        connect(isthmus.Callable(loss, 2, concurrent=True), threads=threads)
    del loss
    gc.collect()
    assert gone() is None


def test_connects_inside_of_a_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(connect()))
    thread.start()
    thread.join()
    assert found[0].connected


def test_progress_is_told_and_may_raise():
    events = []
    connect(progress=events.append)
    assert {"round_started", "bead_trained", "segment_checked"} <= {event["kind"] for event in events}

    def stop(event):
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        connect(progress=stop)


def _interrupt_after(calls):
    count = [0]

    def function(theta):
        count[0] += 1
        if count[0] == calls:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)
        return valley(theta)

    return function


@pytest.mark.parametrize("calls", [1, 2, 3, 10, 30, 60, 100])
def test_ctrl_c_at_any_moment_keeps_what_is_finished(calls):
    whole = connect()
    try:
        path = connect(_interrupt_after(calls))
    except isthmus.Interrupted as error:
        assert "trained beads" in str(error)
        path = connect(journal=error.journal)
    assert np.array_equal(path.beads, whole.beads)
    assert path.max_metric == whole.max_metric


def test_a_journal_of_another_string_is_refused():
    with pytest.raises(isthmus.Interrupted) as caught:
        connect(_interrupt_after(10))
    with pytest.raises(isthmus.UsageError, match="journal: it is of other end points or other options"):
        connect(journal=caught.value.journal, threshold=0.06)


def test_a_folder_goes_on_after_a_kill(tmp_path):
    code = """
import os, signal, sys, numpy as np, isthmus
calls = [0]
def valley(theta):
    calls[0] += 1
    if calls[0] == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
    e = float(theta @ theta) - 1.0
    return e**2, 4.0 * e * theta
ends = np.float32([1, 0]), np.float32([-.5, .8660254])
path = isthmus.connect(valley, *ends, threshold=.05, progress=False, keep="kept")
print(calls[0], path.beads.tobytes().hex())
"""
    ends = []
    for call in ("60", "40", "1000000"):
        ran = subprocess.run(
            [sys.executable, "-c", code, call], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        ends.append(ran)
    assert [ran.returncode for ran in ends] == [-9, -9, 0], ends[-1].stderr
    calls, beads = ends[-1].stdout.split()
    assert beads == connect().beads.tobytes().hex()
    whole = []
    connect(lambda theta: whole.append(1) or valley(theta))
    assert int(calls) < len(whole) - 20
    with pytest.raises(isthmus.ConfigurationError, match=r"options.threshold: 0\.05 there, 0\.06 here"):
        connect(threshold=0.06, keep=tmp_path / "kept")


def test_a_fork_in_the_middle_does_no_harm():
    children = []

    def forks(theta):
        if len(children) < 3:
            child = os.fork()
            if child == 0:
                os._exit(7)
            children.append(child)
        return valley(theta)

    path = connect(forks)
    assert path.connected
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [7, 7, 7]


def test_a_child_that_comes_back_from_the_middle_ends():
    code = """
import os, sys, numpy as np, isthmus
children = []
def forks(theta):
    if not children:
        children.append(os.fork())
    e = float(theta @ theta) - 1.0
    return e * e, 4 * e * theta
path = isthmus.connect(forks, np.float32([1, 0]), np.float32([-.5, .866]), threshold=.05, progress=False)
print("connected" if path.connected else "not", os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]))
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ran.stdout == "connected 70\n"
    assert "the process forked inside of a callable" in ran.stderr


def test_a_child_after_the_work_can_connect_too():
    connect()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if connect().connected else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_trains_one_model_and_checks_gradients():
    state, how = isthmus.train(valley, np.float32([0.3, 0.1]), 0.001)
    assert how["termination"] == "reached" and abs(np.linalg.norm(state["theta"]) - 1.0) < 0.05
    rows = isthmus.check_gradient(valley, np.float32([0.3, 0.4]))
    assert sum(row["failed"] for row in rows) == 0 and rows[0]["checked"] == 2
    wrong = isthmus.check_gradient(lambda theta: (valley(theta)[0], 2 * valley(theta)[1]), np.float32([0.3, 0.4]))
    assert sum(row["failed"] for row in wrong) > 0


@pytest.mark.parametrize("method", ["greedy", "constrained", "polychain", "bezier", "neb"])
def test_every_method_can_be_asked_for(method):
    path = connect(method=method, max_seconds=30.0)
    assert path.method == method
    assert path.verdict in ("connected", "not_connected")


def test_shortens_and_verifies():
    path = connect()
    again = path.verify(points=201)
    assert again.connected and again.max_metric >= path.max_metric - 1e-6
    shorter = path.shorten()
    assert shorter.length <= path.length + 1e-6
    assert shorter.verify().connected


def test_options_are_listed():
    rows = {row["keyword"]: row for row in isthmus.options()}
    assert {"max_rounds", "alpha", "check", "optimizer", "repair_tries", "method"} <= set(rows)
    assert rows["max_rounds"]["type"] == "UINT"


def test_tensors_can_have_names():
    objective = isthmus.Callable(valley, [("x", (1,)), ("y", (1,))])
    assert set(connect(objective).state_dict(0.5)) == {"x", "y"}
