"""The credentials, and the account and region to which they lead."""

from __future__ import annotations

import difflib
import os
import shlex
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import boto3  # type: ignore[import-untyped]
import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

from scaffold.aws import codecommit, session
from scaffold.aws.cloudformation import stacks
from scaffold.aws.errors import PERMISSIONS, may_pass, says_denied, says_not_accepted, translate
from scaffold.aws.service_quotas import Quota, Unreadable
from scaffold.aws.session import Session
from scaffold.core.errors import ScaffoldError
from scaffold.core.target import Target
from scaffold.deployment import first_run
from scaffold.deployment.domain_checks import check_domains
from scaffold.deployment.network_checks import check_networks
from scaffold.doctor import permissions
from scaffold.doctor.findings import Finding, failed, not_checked, ok, refused, warning
from scaffold.service import names
from scaffold.service.service import Service

HOME_REGION = "us-east-1"  # Enabled in each account of the partition aws.
_WAITS = "Waits for credentials."
_NEEDED = ("cloudformation", "codebuild", "codecommit", "codepipeline", "ecr", "ecs", "elbv2")


def configured_region(profile: str | None) -> str | None:
    """The region of the user's configuration; None where there is none, or it cannot be read."""
    # The AWS CLI reads this variable first; the SDK does not read it.
    if region := os.environ.get("AWS_REGION"):
        return region
    try:
        return boto3.Session(profile_name=profile).region_name or None
    except (BotoCoreError, ValueError):
        return None


