#!/usr/bin/env python3
"""Elementwise functions, reductions, scans, indexing and products against NumPy; gradients and
second gradients of some against JAX; einsum's order of products against the best one."""

import itertools
import sys

from oracle import Oracle, jax_float64, np

oracle = Oracle(sys.argv[1])
rng = np.random.default_rng(3)


def normal(*shape):
    return rng.standard_normal(shape)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# Functions whose values NumPy has under another name, or by a formula.
SPELLED = {
    "neg": np.negative,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "round": np.round,
    "sigmoid": sigmoid,
    "relu": lambda x: np.maximum(x, 0),
    "silu": lambda x: x * sigmoid(x),
    "softplus": lambda x: np.logaddexp(x, 0),
    "mish": lambda x: x * np.tanh(np.logaddexp(x, 0)),
}
UNARY = """neg abs sign square sqrt rsqrt reciprocal exp expm1 log log2 log10 log1p sin cos tan sinh
    cosh tanh arcsin arccos arctan arcsinh arccosh arctanh floor ceil trunc round sigmoid relu silu
    softplus mish isnan isinf isfinite logical_not""".split()
POSITIVE = {"sqrt", "rsqrt", "reciprocal", "log", "log2", "log10", "log1p"}
BINARY = """add subtract multiply divide maximum minimum floor_divide remainder arctan2 logaddexp
    equal not_equal less less_equal greater greater_equal logical_and logical_or""".split()
INTEGER = "bitwise_and bitwise_or bitwise_xor left_shift right_shift".split()


def function_of(name):
    return SPELLED.get(name) or getattr(np, name)


def sample(name, *shape):
    x = normal(*shape)
    if name in POSITIVE:
        return np.abs(x) + 0.1
    if name in ("arcsin", "arccos", "arctanh"):
        return np.tanh(x) * 0.95
    return np.abs(x) + 1.1 if name == "arccosh" else x


def typed(tolerance, name, function, *inputs):
    """In float64, and in float32 of what float32 holds of the inputs."""
    oracle.value(name, inputs, function(*inputs), tolerance)
    narrow = [x.astype(np.float32) for x in inputs]
    oracle.value(name, narrow, function(*[x.astype(np.float64) for x in narrow]), tolerance)


def add_elementwise():
    edges = np.array([0.0, -0.0, 1, -1, 0.5, 2.5, -2.5, np.inf, -np.inf, np.nan, 1e-300, 1e300])
    with np.errstate(all="ignore"):
        for name in UNARY:
            function = function_of(name)
            typed(1e-14, name, function, sample(name, 3, 1, 7))
            if name not in ("mish", "silu", "softplus", "round"):
                oracle.value(name, [edges], function(edges), 1e-14)
        for name in BINARY:
            typed(1e-14, name, function_of(name), normal(3, 1, 4), normal(2, 1))
            typed(1e-14, name, function_of(name), np.round(normal(9)), np.ones(9))
        typed(1e-13, "power", np.power, np.abs(normal(3, 4)) + 0.1, normal(4))
    for name in INTEGER:
        for dtype in (np.int8, np.uint16, np.int32, np.int64):
            x, y = rng.integers(0, 100, (3, 5)).astype(dtype), rng.integers(0, 7, 5).astype(dtype)
            oracle.value(name, [x, y], getattr(np, name)(x, y))
    for name in "floor_divide remainder".split():
        x, y = rng.integers(-50, 50, 40), rng.integers(1, 9, 40) * rng.choice([-1, 1], 40)
        oracle.value(name, [x, y], getattr(np, name)(x, y))
    condition = normal(3, 4) > 0
    a, b = normal(4), normal(3, 1)
    oracle.value("where", [condition, a, b], np.where(condition, a, b))
    x = normal(5, 3)
    oracle.value("clip", [x, np.array(-0.5), np.array(0.7)], np.clip(x, -0.5, 0.7))


def log_sum(x, axis=None, keepdims=False):
    return np.log(np.exp(x).sum(axis, keepdims=keepdims))


