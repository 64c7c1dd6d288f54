"""``@task`` keeps the type of what it annotates."""

from collections.abc import Callable
from typing import assert_type

from sayiir import RetryPolicy, task


@task
def bare(x: int) -> str:
    return str(x)


@task("named", timeout="30s", retries=3, tags=["io"], priority=1, version="2")
def named(x: int) -> str:
    return str(x)


@task(name="other", retries=RetryPolicy(max_retries=5), timeout_secs=2.5)
async def waiting(x: int) -> str:
    return str(x)


assert_type(bare(1), str)
assert_type(named(1), str)
same: Callable[[int], str] = named


async def main() -> None:
    assert_type(await waiting(1), str)


class Shop:
    @task(priority=2)
    def charge(self, amount: int) -> bool:
        return amount > 0


assert_type(Shop().charge(3), bool)

bare("one")  # error: mypy[arg-type] pyright[reportArgumentType]
named("one")  # error: mypy[arg-type] pyright[reportArgumentType]
task(priority="high")  # error: mypy[call-overload] pyright[reportArgumentType]
task(7)  # error: mypy[call-overload] pyright[reportArgumentType, reportCallIssue]
