"""Runs probes side by side; what one of them raises stops no other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from botocore.exceptions import BotoCoreError, ClientError

from .account import said
from .registry import Probe
from .sandbox import Ending, Sandbox
from .scenario import Scenario
from .verdicts import Unavailable, Undecided, Verdict, failed, undecided

# Most probes wait for AWS. Local AWS is one process.
_WORKERS, _LOCAL_WORKERS = 8, 3
Scenarios = dict[str, Scenario[object]]


def run(
    probes: Sequence[Probe], sandbox: Sandbox, scenarios: Scenarios, told: Callable[[Probe, Verdict], None]
) -> dict[str, Verdict]:
    """Run probes: the verdicts by their ids.

    Args:
        scenarios: What probes observe; those that no probe needs do not start.
        told: Called with each verdict.
    """
    needed = [scenario for name, scenario in scenarios.items() if any(one.scenario == name for one in probes)]
    for scenario in needed:
        scenario.start()
    verdicts = {}
    with ThreadPoolExecutor(_LOCAL_WORKERS if sandbox.account.local else _WORKERS) as pool:
        futures = {pool.submit(judge, one, sandbox): one for one in probes}
        try:
            for future in as_completed(futures):
                verdicts[futures[future].id] = future.result()
                told(futures[future], future.result())
        except BaseException:
            sandbox.end()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
        finally:
            # A milestone that no probe waits for any more need not be reached.
            sandbox.end()
            for scenario in needed:
                scenario.join()
    return {probe.id: verdicts[probe.id] for probe in probes}


def judge(probe: Probe, sandbox: Sandbox) -> Verdict:
    """Run one probe."""
    try:
        return probe.run(sandbox)
    except Undecided as reason:
        return undecided(str(reason), reason.question)
    except Exception as error:
        return failed(explained(error))


def explained(error: Exception) -> str:
    """The reason of an exception, in one sentence."""
    if isinstance(error, Undecided | Unavailable | Ending):
        return str(error)
    if isinstance(error, ClientError | BotoCoreError):
        return said(error)
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