def add_reductions():
    import functools

    functions = {name: getattr(np, name) for name in
                 "sum prod max min all any mean std median count_nonzero".split()}
    functions["var"] = functools.partial(np.var, ddof=1)
    functions["logsumexp"] = log_sum
    for name, function in functions.items():
        for shape in [(4, 5), (2, 3, 4), (3, 70, 33), (2, 2, 2, 2)]:
            x = normal(*shape)
            if name in ("all", "any", "count_nonzero"):
                x = np.round(x)
            if name == "prod":
                x = x / 2 + np.sign(x)  # thousands of factors stay in range
                x = x if x.size < 1000 else np.exp(x / 50)
            for suffix, axis, keep in [("", None, False), ("_0", 0, False), ("_-1", -1, False),
                                       ("_kept", (-2, -1), True)]:
                typed(1e-13, name + suffix, lambda a: function(a, axis=axis, keepdims=keep), x)


def add_along_axes():
    reversed_ = lambda f, x, axis: np.flip(f(np.flip(x, axis), axis), axis)
    scans = {
        "cumsum": np.cumsum,
        "cumprod": np.cumprod,
        "cummax": np.maximum.accumulate,
        "cummin": np.minimum.accumulate,
        "logcumsumexp": np.logaddexp.accumulate,
    }
    for axis in (0, -1):
        for shape in [(7,), (3, 4), (4, 3, 5)]:
            x = normal(*shape)
            x.flat[0] = x.flat[-1]
            for name, f in scans.items():
                typed(1e-13, f"{name}_{axis}", lambda a: f(a, axis), x)
                typed(1e-13, f"{name}_reversed_{axis}", lambda a: reversed_(f, a, axis), x)
            add = lambda name, wanted, *inputs: oracle.value(f"{name}_{axis}", inputs, wanted)
            add("sort", np.sort(x, axis), x)
            add("argsort", np.argsort(x, axis, kind="stable"), x)
            add("argmax", np.argmax(x, axis), x)
            add("argmin", np.argmin(x, axis), x)
            add("diff", np.diff(x, 2, axis), x)
            add("flip", np.flip(x, axis), x)
            add("roll", np.roll(x, -2, axis), x)
            add("repeat", np.repeat(x, 3, axis), x)
            add("concatenate", np.concatenate([x, x, x], axis), x, x, x)
            add("stack", np.stack([x, 2 * x], axis), x, 2 * x)
            add("array_split", np.array_split(x, [1, 2], axis), x)
            e = np.exp(x)
            add("softmax", e / e.sum(axis, keepdims=True), x)
            length = x.shape[axis]
            index = rng.integers(-length, length, (2, 3))
            add("take", np.take(x, index, axis), x, index)
            order = np.argsort(normal(*x.shape), axis)  # indices that differ along the axis
            along = np.take(order, range(2), axis)
            add("take_along_axis", np.take_along_axis(x, along, axis), x, along)
            put, values = x.copy(), normal(*along.shape)
            np.put_along_axis(put, along, values, axis)
            add("put_along_axis", put, x, along, values)


def add_indexing():
    x = normal(4, 5, 3)
    i, j = rng.integers(-4, 4, (6, 1)), rng.integers(-5, 5, 2)
    u = normal(6, 2, 3)
    oracle.value("at_get", [x, i, j], x[i, j])
    for name, at in [("add", np.add.at), ("multiply", np.multiply.at), ("maximum", np.maximum.at),
                     ("minimum", np.minimum.at)]:
        y = x.copy()
        at(y, (i, j), u)
        oracle.value(f"at_{name}", [x, i, j, u], y)
    y = x.copy()
    y[i, j] = u
    oracle.value("at_set", [x, i, j, u], y)
    for dtype in (np.float64, np.float32, np.int32, np.uint8):
        line, values = np.sort(normal(20) * 9).astype(dtype), (normal(3, 4) * 9).astype(dtype)
        line = np.sort(line)
        oracle.value("searchsorted", [line, values], np.searchsorted(line, values))
        oracle.value("searchsorted_right", [line, values], np.searchsorted(line, values, "right"))
        few = np.round(values)
        oracle.value("unique", [few], np.unique(few))
        oracle.value("nonzero", [few], np.nonzero(few))
    flat = rng.integers(0, 60, (2, 5))
    several = np.unravel_index(flat, (3, 4, 5))
    oracle.value("unravel_index", [flat], several)
    oracle.value("ravel_multi_index", several, flat)
    mask = x[..., 0] > 0
    oracle.value("masked_select", [x, mask], x[mask])
    for shape in [(4, 4), (3, 5), (5, 3)]:
        a = normal(*shape)
        oracle.value("tril", [a], np.tril(a, -1))
        oracle.value("triu", [a], np.triu(a, 1))
        oracle.value("diagonal", [a], np.diagonal(a, 1))
        oracle.value("trace", [a], np.trace(a))
        oracle.value("round_2", [a], np.round(a, 2))
    odd = np.array([np.nan, np.inf, -np.inf, 1.5])
    oracle.value("nan_to_num", [odd], np.nan_to_num(odd))
    close = np.array([np.nan, np.inf, -np.inf, 1.5 + 1e-7])
    oracle.value("isclose", [odd, close], np.isclose(odd, close))
    for mode in "edge reflect symmetric wrap".split():
        oracle.value(f"pad_{mode}", [x], np.pad(x, [(1, 0), (0, 2), (4, 7)], mode))


