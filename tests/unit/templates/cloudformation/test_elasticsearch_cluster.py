# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

from .conftest import Template, resources


def test_each_node_has_a_zone_of_its_own(search_template: Template) -> None:
    groups = resources(search_template, "AutoScaling::AutoScalingGroup")
    nodes = [groups[name] for name in ("FirstNodeGroup", "SecondNodeGroup", "ThirdNodeGroup")]
    assert [group["VPCZoneIdentifier"] for group in nodes] == [
        [{"Fn::Select": [number, {"Ref": "SubnetIds"}]}] for number in range(3)
    ]
    assert {(group["MinSize"], group["MaxSize"], group["DesiredCapacity"]) for group in nodes} == {("1", "1", "1")}


def test_two_nodes_are_refused(search_template: Template) -> None:
    assert search_template["Parameters"]["Nodes"]["AllowedValues"] == [1, 3]


def test_only_members_clients_and_processors_reach_the_nodes(search_template: Template) -> None:
    rules = resources(search_template, "EC2::SecurityGroup")["NodeSecurityGroup"]["SecurityGroupIngress"]
    assert [(rule["FromPort"], rule["ToPort"], str(rule["SourceSecurityGroupId"])) for rule in rules] == [
        (9200, 9200, "{'Fn::GetAtt': ['ClientSecurityGroup', 'GroupId']}"),
        (9200, 9200, "{'Ref': 'ProcessorSecurityGroupId'}"),
        (9200, 9200, "{'Fn::GetAtt': ['MemberSecurityGroup', 'GroupId']}"),
        (9300, 9300, "{'Fn::GetAtt': ['MemberSecurityGroup', 'GroupId']}"),
    ]


def test_kibana_is_reached_through_the_load_balancer_only(search_template: Template) -> None:
    groups = resources(search_template, "EC2::SecurityGroup")
    condition, rules, otherwise = groups["KibanaSecurityGroup"]["SecurityGroupIngress"]["Fn::If"]
    assert condition == "HasLoadBalancer"
    assert [rule["SourceSecurityGroupId"] for rule in rules] == [
        {"Fn::GetAtt": ["LoadBalancerSecurityGroup", "GroupId"]}
    ]
    assert otherwise == {"Ref": "AWS::NoValue"}


def test_the_load_balancer_lets_nobody_by_who_has_not_signed_in(search_template: Template) -> None:
    listener = resources(search_template, "ElasticLoadBalancingV2::Listener")["LoadBalancerListener"]
    actions = sorted(listener["DefaultActions"], key=lambda action: action["Order"])
    assert [action["Type"] for action in actions] == ["authenticate-oidc", "forward"]
    assert actions[0]["AuthenticateOidcConfig"]["OnUnauthenticatedRequest"] == "authenticate"
    assert listener["Protocol"] == "HTTPS"
    assert search_template["Parameters"]["OidcClientSecret"]["NoEcho"] is True
    assert search_template["Parameters"]["LoadBalancerScheme"]["Default"] == "internal"


def test_the_load_balancer_speaks_tls_to_kibana_even_when_it_asks_how_it_is(search_template: Template) -> None:
    target = resources(search_template, "ElasticLoadBalancingV2::TargetGroup")["KibanaTargetGroup"]
    assert (target["Protocol"], target["HealthCheckProtocol"]) == ("HTTPS", "HTTPS")


def test_a_load_balancer_without_the_whole_sign_in_is_refused(search_template: Template) -> None:
    rule = search_template["Rules"]["LoadBalancerNeedsSignIn"]
    demanded = re.findall(r"{'Ref': '(\w+)'}", str(rule["Assertions"]))
    assert sorted(demanded) == sorted(name for name in search_template["Parameters"] if name.startswith("Oidc"))
    assert rule["RuleCondition"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "CertificateArn"}, ""]}]}


def test_without_a_certificate_there_is_no_load_balancer(search_template: Template) -> None:
    conditions = {
        name: resource.get("Condition")
        for name, resource in search_template["Resources"].items()
        if name.startswith("LoadBalancer") or name == "KibanaTargetGroup"
    }
    assert set(conditions.values()) == {"HasLoadBalancer"}
    assert len(conditions) == 4
    assert search_template["Parameters"]["CertificateArn"]["Default"] == ""


def test_snapshots_do_not_expire(search_template: Template) -> None:
    rules = resources(search_template, "S3::Bucket")["SnapshotBucket"]["LifecycleConfiguration"]["Rules"]
    assert [rule for rule in rules if "ExpirationInDays" in rule] == []
