#!/usr/bin/env python3
"""mica::linalg against NumPy and SciPy, its first and second gradients against JAX, those of
eigenvectors of matrices that are not symmetric against PyTorch."""

import functools
import sys

from oracle import SKIPPED, Oracle, jax_float64, np

try:
    import scipy.linalg
except ImportError:
    print("skipped: SciPy is not installed")
    sys.exit(SKIPPED)

oracle = Oracle(sys.argv[1])
rng = np.random.default_rng(7)


def normal(*shape):
    return rng.standard_normal(shape)


def raised(*shape):
    """Well conditioned."""
    return normal(*shape) + 2 * np.sqrt(shape[-1]) * np.eye(*shape[-2:])


def positive(*shape):
    a = normal(*shape)
    return a @ np.swapaxes(a, -1, -2) + np.eye(shape[-1])


def each(function):
    """A function of one matrix, over the leading axes; several results become a list."""

    def batched(*arrays):
        batch = arrays[0].shape[:-2]
        flat = [x.reshape((-1,) + x.shape[-2:]) for x in arrays]
        results = [function(*xs) for xs in zip(*flat)]
        results = [r if isinstance(r, tuple) else (r,) for r in results]
        return [np.stack(r).reshape(batch + r[0].shape) for r in zip(*results)]

    return batched


# ---- Values. Columns of singular vectors and eigenvectors are free by a factor.


def aligned(columns, reference):
    """`columns` times the numbers of size 1 that bring them closest to the reference."""
    factor = np.sum(columns.conj() * reference, -2, keepdims=True)
    return columns * factor / np.where(factor == 0, 1, np.abs(factor))


def align_svd(got, wanted):
    """Rows of vh turn with the columns of u. Spare columns span a space: their projection shows
    which."""
    k = wanted[1].shape[-1]
    sign = np.sign(np.sum(got[0][..., :k] * wanted[0][..., :k], -2, keepdims=True))

    def fixed(columns, factor):
        spare = columns[..., k:]
        return np.concatenate([columns[..., :k] * factor, spare @ np.swapaxes(spare, -1, -2)], -1)

    def all_fixed(u, s, vh, factor):
        return [fixed(u, factor), s, fixed(np.swapaxes(vh, -1, -2), factor)]

    return all_fixed(*got, sign), all_fixed(*wanted, np.ones_like(sign))


def align_eigh(got, wanted):
    return [got[0], aligned(got[1], wanted[1])], wanted


def align_eig(got, wanted):
    """In the order of the wanted eigenvalues."""
    values, vectors = got
    order = np.argmin(np.abs(values[..., None, :] - wanted[0][..., :, None]), -1)
    values = np.take_along_axis(values, order, -1)
    vectors = np.take_along_axis(vectors, order[..., None, :], -1)
    return [values, aligned(vectors, wanted[1])], wanted


def align_eigvals(got, wanted):
    values = got[0]
    order = np.argmin(np.abs(values[..., None, :] - wanted[0][..., :, None]), -1)
    return [np.take_along_axis(values, order, -1)], wanted


