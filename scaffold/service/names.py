"""Every AWS name that is derived from a service's name, except its stacks' (see stack_kinds).

Templates, scripts and policies of the kit spell the same names in CloudFormation; a test compares the two.
"""

from __future__ import annotations

import re

BRANCH = "main"
# The actions of a pipeline that promotes by branches: in the stage of an environment's plan, one opens the pull request
# to its branch, or in the environment's stage, the other one moves the branch by itself.
PULL_REQUEST_ACTION = "PullRequest"
MOVE_ACTION = "Branch"
# The action of an environment's stage that starts its tasks, and the one after it where people approve while they run.
SERVICE_ACTION = "Service"
END_PAUSE_ACTION = "EndPause"
#: The action that migrates an environment's database.
MIGRATE_ACTION = "Migrate"
TAG_SERVICE = "gitops-scaffold:service"
TAG_ENVIRONMENT = "gitops-scaffold:environment"
# Of what has no stack to show the root commit.
TAG_ROOT_COMMIT = "gitops-scaffold:root-commit"
# The parameter of the foundation, and the output of every stack, that holds the root commit of the service's main.
ROOT_COMMIT = "RootCommit"
# The output of the placeholder from which `scaffold deploy` creates an environment's stack; a released stack has none.
PREPARED = "Prepared"
# The parameter by which `scaffold deploy` recognises the template and the stack policy that it has deployed. Who else
# deploys the stack, such as the pipeline, leaves it unknown.
TEMPLATE_DIGEST = "TemplateDigest"
UNKNOWN_DIGEST = "unknown"
# The parameter of the checks' stack with the commit that pipeline, builds and scripts were deployed from.
SOURCE_COMMIT = "SourceCommit"
# The parameter of an environment's stack by which a release protects the load balancer from deletion.
PROTECT_LOAD_BALANCER = "ProtectLoadBalancer"
# The approvals that a pull request needs: of people, and of the verdict on its builds.
REVIEW_RULE = "review"
CHECKS_RULE = "checks"
APPROVAL_RULES = (REVIEW_RULE, CHECKS_RULE)
# The stages before the pipeline's update of itself: the merge gate, and the approval of a commit that it stops.
GATE_STAGE = "Gate"
GATE_APPROVAL_STAGE = "Approve-Gate"
# The action of the merge gate that runs what is deployed.
GATE_ACTION = "Compare"
# The pipeline's stage that updates its own stacks.
SELF_UPDATE_STAGE = "SelfUpdate"
# The parameter of the foundation with patterns of the roles that may approve releases.
APPROVERS = "Approvers"
# In place of an environment's name, where a name belongs to the pipeline and its builds; no environment has it.
DELIVERY = "delivery"
# The tag of a key whose deletion was scheduled.
TAG_DELETION_SCHEDULED = "gitops-scaffold:deletion-scheduled"

APP_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
# No dash: `{app}-{environment}-service` can then be split in one way only.
ENVIRONMENT_NAME = re.compile(r"[a-z][a-z0-9]{1,11}")

# The roles that ECS, load balancers and scaling need in an account: service principal → role.
SERVICE_LINKED_ROLES = {
    "ecs.amazonaws.com": "AWSServiceRoleForECS",
    "elasticloadbalancing.amazonaws.com": "AWSServiceRoleForElasticLoadBalancing",
    "ecs.application-autoscaling.amazonaws.com": "AWSServiceRoleForApplicationAutoScaling_ECSService",
}
#: Of services with databases.
DATABASE_LINKED_ROLES = {"rds.amazonaws.com": "AWSServiceRoleForRDS"}

# Fixed names, so that a change set of an interrupted run is found and replaced.
DEPLOY_CHANGE_SET = "scaffold-deploy"
PLAN_CHANGE_SET = "scaffold-plan"
REPAIR_CHANGE_SET = "scaffold-repair"


def repository(app: str) -> str:
    """The CodeCommit repository; the ECR repository and the pipeline have the same name."""
    return app


def pipeline(app: str) -> str:
    """The CodePipeline pipeline."""
    return app


def pipeline_stage(environment: str) -> str:
    """The pipeline's stage for an environment: its title."""
    return environment[:1].upper() + environment[1:]


def plan_stage(environment: str) -> str:
    """The pipeline's stage that plans a release to an environment; not every environment has one."""
    return f"Plan-{pipeline_stage(environment)}"


def approval_stage(environment: str) -> str:
    """The pipeline's stage in which a release to an environment waits for approval; not every environment has one."""
    return f"Approve-{pipeline_stage(environment)}"


