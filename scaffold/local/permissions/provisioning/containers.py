"""The calls for ECS and its scaling."""

from __future__ import annotations

from scaffold.local.permissions.provisioning.calls import ResourceCalls, Tagging

_ECS = Tagging("ecs:TagResource self", "ecs:UntagResource self", "ecs:CreateAction")
_SCALING = "application-autoscaling"

CALLS = {
    "AWS::ApplicationAutoScaling::ScalableTarget": ResourceCalls(
        _SCALING,
        "scalable-target/*",
        create="RegisterScalableTarget self",
        set="""
            +ScheduledActions RegisterScalableTarget self
            +ScheduledActions PutScheduledAction self""",
        change="""
            -ScheduledActions RegisterScalableTarget self
            -ScheduledActions DeleteScheduledAction self""",
        update="RegisterScalableTarget self",
        delete="DeregisterScalableTarget self",
        read="""
            DescribeScalableTargets
            DescribeScheduledActions
            ListTagsForResource self""",
        tagging=Tagging(f"{_SCALING}:TagResource self", f"{_SCALING}:UntagResource self"),
        keys={
            f"{_SCALING}:{action}": {f"{_SCALING}:service-namespace": "ServiceNamespace"}
            for action in (
                "RegisterScalableTarget",
                "DeregisterScalableTarget",
                "PutScheduledAction",
                "DeleteScheduledAction",
            )
        },
        not_rehearsed=("RoleARN",),
    ),
    "AWS::ApplicationAutoScaling::ScalingPolicy": ResourceCalls(
        _SCALING,
        "scalable-target/*",
        create="""
            PutScalingPolicy self
            cloudwatch:GetMetricData""",
        update="""
            PutScalingPolicy self
            cloudwatch:GetMetricData""",
        delete="""
            DescribeScalingPolicies
            DeleteScalingPolicy self""",
        read="DescribeScalingPolicies",
        keys={
            f"{_SCALING}:{action}": {f"{_SCALING}:service-namespace": "ServiceNamespace,ScalingTargetId"}
            for action in ("PutScalingPolicy", "DeleteScalingPolicy")
        },
    ),
    "AWS::ECS::Cluster": ResourceCalls(
        "ecs",
        "cluster/{id}",
        name="ClusterName",
        create="CreateCluster",  # Without permissions on resources.
        change="""
            +CapacityProviders,DefaultCapacityProviderStrategy PutClusterCapacityProviders self
            -CapacityProviders,DefaultCapacityProviderStrategy PutClusterCapacityProviders self
            +ClusterSettings UpdateClusterSettings self
            -ClusterSettings UpdateClusterSettings self""",
        update="UpdateCluster self",
        delete="""
            DeleteCluster self
            DescribeClusters self""",
        read="""
            DescribeClusters self
            ListTagsForResource self""",
        tagging=_ECS,
    ),
    "AWS::ECS::Service": ResourceCalls(
        "ecs",
        "service/{Cluster}/{id}",
        name="ServiceName",
        create="CreateService self",
        update="""
            UpdateService self
            StopServiceDeployment service-deployment/{Cluster}/{ServiceName}/*""",
        delete="""
            DeleteService self
            DescribeServices self""",
        read="""
            DescribeServiceDeployments service-deployment/{Cluster}/{ServiceName}/*
            DescribeServices self
            ListServiceDeployments self
            ListTagsForResource self""",
        tagging=_ECS,
        roles={
            "LoadBalancers/*/AdvancedConfiguration/RoleArn": "ecs",
            "Role": "ecs",
            "ServiceConnectConfiguration/Services/*/Tls/RoleArn": "ecs",
            "VolumeConfigurations/*/ManagedEBSVolume/RoleArn": "ecs",
            "VpcLatticeConfigurations/*/RoleArn": "ecs",
        },
    ),
    "AWS::ECS::TaskDefinition": ResourceCalls(
        "ecs",
        "task-definition/{Family}:*",
        create="""
            RegisterTaskDefinition
            iam:GetRole {ExecutionRoleArn} {TaskRoleArn}""",
        delete="""
            DeregisterTaskDefinition
            DescribeTaskDefinition""",
        read="""
            DescribeTaskDefinition
            ListTagsForResource self""",
        tagging=_ECS,
        roles={"ExecutionRoleArn": "ecs-tasks", "TaskRoleArn": "ecs-tasks"},
    ),
}
