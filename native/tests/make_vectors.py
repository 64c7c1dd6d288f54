"""Write the golden vectors anew: ``python -m native.tests.make_vectors > native/tests/vectors.tsv``.

Only for new expressions. A line that exists must not change: payloads like it are stored.
"""

from __future__ import annotations

from native.tests.values import HEADER, evaluate
from sayiir_rkyv import RkyvCodec
from sayiir_rkyv.packing import pack

EXPRESSIONS = """
None
True
False
0
-1
2**63 - 1
-2**63
2**63
2**64 - 1
2**64
-2**63 - 1
10**50
-10**50
0.0
-0.0
1.5
nan
other_nan
inf
-inf
''
'a'
'h\\u00e9llo'
'\\ud800'
'x' * 300
b''
b'short'
bytes(range(64))
['before', bytes(range(80)), 'after']
[]
[1, 'two', 3.0, None, True]
[[[]], [[1], [2, [3]]]]
()
(1, (2,), [3])
{}
{'b': 1, 'a': None}
{'id': 1, 'next': {'id': 2, 'next': None}}
[{'id': 1, 'n': 'a'}, {'id': 2, 'n': 'b'}, {'n': 'c', 'id': 3}]
{'k' * 128: 1}
{'k' * 129: 1}
{f'key{n}': n for n in range(32)}
{f'key{n}': n for n in range(40)}
{1: 'int', 'a': 'str', None: 0, (1, 'x'): [], b'b': {}, 1.5: -1}
{'\\ud800': 1}
set()
{1, 2, 300, 'a', (1, 2), None}
frozenset()
frozenset({'a', b'a', frozenset({7})})
dt.datetime(2026, 12, 1, 3, 42, 59, 7)
dt.datetime(2026, 12, 1, 3, 42, tzinfo=dt.timezone.utc)
dt.datetime(2026, 12, 1, 3, 42, tzinfo=dt.timezone(-dt.timedelta(hours=3, minutes=30)))
dt.datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo('Europe/Berlin'))
dt.datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo('Europe/Berlin'))
dt.datetime(2026, 10, 25, 2, 30, fold=1)
dt.date(1, 1, 1)
dt.time(23, 59, 59, 999999)
dt.time(12, tzinfo=dt.timezone.utc)
dt.timedelta(-1, 5, 7)
Decimal('1.50')
Decimal('-1E+400')
Decimal('NaN')
Decimal('-Infinity')
UUID('12345678-1234-5678-1234-567812345678')
1.5 - 2j
{'when': dt.date(2026, 12, 1), 'sum': (Decimal('9.90'), {'tags': {'a'}})}
"""


def main() -> None:
    """Print expression, packed value and payload of each."""
    codec = RkyvCodec()
    for expression in EXPRESSIONS.strip().splitlines():
        value = evaluate(expression)
        _, body = codec.encode(value)
        print(expression, pack(value).hex(), (HEADER + body).hex(), sep="\t")  # noqa: T201


if __name__ == "__main__":
    main()
