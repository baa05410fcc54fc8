"""A client in another language: stubs generated from proto/, and calls by reflection alone.

Usage: python_client.py ADDRESS PROTO_FOLDER. Prints what it did; any surprise is an exception.
"""

import importlib
import pathlib
import sys
import tempfile
import uuid

import grpc
from google.protobuf import descriptor_pool, message_factory
from google.rpc import error_details_pb2, status_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from grpc_tools import protoc


def generate(protos, out):
    # google/type comes with googleapis-common-protos, as it does in most Python programs.
    files = sorted(str(p.relative_to(protos)) for p in protos.glob("waybill/**/*.proto"))
    arguments = ["protoc", f"-I{protos}", f"--python_out={out}", f"--grpc_python_out={out}"]
    bundled = importlib.resources.files("grpc_tools") / "_proto"
    if protoc.main(arguments + [f"-I{bundled}"] + files) != 0:
        raise RuntimeError("protoc failed")
    sys.path.insert(0, str(out))


def with_stubs(channel):
    from waybill.order.v1 import order_service_pb2 as order
    from waybill.order.v1 import order_service_pb2_grpc as order_grpc
    from waybill.user.v1 import user_service_pb2 as user
    from waybill.user.v1 import user_service_pb2_grpc as user_grpc

    users = user_grpc.UserServiceStub(channel)
    orders = order_grpc.OrderServiceStub(channel)
    request_id = str(uuid.uuid4())
    registered = users.RegisterUser(
        user.RegisterUserRequest(
            request_id=request_id, email=f"{request_id}@example.com", display_name="Ada"
        )
    ).user

    item = order.PlaceOrderItem(product_id="book", quantity=2)
    item.unit_price.currency_code = "EUR"
    item.unit_price.units = 19
    item.unit_price.nanos = 990_000_000
    request = order.PlaceOrderRequest(
        request_id=str(uuid.uuid4()), user_id=registered.user_id, items=[item]
    )
    answer, call = orders.PlaceOrder.with_call(request, metadata=[("x-correlation-id", "python-1")])
    assert dict(call.initial_metadata())["x-correlation-id"] == "python-1"
    placed = answer.order
    assert (placed.total_amount.units, placed.total_amount.nanos) == (39, 980_000_000)
    again = orders.PlaceOrder(request)
    assert again.SerializeToString() == answer.SerializeToString(), "byte for byte"

    watch = orders.WatchOrder(order.WatchOrderRequest(order_id=placed.order_id))
    versions = [next(watch).order.version]
    orders.CancelOrder(
        order.CancelOrderRequest(request_id=str(uuid.uuid4()), order_id=placed.order_id)
    )
    versions.append(next(watch).order.version)
    watch.cancel()
    assert versions == [1, 2], versions

    request.items[0].quantity = 0
    request.user_id = "nobody"
    try:
        orders.PlaceOrder(request)
        raise AssertionError("a bad request was taken")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
        details = status_pb2.Status.FromString(
            dict(error.trailing_metadata())["grpc-status-details-bin"]
        ).details
        fields, reasons = [], []
        for detail in details:
            info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
            if detail.Unpack(info):
                reasons.append((info.domain, info.reason))
            if detail.Unpack(bad):
                fields = sorted(v.field for v in bad.field_violations)
        assert reasons == [("waybill", "INVALID_FIELD")], reasons
        assert fields == ["items[0].quantity", "user_id"], fields
    print("stubs: placed, repeated, watched, cancelled, refused")
    return placed.order_id


def by_reflection(channel, order_id):
    database = ProtoReflectionDescriptorDatabase(channel)
    assert "waybill.order.v1.OrderService" in database.get_services()
    pool = descriptor_pool.DescriptorPool(database)
    method = pool.FindServiceByName("waybill.order.v1.OrderService").FindMethodByName("GetOrder")
    request_type = message_factory.GetMessageClass(method.input_type)
    answer_type = message_factory.GetMessageClass(method.output_type)
    get_order = channel.unary_unary(
        "/waybill.order.v1.OrderService/GetOrder",
        request_serializer=request_type.SerializeToString,
        response_deserializer=answer_type.FromString,
    )
    assert get_order(request_type(order_id=order_id)).order.version == 2
    print("reflection: found the service and got the order")


def main(address, protos):
    with tempfile.TemporaryDirectory() as out, grpc.insecure_channel(address) as channel:
        generate(pathlib.Path(protos), pathlib.Path(out))
        order_id = with_stubs(channel)
        by_reflection(channel, order_id)


if __name__ == "__main__":
    main(*sys.argv[1:])
