"""The API calls that CloudFormation makes for each resource type of the stacks.

From the `handlers` of the types' public schemas (August 2026), without the calls for properties that the stacks do not
use. The deploy role makes them, or for the foundation the person who deploys it. CodeBuild's types have no handlers
there: their calls are those of the API to create, read, update and delete.
A missing type fails the test, so that a new resource comes with its permissions.
"""

from __future__ import annotations

CALLS: dict[str, str] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": """
        application-autoscaling:DeregisterScalableTarget application-autoscaling:DescribeScalableTargets
        application-autoscaling:DescribeScheduledActions application-autoscaling:ListTagsForResource
        application-autoscaling:RegisterScalableTarget application-autoscaling:TagResource
        application-autoscaling:UntagResource""",
    "AWS::ApplicationAutoScaling::ScalingPolicy": """
        application-autoscaling:DeleteScalingPolicy application-autoscaling:DescribeScalingPolicies
        application-autoscaling:PutScalingPolicy cloudwatch:GetMetricData""",
    "AWS::CloudWatch::Alarm": """
        cloudwatch:DeleteAlarms cloudwatch:DescribeAlarms cloudwatch:ListTagsForResource cloudwatch:PutMetricAlarm
        cloudwatch:TagResource cloudwatch:UntagResource""",
    "AWS::CloudWatch::Dashboard": """
        cloudwatch:DeleteDashboards cloudwatch:GetDashboard cloudwatch:ListTagsForResource cloudwatch:PutDashboard
        cloudwatch:TagResource cloudwatch:UntagResource""",
    "AWS::CodeBuild::Project": """
        codebuild:BatchGetProjects codebuild:CreateProject codebuild:DeleteProject codebuild:UpdateProject
        iam:PassRole""",
    "AWS::CodeBuild::ReportGroup": """
        codebuild:BatchGetReportGroups codebuild:CreateReportGroup codebuild:DeleteReport codebuild:DeleteReportGroup
        codebuild:ListReportsForReportGroup codebuild:UpdateReportGroup""",
    "AWS::CodePipeline::Pipeline": """
        codepipeline:CreatePipeline codepipeline:DeletePipeline codepipeline:GetPipeline codepipeline:GetPipelineState
        codepipeline:ListTagsForResource codepipeline:StartPipelineExecution codepipeline:TagResource
        codepipeline:UntagResource codepipeline:UpdatePipeline iam:GetRole iam:PassRole""",
    "AWS::EC2::EIP": """
        ec2:AllocateAddress ec2:CreateTags ec2:DeleteTags ec2:DescribeAddresses ec2:DescribeTags
        ec2:DisassociateAddress ec2:ReleaseAddress""",
    "AWS::EC2::InternetGateway": """
        ec2:CreateInternetGateway ec2:CreateTags ec2:DeleteInternetGateway ec2:DeleteTags
        ec2:DescribeInternetGateways""",
    "AWS::EC2::NatGateway": """
        ec2:CreateNatGateway ec2:CreateTags ec2:DeleteNatGateway ec2:DeleteTags ec2:DescribeNatGateways""",
    "AWS::EC2::Route": """
        ec2:CreateRoute ec2:DeleteRoute ec2:DescribeNetworkInterfaces ec2:DescribeRouteTables ec2:ReplaceRoute""",
    "AWS::EC2::RouteTable": """
        ec2:CreateRouteTable ec2:CreateTags ec2:DeleteRouteTable ec2:DeleteTags ec2:DescribeRouteTables""",
    "AWS::EC2::SecurityGroup": """
        ec2:AuthorizeSecurityGroupEgress ec2:AuthorizeSecurityGroupIngress ec2:CreateSecurityGroup ec2:CreateTags
        ec2:DeleteSecurityGroup ec2:DeleteTags ec2:DescribeInstances ec2:DescribeSecurityGroups
        ec2:RevokeSecurityGroupEgress ec2:RevokeSecurityGroupIngress ec2:UpdateSecurityGroupRuleDescriptionsEgress
        ec2:UpdateSecurityGroupRuleDescriptionsIngress""",
    "AWS::EC2::Subnet": """
        ec2:CreateSubnet ec2:CreateTags ec2:DeleteSubnet ec2:DeleteTags ec2:DescribeNetworkAcls ec2:DescribeSubnets
        ec2:ModifySubnetAttribute""",
    "AWS::EC2::SubnetRouteTableAssociation": """
        ec2:AssociateRouteTable ec2:DescribeRouteTables ec2:DescribeSubnets ec2:DisassociateRouteTable
        ec2:ReplaceRouteTableAssociation""",
    "AWS::EC2::VPC": """
        ec2:CreateTags ec2:CreateVpc ec2:DeleteTags ec2:DeleteVpc ec2:DescribeNetworkAcls ec2:DescribeSecurityGroups
        ec2:DescribeVpcAttribute ec2:DescribeVpcEncryptionControls ec2:DescribeVpcs ec2:ModifyVpcAttribute""",
    "AWS::EC2::VPCEndpoint": """
        ec2:CreateTags ec2:CreateVpcEndpoint ec2:DeleteTags ec2:DeleteVpcEndpoints ec2:DescribeVpcEndpoints
        ec2:ModifyVpcEndpoint""",
    "AWS::EC2::VPCGatewayAttachment": """
        ec2:AttachInternetGateway ec2:DescribeInternetGateways ec2:DescribeVpnGateways ec2:DetachInternetGateway""",
    "AWS::ECR::Repository": """
        ecr:CreateRepository ecr:DeleteLifecyclePolicy ecr:DeleteRepository ecr:DescribeRepositories
        ecr:GetLifecyclePolicy ecr:GetRepositoryPolicy ecr:ListTagsForResource ecr:PutImageTagMutability
        ecr:PutLifecyclePolicy ecr:TagResource ecr:UntagResource""",
    "AWS::ECS::Cluster": """
        ecs:CreateCluster ecs:DeleteCluster ecs:DescribeClusters ecs:ListTagsForResource
        ecs:PutClusterCapacityProviders ecs:TagResource ecs:UntagResource ecs:UpdateCluster
        ecs:UpdateClusterSettings""",
    "AWS::ECS::Service": """
        ecs:CreateService ecs:DeleteService ecs:DescribeServiceDeployments ecs:DescribeServices
        ecs:ListServiceDeployments ecs:ListTagsForResource ecs:StopServiceDeployment ecs:TagResource
        ecs:UntagResource ecs:UpdateService iam:PassRole""",
    "AWS::ECS::TaskDefinition": """
        ecs:DeregisterTaskDefinition ecs:DescribeTaskDefinition ecs:ListTagsForResource ecs:RegisterTaskDefinition
        ecs:TagResource ecs:UntagResource iam:GetRole iam:PassRole""",
    "AWS::ElasticLoadBalancingV2::Listener": """
        elasticloadbalancing:AddTags elasticloadbalancing:CreateListener elasticloadbalancing:DeleteListener
        elasticloadbalancing:DescribeListenerAttributes elasticloadbalancing:DescribeListeners
        elasticloadbalancing:DescribeTags elasticloadbalancing:ModifyListener
        elasticloadbalancing:ModifyListenerAttributes elasticloadbalancing:RemoveTags""",
    "AWS::ElasticLoadBalancingV2::ListenerRule": """
        elasticloadbalancing:AddTags elasticloadbalancing:CreateRule elasticloadbalancing:DeleteRule
        elasticloadbalancing:DescribeRules elasticloadbalancing:DescribeTags elasticloadbalancing:ModifyRule
        elasticloadbalancing:RemoveTags elasticloadbalancing:SetRulePriorities""",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": """
        elasticloadbalancing:AddTags elasticloadbalancing:CreateLoadBalancer elasticloadbalancing:DeleteLoadBalancer
        elasticloadbalancing:DescribeCapacityReservation elasticloadbalancing:DescribeLoadBalancerAttributes
        elasticloadbalancing:DescribeLoadBalancers elasticloadbalancing:DescribeTags
        elasticloadbalancing:ModifyLoadBalancerAttributes elasticloadbalancing:RemoveTags
        elasticloadbalancing:SetSecurityGroups elasticloadbalancing:SetSubnets""",
    "AWS::ElasticLoadBalancingV2::TargetGroup": """
        ec2:DescribeVpcs elasticloadbalancing:AddTags elasticloadbalancing:CreateTargetGroup
        elasticloadbalancing:DeleteTargetGroup
        elasticloadbalancing:DescribeTags elasticloadbalancing:DescribeTargetGroupAttributes
        elasticloadbalancing:DescribeTargetGroups elasticloadbalancing:DescribeTargetHealth
        elasticloadbalancing:ModifyTargetGroup elasticloadbalancing:ModifyTargetGroupAttributes
        elasticloadbalancing:RemoveTags""",
    "AWS::Events::Rule": """
        events:DeleteRule events:DescribeRule events:ListTagsForResource events:ListTargetsByRule events:PutRule
        events:PutTargets events:RemoveTargets events:TagResource events:UntagResource iam:PassRole""",
    "AWS::IAM::ManagedPolicy": """
        iam:AttachRolePolicy iam:CreatePolicy iam:CreatePolicyVersion iam:DeletePolicy iam:DeletePolicyVersion
        iam:DetachRolePolicy iam:GetPolicy iam:GetPolicyVersion iam:ListEntitiesForPolicy iam:ListPolicyVersions""",
    "AWS::IAM::Role": """
        iam:AttachRolePolicy iam:CreateRole iam:DeleteRole iam:DeleteRolePolicy iam:DetachRolePolicy iam:GetRole
        iam:GetRolePolicy iam:ListAttachedRolePolicies iam:ListRolePolicies iam:ListRoleTags
        iam:PutRolePermissionsBoundary iam:PutRolePolicy iam:TagRole iam:UntagRole iam:UpdateAssumeRolePolicy
        iam:UpdateRole iam:UpdateRoleDescription""",
    "AWS::KMS::Key": """
        kms:CreateKey kms:DescribeKey kms:DisableKeyRotation kms:EnableKeyRotation kms:GetKeyPolicy
        kms:GetKeyRotationStatus kms:ListResourceTags kms:PutKeyPolicy kms:ScheduleKeyDeletion kms:TagResource
        kms:UntagResource kms:UpdateKeyDescription""",
    "AWS::Logs::LogGroup": """
        logs:CreateLogGroup logs:DeleteDataProtectionPolicy logs:DeleteLogGroup logs:DeleteRetentionPolicy
        logs:DescribeIndexPolicies logs:DescribeLogGroups logs:DescribeResourcePolicies logs:GetDataProtectionPolicy
        logs:ListTagsForResource logs:PutRetentionPolicy logs:TagResource logs:UntagResource""",
    "AWS::S3::Bucket": """
        s3:CreateBucket s3:DeleteBucket s3:GetAccelerateConfiguration s3:GetAnalyticsConfiguration s3:GetBucketAbac
        s3:GetBucketAcl s3:GetBucketCORS s3:GetBucketLogging s3:GetBucketMetadataTableConfiguration
        s3:GetBucketNotification s3:GetBucketObjectLockConfiguration s3:GetBucketOwnershipControls
        s3:GetBucketPublicAccessBlock s3:GetBucketTagging s3:GetBucketVersioning s3:GetBucketWebsite
        s3:GetEncryptionConfiguration s3:GetIntelligentTieringConfiguration s3:GetInventoryConfiguration
        s3:GetLifecycleConfiguration s3:GetMetricsConfiguration s3:GetReplicationConfiguration s3:ListBucket
        s3:ListTagsForResource s3:PutBucketOwnershipControls s3:PutBucketPublicAccessBlock s3:PutBucketTagging
        s3:PutEncryptionConfiguration s3:PutLifecycleConfiguration s3:TagResource s3:UntagResource""",
    "AWS::S3::BucketPolicy": "s3:DeleteBucketPolicy s3:GetBucketPolicy s3:PutBucketPolicy",
    "AWS::SNS::Subscription": "sns:GetSubscriptionAttributes sns:Subscribe sns:Unsubscribe",
    "AWS::SNS::Topic": """
        sns:CreateTopic sns:DeleteTopic sns:GetDataProtectionPolicy sns:GetTopicAttributes
        sns:ListSubscriptionsByTopic sns:ListTagsForResource sns:SetTopicAttributes sns:TagResource
        sns:UntagResource""",
    "AWS::SNS::TopicPolicy": "sns:SetTopicAttributes",
}

# Calls whose resource is not known in advance, and calls that CloudFormation makes for all resources.
UNNAMED = (
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "ec2:AllocateAddress",
    "ec2:Create*",
    "ec2:Describe*",
    "ecs:CreateCluster",
    "ecs:DeregisterTaskDefinition",
    "ecs:DescribeTaskDefinition",
    "ecs:RegisterTaskDefinition",
    "elasticloadbalancing:CreateLoadBalancer",
    "elasticloadbalancing:CreateTargetGroup",
    "elasticloadbalancing:Describe*",
    "kms:CreateKey",
    "logs:Describe*",
    "logs:GetDataProtectionPolicy",
    "sns:GetSubscriptionAttributes",
    "sns:Unsubscribe",
)


def calls(type_name: str) -> list[str]:
    """The calls of a resource type.

    Raises:
        KeyError: The type is missing in CALLS; add its handlers.
    """
    return CALLS[type_name].split()
