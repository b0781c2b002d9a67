"""Amounts of CPU, memory and the like, in the one form in which the API server keeps each of them."""

import re
from collections.abc import Mapping
from decimal import ROUND_UP, Context, Decimal, localcontext

_QUANTITY = re.compile(r"([0-9]+\.?[0-9]*)([eE][0-9]{1,2}|[KMGTPE]i|[numkMGTPE]|)")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_LEAST = Decimal("1e-3")
"""The API server rounds what a container asks for up to a thousandth."""

_EXACT = Context(prec=200)


def canonical_resources(resources: Mapping[str, Mapping[str, str | int] | None]) -> dict[str, dict[str, str]]:
    """Write a container's requests and limits in canonical form; those that are empty are left out."""
    return {
        name: {key: canonical(amount) for key, amount in amounts.items()}
        for name, amounts in resources.items()
        if amounts
    }


def canonical(quantity: str | int) -> str:
    """Write `0.5` as `500m`, `1024Mi` as `1Gi`; what is no quantity is left for the API server to refuse."""
    text = str(quantity)
    match = _QUANTITY.fullmatch(text)
    if match is None:
        return text
    with localcontext(_EXACT):
        return _write(*match.groups())


def _write(number: str, suffix: str) -> str:
    if suffix in _BINARY[1:]:
        return _binary(Decimal(number) * 1024 ** _BINARY.index(suffix))
    if suffix[1:]:
        return _decimal(Decimal(number + suffix), exponents=True)
    return _decimal(Decimal(number).scaleb(_DECIMAL[suffix]))


def _binary(value: Decimal) -> str:
    if value < 1024 or value != value.to_integral_value():
        return _decimal(value)
    whole, power = int(value), 0
    while whole % 1024 == 0 and power < len(_BINARY) - 1:
        whole, power = whole // 1024, power + 1
    return f"{whole}{_BINARY[power]}"


def _decimal(value: Decimal, *, exponents: bool = False) -> str:
    """Write with the largest power of a thousand that leaves a whole number."""
    rounded = value.quantize(_LEAST, rounding=ROUND_UP).normalize()
    if not rounded:
        return "0"
    tens = int(rounded.as_tuple().exponent)
    power = min(tens - tens % 3, 18)
    whole = f"{rounded.scaleb(-power):f}"
    if exponents:
        return f"{whole}e{power}" if power else whole
    return whole + next(suffix for suffix, tens in _DECIMAL.items() if tens == power)
