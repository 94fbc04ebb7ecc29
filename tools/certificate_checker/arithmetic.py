# SPDX-License-Identifier: MIT
"""Real numbers as integers in units ("ulps") of 2^-BITS: exponential, logarithm, sigmoid, tanh with proven errors.
Errors are stated in ulps. The tests compare all of them with the module `decimal`.
"""
import itertools
import math

BITS = 64
ONE = 1 << BITS
GUARD = 16  # bits more that exponentials carry
FINE = BITS + GUARD

EXP_ERROR = 2
SIGMOID_ERROR = 4
TANH_ERROR = 8
TAYLOR_TERMS = 10  # (1/64)^11 / 11! < 2^-FINE


def _log_of_two():
    """log 2 = 2 atanh(1/3), rounded down to 2^-FINE."""
    one = 1 << (FINE + 32)
    return sum(2 * one // ((2 * n + 1) * 3 ** (2 * n + 1)) for n in range(80)) >> 32


def _exponential_table():
    """exp(-i / 64), i = 0 ... 44, each rounded down to 2^-FINE."""
    bits = FINE + 64
    step = sum((-1) ** n * ((1 << bits) // (64**n * math.factorial(n))) for n in range(30))
    powers = itertools.accumulate(range(44), lambda power, _: power * step >> bits, initial=1 << bits)
    return [power >> 64 for power in powers]


LOG_OF_TWO = _log_of_two()
EXP_TABLE = _exponential_table()


def exponential(x):
    """exp(x) of x <= 0, off by at most EXP_ERROR: x = -(k log 2 + i / 64 + f) with 0 <= f < 1 / 64. Up to the last
    shift less than 100 units of 2^-FINE are lost: k <= BITS + 1 of them by log 2, two a step of the polynomial."""
    halvings, rest = divmod(-x << GUARD, LOG_OF_TWO)
    if halvings > BITS + 1:
        return 0
    index = rest >> (FINE - 6)
    f = rest - (index << (FINE - 6))
    one = 1 << FINE
    polynomial = one
    for n in range(TAYLOR_TERMS, 0, -1):
        polynomial = one - (polynomial * f >> FINE) // n
    return EXP_TABLE[index] * polynomial >> (FINE + GUARD + halvings)


def logarithm(y):
    """Bounds (low, high) of log(y), y >= 1. The C library only guesses: with a guess g and u = y exp(-g) - 1,
    log(y) = g + log(1 + u), and u - u^2 <= log(1 + u) <= u for u > -1/2."""
    guess = int(math.log(y / ONE) * ONE)
    error = (EXP_ERROR * y >> BITS) + 2
    u = (y * exponential(-guess) >> BITS) - ONE
    if 2 * (u - error) <= -ONE:
        raise ArithmeticError("the C library's log is off by more than 1/2")
    squared = max(abs(u - error), abs(u + error)) ** 2
    return guess + u - error - (squared >> BITS) - 1, guess + u + error


def sigmoid(x):
    """1 / (1 + exp(-x)), off by at most SIGMOID_ERROR."""
    upper = (ONE << BITS) // (ONE + exponential(-abs(x)))
    return upper if x >= 0 else ONE - upper


def tanh(x):
    """2 sigmoid(2 x) - 1, off by at most TANH_ERROR."""
    return 2 * sigmoid(2 * x) - ONE


def relu(x):
    return x if x > 0 else 0


# kind: function, its error, and the factor 2^-shift by which it at least shrinks differences.
ACTIVATIONS = {"relu": (relu, 0, 0), "sigmoid": (sigmoid, SIGMOID_ERROR, 2), "tanh": (tanh, TANH_ERROR, 0)}


def slope_range(kind, low, high):
    """Bounds of the derivative of a sigmoid or tanh where its value lies in [low, high]: y (1 - y) or 1 - y^2, which
    fall on both sides of their top."""
    if kind == "sigmoid":
        at_low, at_high, top, highest = low * (ONE - low), high * (ONE - high), ONE // 2, ONE * ONE // 4
    else:
        at_low, at_high, top, highest = ONE * ONE - low * low, ONE * ONE - high * high, 0, ONE * ONE
    most = highest if low <= top <= high else max(at_low, at_high)
    return min(at_low, at_high) >> BITS, -(-most >> BITS)
