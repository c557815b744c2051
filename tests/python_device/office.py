"""For tests: what an office and its rostering system do beside the command line, by gRPC."""

import grpc

import caresync_messages as messages


class Office:
    """Calls to the server of a Cli, in its tenant. To be closed."""

    def __init__(self, cli):
        self._administrator = cli.run("token", "--role", "administrator")[0].strip()
        self._source = "rota-import"
        self._rostering = cli.run("token", "--role", "rostering", "--subject", self._source)[0].strip()
        self._channel = grpc.insecure_channel(cli.environment["CARESYNC_SERVER"])

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self._channel.close()

    def set_access(self, service_user_id, group_ids=(), carer_ids=()):
        access = messages.service_users.ServiceUserAccess(service_user_id=service_user_id,
                                                          group_ids=group_ids,
                                                          carer_ids=carer_ids)
        self._call("ServiceUserService/SetAccess", messages.service_users.SetAccessRequest(access=access),
                   messages.service_users.ServiceUserAccess)

    def put_care_plan(self, care_plan_id, service_user_id, text):
        """What was written."""
        plan = messages.records.CarePlan(service_user_id=service_user_id, title="Mornings", text=text)
        self._call("ServiceUserService/PutCarePlan",
                   messages.service_users.PutCarePlanRequest(care_plan_id=care_plan_id, care_plan=plan),
                   messages.service_users.StoredCarePlan)
        return plan

    def delete_care_plan(self, care_plan_id):
        self._call("ServiceUserService/DeleteCarePlan",
                   messages.service_users.DeleteCarePlanRequest(care_plan_id=care_plan_id),
                   messages.service_users.DeleteCarePlanResponse)

    def request_sync(self, device_uuid):
        """Whether the device was told."""
        return self._call("DeviceService/RequestSync", messages.devices.RequestSyncRequest(device_uuid=device_uuid),
                          messages.devices.RequestSyncResponse).told

    def send_group(self, name, carers, dissolved=False):
        """An employee group with all its carers, by their external IDs; its record ID."""
        group = messages.roster.RosterEmployeeGroup(name=name, carers=carers, dissolved=dissolved)
        change = messages.roster.RosterChange(source=self._source, external_id=name, employee_group=group)
        call = self._channel.stream_stream("/caresync.v1.RosterService/ApplyChanges",
                                           request_serializer=messages.roster.ApplyChangesRequest.SerializeToString,
                                           response_deserializer=messages.roster.ApplyChangesResponse.FromString)
        request = messages.roster.ApplyChangesRequest(changes=[change])
        (response,) = call(iter([request]), metadata=self._as(self._rostering))
        return response.results[0].record_id

    def _call(self, method, request, response_type):
        call = self._channel.unary_unary(f"/caresync.v1.{method}", request_serializer=type(request).SerializeToString,
                                         response_deserializer=response_type.FromString)
        return call(request, metadata=self._as(self._administrator))

    @staticmethod
    def _as(token):
        return (("authorization", f"Bearer {token}"),)