class Account:
    """The checks of one account.

    Args:
        target: The account and region to look at.
        service: The service that is to be deployed there, if any.
        configured: The region of the user's configuration, if any.

    Attributes:
        session: The caller, once the check of the credentials has succeeded.
    """

    def __init__(self, target: Target, service: Service | None, configured: str | None) -> None:
        self.session: Session | None = None
        self._target, self._service, self._configured = target, service, configured
        self._disabled = False

    def credentials(self) -> Finding:
        """Whose credentials they are."""
        try:
            self.session = session.identify(self._target)
        except ScaffoldError as error:
            # A region that is not enabled knows no credentials of the account.
            if says_not_accepted(error) and self._target.region != HOME_REGION:
                try:
                    caller = session.identify(replace(self._target, region=HOME_REGION)).caller
                except ScaffoldError:
                    return refused(error)
                self._disabled = True
                return ok(f"They are those of {caller}.")
            return refused(error)
        return ok(f"They are those of {self.session.caller}.")

    @staticmethod
    def silent(seconds: float) -> Finding:
        """No answer about the credentials in time."""
        return failed(
            f"AWS, or the source of the credentials, gave no answer within {seconds:g} seconds.",
            "Check the network, the proxy and AWS_ENDPOINT_URL, and whether `aws sts get-caller-identity` works.",
        )

    def account(self) -> Finding:
        """Whether it is the account of the service."""
        if self.session is None:
            return self._unknown
        if self._service is None:
            return ok(f"They lead to {_title(self.session)}.")
        try:
            session.check_account(self._service, self.session)
        except ScaffoldError as error:
            return refused(error)
        may = "the only one of the answers" if self._service.account else "and the answers allow any account"
        return ok(f"They lead to {_title(self.session)}" + ("." if self.session.target.local else f", {may}."))

    def region(self) -> Finding:
        """Whether the region exists, is enabled, and has the services that a deployment needs."""
        region = self._target.region
        if self._service is None and self._configured is None:
            profile = f" --profile {shlex.quote(self._target.profile)}" if self._target.profile else ""
            return warning("No region is configured.", f"`aws configure set region {region}{profile}`")
        if self._disabled:
            return failed(
                f"{region} is not enabled in the account.", f"`aws account enable-region --region-name {region}`"
            )
        if self.session is None and region not in _regions("sts"):
            nearest = difflib.get_close_matches(region, _regions("sts"), 1)
            return failed(
                f"AWS has no region {region}.",
                f"Did you mean {nearest[0]}? {self._other_region}" if nearest else self._other_region,
            )
        if self.session is None:
            return not_checked(_WAITS)
        lacking = [one for one in _NEEDED if region not in _regions(one)]
        if lacking and not self.session.target.local:
            return warning(
                f"The AWS SDK on this machine knows no endpoint of {', '.join(lacking)} in {region}.",
                f"Upgrade gitops-scaffold and botocore; if it stays, choose another region. {self._other_region}",
            )
        if self._service and self._configured and self._configured != region:
            return ok(f"{region} is the service's; without `--region`, the AWS CLI works in {self._configured}.")
        return ok(f"{region} has the services that a deployment needs.")

    def codecommit(self) -> Finding:
        """Whether the account is one for which CodeCommit creates repositories."""

        def look(caller: Session) -> Finding:
            if self._service and codecommit.find(caller, self._service.app_name):
                return ok(f"The repository {names.repository(self._service.app_name)} exists.")
            try:
                in_use = codecommit.is_in_use(caller)
            except ClientError as error:
                if not says_denied(error):
                    raise
                return not_checked(
                    "Whether the account has repositories is not known: AWS denied codecommit:ListRepositories.",
                    "Allow codecommit:ListRepositories, or deploy: CodeCommit says then whether it creates one.",
                )
            if caller.target.local:
                return ok("Local AWS creates repositories.")
            if in_use:
                return ok("The account has repositories, so that CodeCommit creates more.")
            return not_checked(
                "The account has no repository yet, and whether CodeCommit creates the first one shows then only.",
                "Run `scaffold deploy`: it creates the repository before anything that costs.",
            )

        return self._signed_in(look)

    def quotas(self, service: Service) -> Finding:
        """The quotas for the first run of the environments that are not deployed."""

        def look(caller: Session) -> Finding:
            try:
                found = first_run.find_too_small(caller, service, stacks.find_all(caller))
            except Unreadable as error:
                return not_checked(
                    f"The quotas could not be read ({error}).",
                    f"Allow what reads them, as in the statement `Quotas` of {PERMISSIONS}.",
                )
            if not found:
                return ok("The quotas suffice for the environments that are not deployed yet.")
            sentence = " ".join(first_run.describe(one) for one in found)
            fix = f"`{'; '.join(first_run.increase_command(caller, one) for one in found)}`"
            return failed(sentence, fix) if any(map(_stops, found)) else warning(sentence, fix)

        return self._signed_in(look)

    def networks(self, service: Service) -> Finding:
        """Whether new environments and builds can be in their networks."""

        def look(caller: Session) -> Finding:
            try:
                warnings = check_networks(caller, service, stacks.find_all(caller))
            except ScaffoldError as error:
                return refused(error)
            if warnings:
                return warning(" ".join(one.sentence for one in warnings), "If that is meant, deploy all the same.")
            return ok("The networks of environments and builds fit.")

        return self._signed_in(look)

    def domains(self, service: Service) -> Finding:
        """Whether hosted zones and certificates fit the names of environments that are not deployed yet."""

        def look(caller: Session) -> Finding:
            try:
                check_domains(caller, service, stacks.find_all(caller))
            except ScaffoldError as error:
                return refused(error)
            if caller.target.local:
                return ok("Local AWS needs no hosted zones and certificates of yours.")
            return ok("Hosted zones and certificates fit the names of the environments.")

        return self._signed_in(look)

    def permissions(self, service: Service) -> Finding:
        """What the caller may do."""
        return self._signed_in(lambda caller: permissions.permissions(caller, service))

    def _signed_in(self, look: Callable[[Session], Finding]) -> Finding:
        if self.session is None:
            return self._unknown
        try:
            return look(self.session)
        except (BotoCoreError, ClientError) as error:
            known = translate(error)
            if isinstance(error, ClientError) and (says_denied(error) or may_pass(error)):
                return not_checked(known.happened, known.remedy)
            return refused(known)

    @property
    def _unknown(self) -> Finding:
        return not_checked("Waits for an enabled region." if self._disabled else _WAITS)

    @property
    def _other_region(self) -> str:
        if self._service:
            return "A service keeps its region: generate it again with `scaffold new --data aws_region=REGION`."
        return "Set it with `aws configure set region REGION`, or AWS_REGION."


def _title(caller: Session) -> str:
    return "local AWS" if caller.target.local else f"account {caller.account}"


def _stops(quota: Quota) -> bool:
    """Whether a first run fails: something is used up, or there is nothing. Otherwise it is slow, or limited."""
    return quota.used is not None or quota.value == 0


@cache
def _regions(service_name: str) -> list[str]:
    """The regions of a service in all partitions, as the SDK on this machine knows them."""
    core = _core()
    partitions = core.get_available_partitions()
    return [region for one in partitions for region in core.get_available_regions(service_name, one)]


@cache
def _core() -> botocore.session.Session:
    return botocore.session.get_session()