EQUATIONS = """ij,jk->ik  ij,jk  ii->i  ii  ij->ji  ij->  i,j->ij  i,i->  bij,bjk->bik
    ...ij,...jk->...ik
    ij,jk,kl->il  ij,ij,ij->i  abc,cd,def->abef  ab,bc,cd,de->ae  iij,jk->ik  i...,i...->...
    bhqd,bhkd->bhqk  ab,cd,ef->abcdef  abc->cab  ai,bi,ci,di->abcd  ab,ac,ad,bcd->""".split()


def operands_of(equation, lengths):
    left = equation.replace("...", "ZY").split("->")[0].split(",")
    return [normal(*(lengths[c] for c in term)) for term in left]


def cost_of(equation, lengths, path):
    """Multiplications of pairs in the order of the path, lone axes summed before."""
    left, right = equation.split("->")
    terms = [set(t) for t in left.split(",")]
    total = 0
    for pair in path:
        i, k = sorted(pair)
        beside = set(right).union(*(t for n, t in enumerate(terms) if n not in (i, k)))
        a, b = terms[i] & (beside | terms[k]), terms[k] & (beside | terms[i])
        total += np.prod([float(lengths[c]) for c in a | b])
        terms = [t for n, t in enumerate(terms) if n not in (i, k)] + [(a | b) & beside]
    return total


def best_cost(equation, lengths, count):
    """By trying all orders."""
    best = np.inf

    def search(path, left):
        nonlocal best
        if left == 1:
            best = min(best, cost_of(equation, lengths, path))
            return
        for pair in itertools.combinations(range(left), 2):
            search(path + [pair], left - 1)

    search([], count)
    return best


def text(equation):
    return np.frombuffer(equation.encode(), np.uint8)


def add_products():
    for a, b in [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 4)), ((5, 2, 3), (3, 4)),
                 ((4, 1, 2, 3), (5, 3, 2)), ((0, 3), (3, 2)), ((2, 0), (0, 3))]:
        typed(1e-13, "matmul", np.matmul, normal(*a), normal(*b))
    typed(1e-14, "outer", np.outer, normal(3), normal(2, 2))
    typed(1e-13, "inner", np.inner, normal(2, 3), normal(4, 3))
    typed(1e-14, "kron", np.kron, normal(2, 3), normal(3, 2))
    typed(1e-13, "cross", np.cross, normal(4, 3), normal(3))
    typed(1e-13, "tensordot", lambda a, b: np.tensordot(a, b, 2), normal(2, 3, 4), normal(3, 4, 5))
    for equation in EQUATIONS:
        lengths = {c: int(rng.integers(2, 5)) for c in "abcdefghijklmnopqrstuvwxyzZY"}
        operands = operands_of(equation, lengths)
        oracle.value("einsum", [text(equation)] + operands, np.einsum(equation, *operands), 1e-13)
    for _ in range(40):
        letters, count = "abcdefg", int(rng.integers(3, 6))
        terms = ["".join(rng.permutation(list(letters))[:rng.integers(1, 4)]) for _ in range(count)]
        used = sorted(set("".join(terms)))
        result = "".join(rng.permutation(used)[:rng.integers(0, 4)])
        equation = ",".join(terms) + "->" + result
        lengths = {c: int(rng.integers(1, 7)) for c in letters}
        operands = operands_of(equation, lengths)
        inputs = [text(equation)] + operands
        oracle.value("einsum", inputs, np.einsum(equation, *operands), 1e-12)
        best = best_cost(equation, lengths, count)
        oracle.value("einsum_path", inputs, [np.array(best)], 1e-12,
                     lambda got, wanted, e=equation, l=lengths:
                     ([np.array(cost_of(e, l, got[0].tolist()))], wanted))