def environment_branch(environment: str) -> str:
    """The branch that an environment follows where branches promote releases."""
    return f"env/{environment}"


def data_stage(environment: str) -> str:
    """The pipeline's stage that releases an environment's data; only services with data have it."""
    return f"Data-{pipeline_stage(environment)}"


def stages_of(environment: str) -> tuple[str, ...]:
    """The pipeline's stages for an environment; without approval and data, it has only the last of them."""
    return plan_stage(environment), approval_stage(environment), data_stage(environment), pipeline_stage(environment)


def approval_rule_template(app: str, rule: str) -> str:
    """The CodeCommit approval rule template of one of `APPROVAL_RULES`."""
    return f"{app}-{rule}"


def release_tag(release: str) -> str:
    """The Git tag of a release with a name."""
    return f"v{release}"


def release_record(release: str) -> str:
    """Where the artifact bucket has the record of a release with a name."""
    return f"releases/{release}/release.json"


def release_approval(release: str, environment: str, user: str) -> str:
    """Where the artifact bucket has who approved a release while its tasks ran in an environment.

    Args:
        user: The id of the caller as STS has it, which is `aws:userid` in policies.
    """
    return f"releases/{release}/approvals/{environment}/{user}.json"


def notification_topic(app: str) -> str:
    """The SNS topic for approvals, failures and alarms."""
    return f"{app}-notifications"


def cluster(app: str, environment: str) -> str:
    """An environment's ECS cluster; its service and its task definition family have the same name."""
    return f"{app}-{environment}"


def alarm(app: str, environment: str | None = None) -> str:
    """The beginning of the names of alarms: of an environment's, or of all that the service has."""
    return f"{app}-{environment}-" if environment else f"{app}-"


def restored_database(app: str, environment: str) -> str:
    """The stack of the database that is restored beside an environment's, and its cluster."""
    return f"{app}-{environment}-restored"


def migration_family(app: str, environment: str) -> str:
    """Family of the task definitions that migrate an environment's database.

    No name of a service or an environment has two dashes, so that no other service's environment has this family.
    """
    return f"{task_family(app, environment)}--migrate"


def task_family(app: str, environment: str) -> str:
    """The family of an environment's task definitions."""
    return f"{app}-{environment}"


def log_group(app: str, environment: str) -> str:
    """The log group of an environment's tasks."""
    return f"/{app}/{environment}"


def dashboard(app: str, environment: str) -> str:
    """An environment's CloudWatch dashboard."""
    return f"{app}-{environment}"


def container_insights_log_group(app: str, environment: str) -> str:
    """The log group that ECS itself creates for a cluster with Container Insights."""
    return f"/aws/ecs/containerinsights/{cluster(app, environment)}/performance"


def verdict_role(app: str) -> str:
    """The role whose approval the approval rule of the checks needs."""
    return f"{app}-pr-verdict"


def iam_path(app: str) -> str:
    """The IAM path of the service's policies; the paths of its roles begin with it."""
    return f"/{app}/"


def role_path(app: str, environment: str | None) -> str:
    """The IAM path of the roles of an environment, or of the pipeline and its builds for None."""
    return f"/{app}/{environment or DELIVERY}/"


def boundary_policy(app: str, environment: str | None) -> str:
    """The permissions boundary of the roles with that path."""
    return f"{app}-{environment or DELIVERY}-boundary"


def deploy_role(app: str, environment: str | None) -> str:
    """The path and name of the role that CloudFormation assumes for an environment's stacks, or for those of the
    pipeline and its builds for None.
    """
    return f"/{app}/deploy/{app}-{environment or DELIVERY}-deploy"


def data_role(app: str, environment: str) -> str:
    """The path and name of the role that CloudFormation assumes for an environment's data."""
    return f"/{app}/deploy/{app}-{environment}-deploy-data"


def data(app: str, environment: str) -> str:
    """What the names of an environment's buckets, queues and tables begin with, and no other name does."""
    return f"{app}-{environment}--"


def template_key(stack: str) -> str:
    """Where the artifact bucket keeps a template that is too large to be sent inline."""
    return f"scaffold/templates/{stack}.yaml"


def remote_url(app: str, region: str, profile: str | None = None) -> str:
    """The address of the CodeCommit repository for git-remote-codecommit.

    Args:
        app: The service's name.
        region: The service's region.
        profile: The AWS profile that Git should use; None for the standard credentials.
    """
    return f"codecommit::{region}://{profile}@{repository(app)}" if profile else f"codecommit::{region}://{app}"
