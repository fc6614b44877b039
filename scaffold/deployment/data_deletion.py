"""The steps of a teardown that delete the data of an environment, if it was asked for, or keep it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scaffold.aws.data_stores import DataStore, data_stores
from scaffold.aws.databases import Snapshots
from scaffold.aws.session import Session
from scaffold.console.console import Console
from scaffold.core.results import Change
from scaffold.deployment.deletion import Deletion, Kept, Report
from scaffold.deployment.inventory import Inventory
from scaffold.service import names
from scaffold.service.service import Service
from scaffold.service.stack_kinds import DATABASE


class Data(Deletion):
    """An environment's data, also what its stacks have left behind, snapshots among it; that of others is kept.

    Only data has names that begin like these. It is found by them and not in the stacks: these retain it.
    """

    def __init__(self, session: Session, service: Service, environment: str) -> None:
        self._session = session
        self._prefix = names.data(service.app_name, environment)
        self._owner = {names.TAG_SERVICE: service.app_name, names.TAG_ENVIRONMENT: environment}

    def look(self) -> Report:
        """What exists of it."""
        report = Report()
        for store, identifier, own in self._found():
            if own:
                report.changes.append(Change(store.type, identifier, "delete"))
            else:
                report.kept.append(Kept(store.type, identifier, "foreign"))
        return report

    def do(self, report: Report, console: Console) -> None:
        """Delete its own."""
        for store, identifier, own in self._found():
            if own:
                store.delete(identifier)
                report.record(Change(store.type, identifier, "delete"), console)
            else:
                report.kept.append(Kept(store.type, identifier, "foreign"))

    def _found(self) -> Iterator[tuple[DataStore, str, bool]]:
        # Snapshots are looked for always: the service's files may have no database any more.
        for store in (*data_stores(self._session), Snapshots(self._session)):
            for identifier in store.find(self._prefix):
                tags = store.tags(identifier)
                yield store, identifier, all(tags.get(key) == value for key, value in self._owner.items())


class KeptData(Deletion):
    """The stacks of an environment's data, which stay where only the environment is deleted."""

    def __init__(self, inventory: Inventory, environment: str) -> None:
        found = (
            stack
            for one, stack in inventory.stacks.items()
            if one.kind.data and one.kind is not DATABASE and one.environment == environment
        )
        self._kept = [Kept("stack", stack.name, "data") for stack in found]

    def look(self) -> Report:
        """Those that exist."""
        return Report(kept=list(self._kept))

    def do(self, report: Report, console: Console) -> None:
        """Keep them."""
        del console
        report.kept += self._kept


def data_steps(
    session: Session,
    service: Service,
    inventory: Inventory,
    environments: Sequence[str],
    *,
    whole: bool,
    with_data: bool,
) -> list[Deletion]:
    """What becomes of the data of environments, after their stacks.

    Without `with_data`, its stacks stay where only an environment is deleted, and leave it behind where the whole
    service is.
    """
    if with_data:
        return [Data(session, service, environment) for environment in environments]
    return [] if whole else [KeptData(inventory, environment) for environment in environments]
