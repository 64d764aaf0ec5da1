"""The ASGI application: our layer in front, ministack behind it.

/_sekisho/…                        controls for tests
a call to a REST API, any address  our data plane
API Gateway's own operations       our control plane, where they are not ministack's
everything else                    ministack, untouched
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from portal.local.aws import upstream
from portal.local.aws.addresses import addresses_of
from portal.local.aws.admission import Admission
from portal.local.aws.clock import Clock
from portal.local.aws.cloudwatch_logs import put_log_events
from portal.local.aws.control_plane import ControlPlane, claimed
from portal.local.aws.controls import PREFIX, Controls
from portal.local.aws.data_plane import DataPlane
from portal.local.aws.deployments import Deployments
from portal.local.aws.faults import Fault, Faults, targeted_operation
from portal.local.aws.log_delivery import LogDelivery
from portal.local.aws.meter import Meter
from portal.local.aws.operations import Operation, Parameters
from portal.local.aws.saved import Saved
from portal.local.aws.store import Store
from portal.local.aws.wire import (
    ClientGone,
    Message,
    Receive,
    Request,
    Response,
    Scope,
    Send,
    read_request,
    send_broken,
    send_response,
)


class LocalAwsApp:
    """`started` is called once start-up is complete and requests are answered."""

    def __init__(self, store: Store, saved: Saved, started: Callable[[], None]) -> None:
        self._started = started
        self._saved = saved
        clock = Clock()
        self._faults = Faults()
        self._deployments = Deployments(store)
        meter = Meter(store, clock)
        admission = Admission(store, meter)
        self._control = ControlPlane(
            store, clock, meter, self._deployments.exists, changed=admission.forget
        )
        self._log_delivery = LogDelivery(put_log_events)
        self._data = DataPlane(clock, self._deployments, admission, self._log_delivery)
        self._controls = Controls(clock, self._control.usage, meter, self._faults)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                await self._serve(scope, receive, send)
            except ClientGone:
                return
        elif scope["type"] == "lifespan":
            await self._run_lifespan(scope, receive, send)
        else:
            await upstream.forward(scope, receive, send)

    async def _run_lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def announce(message: Message) -> None:
            if message["type"] == "lifespan.shutdown.complete":
                self._saved.finish()
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                self._started()

        async def finish() -> Message:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self._log_delivery.close()
                self._saved.begin()
            return message

        await upstream.forward(scope, finish, announce)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        host, authorization = _host_and_authorization(scope)
        raw_path = scope["raw_path"].decode("latin-1")
        addresses = list(addresses_of(host, path, raw_path))
        address = next(filter(self._data.serves, addresses), None)
        if address:
            request = await read_request(scope, receive)
            await send_response(send, await self._data.answer(address, request))
        elif addresses:
            await upstream.forward(scope, receive, send)
        elif path.startswith(PREFIX):
            await send_response(send, self._controls.answer(await read_request(scope, receive)))
        elif found := claimed(scope, authorization):
            await self._serve_control(*found, await read_request(scope, receive), send)
        elif self._faults:
            await self._serve_faulty(scope, receive, send, authorization)
        else:
            await self._forward(scope, receive, send, authorization)

    async def _serve_control(
        self, operation: Operation, at: Parameters, request: Request, send: Send
    ) -> None:
        fault = self._faults.due(operation.name) if self._faults else None
        if fault and fault.when == "before":
            await _send_fault(send, fault)
            return
        authorization = request.header(b"authorization") or ""
        async with self._watched(request.method, request.path, authorization):
            response = await self._control.answer(operation, at, request)
        if fault:
            await _send_fault(send, fault)
        else:
            await send_response(send, response)

    async def _serve_faulty(
        self, scope: Scope, receive: Receive, send: Send, authorization: str
    ) -> None:
        """ministack's operations by name, as far as they carry one."""
        request = Request(scope["method"], scope["path"], "", b"", list(scope["headers"]), "")
        fault = self._faults.due(targeted_operation(request))
        if fault is None:
            await self._forward(scope, receive, send, authorization)
            return
        if fault.when == "after":

            async def swallow(message: Message) -> None:
                return None

            await self._forward(scope, receive, swallow, authorization)
        else:
            await read_request(scope, receive)
        await _send_fault(send, fault)

    async def _forward(
        self, scope: Scope, receive: Receive, send: Send, authorization: str
    ) -> None:
        async with self._watched(scope["method"], scope["path"], authorization):
            await upstream.forward(scope, receive, send)

    @asynccontextmanager
    async def _watched(self, method: str, path: str, authorization: str) -> AsyncIterator[None]:
        """Around a call that may change APIs."""
        changes = "/cloudformation/" in authorization or (
            path.startswith("/restapis/") and method != "GET"
        )
        if changes:
            await self._deployments.before_change()
        yield
        if changes:
            self._deployments.after_change()


def _host_and_authorization(scope: Scope) -> tuple[str, str]:
    host = authorization = b""
    for name, value in scope["headers"]:
        if name == b"host":  # two of them are read as ministack reads them
            host = host + b", " + value if host else value
        elif name == b"authorization":
            authorization = value
    return host.decode("latin-1"), authorization.decode("latin-1")


async def _send_fault(send: Send, fault: Fault) -> None:
    if fault.status is None:
        await send_broken(send)
        return
    headers = [(b"x-amzn-ErrorType", b"InternalFailure")]
    body = {"message": "A fault that a test asked for"}
    await send_response(send, Response.of_json(fault.status, body, headers))