def add_values(dtype):
    def value(function, inputs, wanted, tolerance=1e-12, adapt=None):
        oracle.value(function, [np.asarray(x, dtype) for x in inputs], wanted, tolerance, adapt)

    def cast(*arrays):
        """As Mica gets them, for NumPy to compute in float64."""
        return [np.asarray(np.asarray(x, dtype), np.float64) for x in arrays]

    for shape in [(1, 1), (3, 3), (2, 4, 4), (2, 3, 5, 5), (0, 3, 3), (40, 40)]:
        (a,) = cast(raised(*shape))
        value("inv", [a], np.linalg.inv(a))
        value("det", [a / 8], np.linalg.det(cast(a / 8)[0]))  # 12^40 is too large for float32
        value("slogdet", [a], list(np.linalg.slogdet(a)))
        value("eigvals", [a], [np.linalg.eigvals(a)] if a.size else [np.zeros(shape[:-1], complex)],
              1e-11, align_eigvals)
        (p,) = cast(positive(*shape))
        value("cholesky", [p], np.linalg.cholesky(p))
        value("cholesky_upper", [p], np.swapaxes(np.linalg.cholesky(p), -1, -2))
        value("cholesky_inv", cast(np.linalg.cholesky(p)), np.linalg.inv(p), 1e-11)
        value("eigvalsh", [p], np.linalg.eigvalsh(p))
        value("eigh", [p], list(np.linalg.eigh(p)), 1e-9, align_eigh)
        (b,) = cast(normal(*shape[:-1], 2))
        value("solve", [a, b], np.linalg.solve(a, b))
        for n in [-3, -1, 0, 1, 2, 7]:
            value(f"matrix_power_{n}", [a], np.linalg.matrix_power(a, n))
        for ord_ in [1, -1, 2, -2, "inf", "-inf", "fro", "nuc"]:
            order = float(ord_) if str(ord_).endswith("inf") else ord_
            value(f"cond_{ord_}", [a], np.linalg.cond(a, order), 1e-11)
        if not a.size:
            continue
        value("expm", [a / 3], scipy.linalg.expm(cast(a / 3)[0]), 1e-11)
        wanted = np.linalg.eig(a)
        value("eig", [a], [wanted[0].astype(complex), wanted[1].astype(complex)], 1e-9, align_eig)
        for upper in [0, 1]:
            for transposed in [0, 1]:
                for unit in [0, 1]:
                    name = "solve_triangular" + "_upper" * upper + "_transposed" * transposed
                    t = a / (4 if unit else 1)
                    wanted = each(lambda x, y: scipy.linalg.solve_triangular(
                        x, y, trans=transposed, lower=not upper, unit_diagonal=bool(unit)))
                    (t,) = cast(t)
                    value(name + "_unit" * unit, [t, b], wanted(t, b), 1e-9)

    (one,) = cast(raised(3, 3))
    (many,) = cast(normal(4, 3, 2))
    value("solve", [one, cast(normal(3))[0] * 0 + 1], np.linalg.solve(one, np.ones(3)))
    value("solve", [one, many], np.linalg.solve(one, many))

    for shape in [(1, 1), (4, 4), (3, 5), (5, 3), (2, 6, 3), (2, 2, 3, 4), (1, 5), (60, 37)]:
        (a,) = cast(normal(*shape))
        value("qr", [a], list(np.linalg.qr(a)), 1e-11)
        value("qr_complete", [a], list(np.linalg.qr(a, "complete")), 1e-11)
        value("lu", [a], each(scipy.linalg.lu)(a), 1e-11)
        value("lu_factor", [a], each(scipy.linalg.lu_factor)(a), 1e-11)
        value("svd", [a], list(np.linalg.svd(a, full_matrices=False)), 1e-10, align_svd)
        value("svd_full", [a], list(np.linalg.svd(a)), 1e-10, align_svd)
        value("svdvals", [a], np.linalg.svd(a, compute_uv=False))
        value("pinv", [a], np.linalg.pinv(a), 1e-10)
        value("matrix_rank", [a], np.linalg.matrix_rank(a))
        value("norm", [a], np.linalg.norm(a))
        for ord_ in [1, -1, 2, -2, "inf", "-inf", "fro", "nuc"]:
            order = float(ord_) if str(ord_).endswith("inf") else ord_
            value(f"matrix_norm_{ord_}", [a], np.linalg.norm(a, order, (-2, -1)))
        for ord_ in ["1", "-1", "2", "-2", "inf", "-inf", "0", "0.5", "3"]:
            value(f"vector_norm_{ord_}", [a], np.linalg.norm(a, float(ord_), -1), 1e-11)
        if a.ndim == 2:
            (b,) = cast(normal(shape[0], 2))
            x, residuals, rank, s = np.linalg.lstsq(a, b, rcond=None)
            residuals = ((a @ x - b) ** 2).sum(0)  # NumPy has none of square and wide matrices
            value("lstsq", [a, b], [x, residuals, np.asarray(rank), s], 1e-10)
    (deficient,) = cast(np.round(normal(5, 2) * 4) @ np.round(normal(2, 4) * 4))
    value("matrix_rank", [deficient], np.linalg.matrix_rank(deficient))


