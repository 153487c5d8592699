"""Functions of words as LLVM IR: the little Python that kernels are written in.

A source is Python text that is read, not run. Its definitions are functions of int64 words that
return nothing; its assignments name what they may call: `loop = column_loop("f4", [...])`.
Variables are words or floats. There are loops over ranges and while a condition holds, conditions,
arithmetic, and the calls of `Function._call`. Numba takes four times as long over the same text: it
infers types, which are known here, and finds each call's meaning in tables of overloads.
"""

from __future__ import annotations

import ast
import pathlib
import platform
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

from .addresses import I32, I64, REALS, Value, cgutils, pointer
from .products.dots import dots
from .products.tiles import micro_kernel, transpose
from .vectors.columns import column_loop

TEXT = pathlib.Path(__file__).read_bytes()  # a key of the cache: see loading.py

Writer = Callable[..., Any]
"""write(builder, *arguments) -> results; an argument is a value, or a list of them."""

WRITERS: dict[str, Callable[..., Writer]] = {
    "column_loop": column_loop, "dots": dots, "micro_kernel": micro_kernel, "transpose": transpose,
}  # fmt: skip
"""What makes the functions that a source's assignments name."""

_ARITHMETIC = {
    ast.Add: ("add", "fadd"), ast.Sub: ("sub", "fsub"), ast.Mult: ("mul", "fmul"),
    ast.FloorDiv: ("sdiv", None), ast.Mod: ("srem", None), ast.BitAnd: ("and_", None),
}  # fmt: skip
"""Of words and of floats; words are divided as if none were negative."""
_SIGNS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
}  # fmt: skip


def module_of(source: str) -> ir.Module:
    """Return the IR of all functions of a source."""
    module, writers = ir.Module(), {}
    tree = ast.parse(source).body
    for statement in tree:
        if isinstance(statement, ast.Assign):
            (name,), made = _names(statement.targets[0]), statement.value
            assert isinstance(made, ast.Call)
            (maker,) = _names(made.func)
            writers[name] = WRITERS[maker](*[ast.literal_eval(a) for a in made.args])
    for statement in tree:
        if isinstance(statement, ast.FunctionDef):
            Function(module, writers, statement)
    return module


def _names(target: ast.expr) -> list[str]:
    """Return the names of a target: one, or a tuple of them."""
    several = target.elts if isinstance(target, ast.Tuple) else [target]
    return [one.id for one in several if isinstance(one, ast.Name)]


