"""The calls for builds, pipelines and rules of EventBridge."""

from __future__ import annotations

from scaffold.local.permissions.provisioning.calls import ResourceCalls, Tagging

CALLS = {
    # CodeBuild has no calls of their own for tags.
    "AWS::CodeBuild::Project": ResourceCalls(
        "codebuild",
        "project/{id}",
        name="Name",
        create="CreateProject self",
        update="UpdateProject self",
        delete="DeleteProject self",
        read="BatchGetProjects self",
        roles={"ServiceRole": "codebuild", "BuildBatchConfig/ServiceRole": "codebuild"},
        passes_always=True,
        not_rehearsed=("ResourceAccessRole", "Triggers", "Visibility"),
    ),
    "AWS::CodeBuild::ReportGroup": ResourceCalls(
        "codebuild",
        "report-group/{id}",
        name="Name",
        create="CreateReportGroup self",
        update="UpdateReportGroup self",
        delete="""
            BatchGetReportGroups self
            ?DeleteReports ListReportsForReportGroup self
            ?DeleteReports DeleteReport self
            DeleteReportGroup self""",
        read="BatchGetReportGroups self",
    ),
    "AWS::CodePipeline::Pipeline": ResourceCalls(
        "codepipeline",
        "{id}",
        name="Name",
        create="""
            CreatePipeline self
            iam:GetRole {RoleArn}""",
        update="""
            UpdatePipeline self
            iam:GetRole {RoleArn}
            ?RestartExecutionOnUpdate StartPipelineExecution self""",
        delete="""
            GetPipeline self
            DeletePipeline self""",
        read="""
            GetPipeline self
            GetPipelineState self
            ListTagsForResource self""",
        tagging=Tagging("codepipeline:TagResource self", "codepipeline:UntagResource self"),
        roles={"RoleArn": "codepipeline", "Stages/*/Actions/*/RoleArn": "codepipeline"},
        passes_always=True,
        not_rehearsed=("DisableInboundStageTransitions",),
    ),
    "AWS::Events::Rule": ResourceCalls(
        "events",
        "rule/{id}",
        name="Name",
        create="PutRule self",
        set="+Targets PutTargets self",
        change="""
            -Targets ListTargetsByRule self
            -Targets RemoveTargets self""",
        update="PutRule self",
        delete="""
            DescribeRule self
            ListTargetsByRule self
            RemoveTargets self
            DeleteRule self""",
        read="""
            DescribeRule self
            ListTagsForResource self""",
        tagging=Tagging("events:TagResource self", "events:UntagResource self"),
        roles={"RoleArn": "events", "Targets/*/RoleArn": "events"},
        not_rehearsed=("EventBusName",),
    ),
}