def add_gradients(jax):
    jnp, jsp = jax.numpy, jax.scipy.linalg
    turned = lambda x: jnp.swapaxes(x, -1, -2)
    check = oracle.gradients
    for shape in [(2, 3, 3)]:
        a, p, b = raised(*shape), positive(*shape), normal(*shape[:-1], 2)
        check("inv", jnp.linalg.inv, [a])
        check("det", jnp.linalg.det, [a])
        check("slogdet", lambda x: list(jnp.linalg.slogdet(x)), [a])
        check("solve", jnp.linalg.solve, [a, b])
        check("cholesky", jnp.linalg.cholesky, [p])
        check("eigvalsh", jnp.linalg.eigvalsh, [p], 1e-8)
        check("expm", jax.vmap(jsp.expm), [a / 3])
        check("matrix_power_2", lambda x: jnp.linalg.matrix_power(x, 2), [a])
        check("matrix_power_-3", lambda x: jnp.linalg.matrix_power(x, -3), [a])
        check("cond_1", lambda x: jnp.linalg.cond(x, 1), [a])
        check("cond_fro", lambda x: jnp.linalg.cond(x, "fro"), [a])
        for upper in [0, 1]:
            for unit in [0, 1]:
                name = "solve_triangular" + "_upper" * upper + "_unit" * unit
                solve = functools.partial(jax.lax.linalg.triangular_solve, left_side=True,
                                          lower=not upper, unit_diagonal=bool(unit))
                check(name, solve, [a / 3, b], 1e-8)

        def logm(x):
            w, v = jnp.linalg.eigh(x)
            return [(v * jnp.log(w)[..., None, :]) @ turned(v), v**2]

        check("logm_eigh", logm, [p], 1e-7)
    for shape in [(4, 4), (2, 5, 3)]:
        check("qr", lambda x: list(jnp.linalg.qr(x)), [normal(*shape)], 1e-7)
    for shape in [(4, 4)]:
        check("lu", lambda x: list(jsp.lu(x))[:3], [normal(*shape)], 1e-8)
    for shape in [(5, 3), (2, 3, 4)]:
        a = normal(*shape)

        def polar(x):
            u, s, vh = jnp.linalg.svd(x, full_matrices=False)
            return u @ vh

        check("svdvals", lambda x: jnp.linalg.svd(x, compute_uv=False), [a], 1e-8)
        check("polar", polar, [a], 1e-7)
        check("pinv", jnp.linalg.pinv, [a], 1e-7)
        if len(shape) == 3:
            continue
        for ord_ in [1, -1, 2, -2, "inf", "-inf", "fro", "nuc"]:
            order = float(ord_) if str(ord_).endswith("inf") else ord_
            check(f"matrix_norm_{ord_}", lambda x: jnp.linalg.norm(x, order, (-2, -1)), [a], 1e-8)
        for ord_ in ["1", "-1", "2", "inf", "-inf", "0.5", "3"]:
            check(f"vector_norm_{ord_}", lambda x: jnp.linalg.norm(x, float(ord_), -1), [a], 1e-8)
        check("norm", jnp.linalg.norm, [a])


def add_eig_gradients():
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed: gradients of eig are not compared")
        return
    for shape in [(2, 2), (5, 5), (2, 4, 4)]:
        a = normal(*shape)

        def outputs(x):
            values, vectors = torch.linalg.eig(x)
            return [values.real, values.imag, vectors.abs().square()]

        x = torch.tensor(a, requires_grad=True)
        results = outputs(x)
        w = [normal(*r.shape) for r in results]
        total = sum((torch.tensor(weight) * r).sum() for weight, r in zip(w, results))
        (gradient,) = torch.autograd.grad(total, x, create_graph=True)
        v = normal(*shape)
        (second,) = torch.autograd.grad((gradient * torch.tensor(v)).sum(), x)
        oracle._add("eig_free", "grad", [a], gradient.detach().numpy(), {"w": w}, 1e-8, None)
        oracle._add("eig_free", "grad2", [a], second.numpy(), {"w": w, "v": [v]}, 1e-6, None)


add_values(np.float64)
add_values(np.float32)
jax = jax_float64()
if jax:
    add_gradients(jax)
add_eig_gradients()
sys.exit(oracle.run())