def add_gradients(jax):
    jnp = jax.numpy
    check = oracle.gradients
    x = normal(3, 4)
    spelled = {"neg": jnp.negative, "rsqrt": jax.lax.rsqrt, "sigmoid": jax.nn.sigmoid,
               "silu": jax.nn.silu, "softplus": jax.nn.softplus, "mish": jax.nn.mish,
               "erf": jax.lax.erf, "erfinv": jax.lax.erf_inv}
    smooth = [n for n in UNARY if n not in
              ("sign", "floor", "ceil", "trunc", "round", "relu", "abs", "isnan", "isinf",
               "isfinite", "logical_not")]
    for name in smooth + ["erf", "erfinv"]:
        inputs = [np.tanh(x) * 0.9 if name == "erfinv" else sample(name, 3)]
        check(name, spelled.get(name) or getattr(jnp, name), inputs)
    for name in "add subtract multiply divide maximum minimum arctan2 logaddexp".split():
        check(name, getattr(jnp, name), [normal(2, 3), normal(3)])
    check("power", jnp.power, [np.abs(normal(2, 3)) + 0.2, normal(3)])
    for name in "sum prod max mean std".split():
        f = getattr(jnp, name)
        check(name + "_-1", lambda a: f(a, axis=-1), [x])
    check("var_0", lambda a: jnp.var(a, axis=0, ddof=1), [x])
    check("logsumexp_-1", lambda a: jax.nn.logsumexp(a, axis=-1), [x])
    check("cumsum_0", lambda a: jnp.cumsum(a, 0), [x])
    check("cumprod_-1", lambda a: jnp.cumprod(a, -1), [x])
    check("logcumsumexp_-1", lambda a: jax.lax.cumlogsumexp(a, 1), [x])
    check("logcumsumexp_reversed_0", lambda a: jax.lax.cumlogsumexp(a, 0, reverse=True), [x])
    check("sort_-1", jnp.sort, [x])
    check("softmax_-1", jax.nn.softmax, [x])
    i, j = np.array([0, 2, 0]), np.array([1, -1, 1])
    u = normal(3)
    # JAX has no gradient of a product with repeated places; these differ.
    apart = np.array([0, 2, 1])
    add_at("at_add", lambda a, b: a.at[i, j].add(b), jax, x, i, j, u)
    add_at("at_set", lambda a, b: a.at[apart, j].set(b), jax, x, apart, j, u)
    add_at("at_multiply", lambda a, b: a.at[apart, j].multiply(b, unique_indices=True), jax, x,
           apart, j, u)
    check("matmul", jnp.matmul, [normal(2, 3, 4), normal(4, 2)])
    check("kron", jnp.kron, [normal(2, 2), normal(2, 2)])


def add_at(name, function, jax, x, i, j, u):
    """Index arrays have no gradients, and so no weights."""
    w, vx, vu = normal(*x.shape), normal(*x.shape), normal(*u.shape)
    first = jax.grad(lambda a, b: (w * function(a, b)).sum(), (0, 1))
    v = (vx, vu)
    second = jax.grad(lambda a, b: sum((d * g).sum() for d, g in zip(v, first(a, b))), (0, 1))
    oracle._add(name, "grad", [x, i, j, u], first(x, u), {"w": [w]}, 1e-12, None)
    oracle._add(name, "grad2", [x, i, j, u], second(x, u), {"w": [w], "v": [vx, vu]}, 1e-12, None)


add_elementwise()
add_reductions()
add_along_axes()
add_indexing()
add_products()
jax = jax_float64()
if jax:
    add_gradients(jax)
sys.exit(oracle.run())
