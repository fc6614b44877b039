"""The step of a teardown that deletes the secrets of an environment."""

from __future__ import annotations

from scaffold.aws.secret_stores import Store, stores
from scaffold.aws.session import Session
from scaffold.console.console import Console
from scaffold.core.results import Change
from scaffold.deployment.deletion import Deletion, Kept, Report
from scaffold.deployment.secrets import owned
from scaffold.service import secret_names
from scaffold.service.service import Service


class Secrets(Deletion):
    """The values of an environment's secrets that this service has set; those of others are kept."""

    def __init__(self, session: Session, service: Service, environment: str, root_commit: str) -> None:
        self._session = session
        self._service = service
        self._prefix = secret_names.secrets(service.app_name, environment)
        self._root_commit = root_commit

    def look(self) -> Report:
        """Those that exist."""
        report = Report()
        for store in stores(self._session):
            for path in self._paths(store):
                self._judge(store, path, report)
        return report

    def do(self, report: Report, console: Console) -> None:
        """Delete its own."""
        for store in stores(self._session):
            for path in self._paths(store):
                judged = Report()
                self._judge(store, path, judged)
                report.kept += judged.kept
                for change in judged.changes:
                    store.delete(path)
                    report.record(change, console)

    def _paths(self, store: Store) -> list[str]:
        return sorted(one.path for one in store.below(self._prefix) if not one.deleted)

    def _judge(self, store: Store, path: str, report: Report) -> None:
        found = store.find(path)
        if found is None:
            return
        if owned(found, self._service, self._root_commit):
            report.changes.append(Change(store.name, path, "delete"))
        else:
            report.kept.append(Kept(store.name, path, "foreign"))
