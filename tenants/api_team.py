"""The management API of the team: members and invitations.

Only a person changes it, by their session or a personal token: nobody gives a role above their own,
and a machine's token has none. A token gives and takes none that may do more than itself. To make
or unmake an owner takes a password, so it is a page's, as is handing the organisation over.
"""

import uuid
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from tenants import selectors, services
from tenants.callers import Caller, TenantView
from tenants.models import Invitation, Member, Role, User
from tenants.pagination import PageQuerySerializer, page_of
from tenants.scopes import Scope


class MemberSerializer(serializers.Serializer[Any]):
    """A person in the organisation. `user` is the mail address that they sign in with."""

    id = serializers.IntegerField(source="pk")
    user = serializers.EmailField(source="user.email")
    role = serializers.ChoiceField(choices=Role.values)
    created_at = serializers.DateTimeField()


class MemberRoleSerializer(serializers.Serializer[Any]):
    role = serializers.ChoiceField(choices=Role.values)


class InvitationSerializer(serializers.Serializer[Any]):
    """An invitation that nobody has answered; after `expires_at` it has to be sent again."""

    id = serializers.UUIDField(source="uuid")
    email = serializers.EmailField()
    role = serializers.ChoiceField(choices=Role.values)
    invited_by = serializers.EmailField(source="invited_by.email", allow_null=True, default=None)
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()


class InvitationAskedSerializer(serializers.Serializer[Any]):
    email = serializers.EmailField(max_length=254)
    role = serializers.ChoiceField(choices=Role.values)


class MembersView(TenantView):
    scopes = {"GET": Scope.TEAM_READ}

    @extend_schema(
        summary="List your members",
        parameters=[PageQuerySerializer],
        responses=MemberSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        """List the people of the organisation, who joined last first; the Link header leads on."""
        members = _members(self.caller(request))
        page, headers = page_of(members, at="created_at", request=request)
        return Response(MemberSerializer(page, many=True).data, headers=headers)


class MemberView(TenantView):
    scopes = {"PATCH": Scope.TEAM_WRITE, "DELETE": Scope.TEAM_WRITE}

    @extend_schema(
        summary="Change a role", request=MemberRoleSerializer, responses=MemberSerializer
    )
    def patch(self, request: Request, member_id: int) -> Response:
        """Give a member another role, at most your own. Owners are made and unmade on the page."""
        caller = self.caller(request)
        actor = _person(caller)
        member = get_object_or_404(_members(caller), pk=member_id)
        asked = MemberRoleSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        changed = services.member_change_role(
            member=member, role=asked.validated_data["role"], actor=actor, within=caller.scopes,
            now=timezone.now(),
        )  # fmt: skip
        return Response(MemberSerializer(changed).data)

    @extend_schema(summary="Remove a member", responses={204: None})
    def delete(self, request: Request, member_id: int) -> Response:
        """Take a member out, whose role is at most yours, and no owner. Their tokens stop."""
        caller = self.caller(request)
        actor = _person(caller)
        member = get_object_or_404(_members(caller), pk=member_id)
        services.member_remove(member=member, actor=actor, within=caller.scopes, now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class InvitationsView(TenantView):
    scopes = {"GET": Scope.TEAM_READ, "POST": Scope.TEAM_WRITE}

    @extend_schema(summary="List your invitations", responses=InvitationSerializer(many=True))
    def get(self, request: Request) -> Response:
        """List the invitations that nobody has answered or withdrawn, oldest first."""
        found = selectors.invitations_open(tenant=self.caller(request).tenant)
        return Response(InvitationSerializer(found, many=True).data)

    @extend_schema(
        summary="Invite somebody",
        request=InvitationAskedSerializer,
        responses={201: InvitationSerializer},
    )
    def post(self, request: Request) -> Response:
        """Send an invitation by mail, good for seven days, with a role at most yours, not owner."""
        caller = self.caller(request)
        actor = _person(caller)
        asked = InvitationAskedSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        invitation = services.invitation_create(
            tenant=caller.tenant, actor=actor, within=caller.scopes, now=timezone.now(),
            **asked.validated_data,
        )  # fmt: skip
        return Response(InvitationSerializer(invitation).data, status=status.HTTP_201_CREATED)


class InvitationView(TenantView):
    scopes = {"DELETE": Scope.TEAM_WRITE}

    @extend_schema(summary="Withdraw an invitation", responses={204: None})
    def delete(self, request: Request, invitation_id: uuid.UUID) -> Response:
        """End an invitation. Its link says so."""
        caller = self.caller(request)
        actor = _person(caller)
        found = get_object_or_404(Invitation, tenant=caller.tenant, uuid=invitation_id)
        services.invitation_withdraw(
            invitation=found, actor=actor, within=caller.scopes, now=timezone.now()
        )
        return Response(status=status.HTTP_204_NO_CONTENT)


def _members(caller: Caller) -> QuerySet[Member]:
    return caller.tenant.members.select_related("user", "tenant")


def _person(caller: Caller) -> User:
    if caller.user is None:
        raise PermissionDenied("Only a person changes the team: a machine's token has no role.")
    return caller.user


urlpatterns = [
    path("members/", MembersView.as_view(), name="api-members"),
    path("members/<int:member_id>/", MemberView.as_view(), name="api-member"),
    path("invitations/", InvitationsView.as_view(), name="api-invitations"),
    path("invitations/<uuid:invitation_id>/", InvitationView.as_view(), name="api-invitation"),
]