class Function:
    """One function of a source being written."""

    def __init__(
        self, module: ir.Module, writers: dict[str, Writer], definition: ast.FunctionDef
    ) -> None:
        self.module, self.writers = module, writers
        names = [a.arg for a in definition.args.args]
        kind = ir.FunctionType(ir.VoidType(), [I64] * len(names))
        function = ir.Function(module, kind, definition.name)
        self.builder = ir.IRBuilder(function.append_basic_block("entry"))
        self.places: dict[str, Value] = {}
        for name, value in zip(names, function.args, strict=True):
            self._set(name, value)
        self._block(definition.body)
        self.builder.ret_void()

    # ---- statements ------------------------------------------------------------------------------

    def _block(self, statements: Sequence[ast.stmt]) -> None:
        for s in statements:
            getattr(self, f"_{type(s).__name__.lower()}")(s)

    def _set(self, name: str, value: Value) -> None:
        if name not in self.places:
            self.places[name] = cgutils.alloca_once(self.builder, value.type)
        self.builder.store(value, self.places[name])

    def _assign(self, s: ast.Assign) -> None:
        found = self.value(s.value)
        several = isinstance(s.targets[0], ast.Tuple)
        for name, value in zip(_names(s.targets[0]), found if several else [found], strict=True):
            self._set(name, value)

    def _augassign(self, s: ast.AugAssign) -> None:
        (name,) = _names(s.target)
        self._set(name, self._arithmetic(s.op, self._name(name), self.value(s.value)))

    def _expr(self, s: ast.Expr) -> None:
        if not isinstance(s.value, ast.Constant):  # a docstring
            self.value(s.value)

    def _pass(self, s: ast.Pass) -> None:
        """Nothing."""

    def _if(self, s: ast.If) -> None:
        with self.builder.if_else(self._truth(s.test)) as (then, otherwise):
            with then:
                self._block(s.body)
            with otherwise:
                self._block(s.orelse)

    def _while(self, s: ast.While) -> None:
        builder = self.builder
        test, body, end = (builder.append_basic_block(part) for part in ("test", "body", "end"))
        builder.branch(test)
        builder.position_at_end(test)
        builder.cbranch(self._truth(s.test), body, end)
        builder.position_at_end(body)
        self._block(s.body)
        builder.branch(test)
        builder.position_at_end(end)

    def _for(self, s: ast.For) -> None:
        """Nothing; writes a loop over a range; a negative step is a constant."""
        assert isinstance(s.iter, ast.Call)
        (name,) = _names(s.target)
        args = [self.value(a) for a in s.iter.args]
        start, stop = args[:2] if len(args) > 1 else (ir.Constant(I64, 0), args[0])
        step = args[2] if len(args) == 3 else ir.Constant(I64, 1)
        builder = self.builder
        test, body, end = (builder.append_basic_block(part) for part in ("test", "body", "end"))
        counter = cgutils.alloca_once(builder, I64)
        builder.store(start, counter)
        builder.branch(test)
        builder.position_at_end(test)
        sign = ">" if isinstance(step, ir.Constant) and step.constant < 0 else "<"
        now = builder.load(counter)
        builder.cbranch(builder.icmp_signed(sign, now, stop), body, end)
        builder.position_at_end(body)
        self._set(name, now)
        self._block(s.body)
        builder.store(builder.add(builder.load(counter), step), counter)
        builder.branch(test)
        builder.position_at_end(end)

    # ---- expressions -----------------------------------------------------------------------------

    def value(self, e: ast.expr) -> Any:
        """Return the value of an expression; a list where it has several."""
        builder = self.builder
        if isinstance(e, ast.Name):
            return self._name(e.id)
        if isinstance(e, ast.Constant):
            assert isinstance(e.value, int)
            return ir.Constant(I64, e.value)
        if isinstance(e, ast.UnaryOp) and isinstance(e.operand, ast.Constant):
            assert isinstance(e.op, ast.USub)
            return ir.Constant(I64, -ast.literal_eval(e.operand))
        if isinstance(e, ast.BinOp):
            return self._arithmetic(e.op, self.value(e.left), self.value(e.right))
        if isinstance(e, ast.IfExp):
            return builder.select(self._truth(e.test), self.value(e.body), self.value(e.orelse))
        if isinstance(e, ast.Tuple):
            return [self.value(one) for one in e.elts]
        assert isinstance(e, ast.Call), ast.dump(e)
        (name,) = _names(e.func)
        return self._call(name, [self.value(a) for a in e.args])

    def _name(self, name: str) -> Value:
        """Return the value of a variable, or the address of a function of this source."""
        if name in self.places:
            return self.builder.load(self.places[name])
        return self.builder.ptrtoint(self.module.get_global(name), I64)

    def _arithmetic(self, op: ast.operator, x: Value, y: Value) -> Value:
        name = _ARITHMETIC[type(op)][x.type != I64]
        assert name is not None
        return getattr(self.builder, name)(x, y)

    def _truth(self, e: ast.expr) -> Value:
        """Return whether an expression holds: a bit."""
        builder = self.builder
        if isinstance(e, ast.BoolOp):
            join = builder.or_ if isinstance(e.op, ast.Or) else builder.and_
            first, second = map(self._truth, e.values)
            return join(first, second)
        if isinstance(e, ast.Compare):
            x, y, sign = self.value(e.left), self.value(e.comparators[0]), _SIGNS[type(e.ops[0])]
            if x.type == I64:
                return builder.icmp_signed(sign, x, y)
            compare = builder.fcmp_unordered if sign == "!=" else builder.fcmp_ordered
            return compare(sign, x, y)
        return builder.icmp_signed("!=", self.value(e), ir.Constant(I64, 0))

    def _call(self, name: str, args: list[Any]) -> Any:
        """Return what a call gives: of a function named in the source, or one of these.

        word(base, i): the i-th word of a table at address base   put_word(base, i, x)   min(x, y)
        get_f4(address)   put_f4(address, x)   call(address, words): the function at an address
        fetch(base, i), count(base, i, x), swap(base, i, old, new) -> whether old stood there: words
        that threads share, each in one order for all   pause(): for a thread that waits
        """
        builder = self.builder
        if name in self.writers:
            return self.writers[name](builder, *args)
        if name in ("word", "put_word"):
            place = builder.gep(pointer(builder, args[0], I64), [args[1]])
            return builder.load(place) if name == "word" else builder.store(args[2], place)
        if name in ("fetch", "count", "swap", "pause"):
            return self._shared(name, args)
        if name == "min":
            return builder.select(builder.icmp_signed("<", *args), *args)
        if name == "call":
            kind = ir.FunctionType(ir.VoidType(), [I64] * len(args[1]))
            return builder.call(pointer(builder, args[0], kind), args[1])
        if name[:4] in ("get_", "put_"):
            place = pointer(builder, args[0], REALS[name[4:]])
            return builder.load(place) if name[0] == "g" else builder.store(args[1], place)
        return builder.call(self.module.get_global(name), args)

    def _shared(self, name: str, args: list[Any]) -> Any:
        """Return what a call does to a word that threads share; or nothing, a little later."""
        builder, order = self.builder, "seq_cst"
        if name == "pause":
            return self._pause()
        place = builder.gep(pointer(builder, args[0], I64), [args[1]])
        if name == "fetch":
            return builder.load_atomic(place, order, 8)
        if name == "count":
            return builder.atomic_rmw("add", place, args[2], order)
        swapped = builder.cmpxchg(place, args[2], args[3], order, order)
        return builder.zext(builder.extract_value(swapped, 1), I64)

    def _pause(self) -> None:
        """Nothing; tells the processor that this thread waits, where it can be told."""
        machine = platform.machine().lower()
        if machine in ("x86_64", "amd64"):
            name, args = "llvm.x86.sse2.pause", []
        elif machine in ("arm64", "aarch64"):
            name, args = "llvm.aarch64.hint", [ir.Constant(I32, 1)]
        else:
            return
        kind = ir.FunctionType(ir.VoidType(), [a.type for a in args])
        self.builder.call(cgutils.get_or_insert_function(self.module, kind, name), args)
