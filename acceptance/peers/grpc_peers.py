"""A gRPC server and a client of it that goes through the edge. Messages are plain bytes: no generated code."""

import json
import sys
import threading
from concurrent import futures
from pathlib import Path

import grpc

LARGE = 1 << 20


class Echo(grpc.GenericRpcHandler):
    def service(self, details):
        metadata = dict(details.invocation_metadata)
        name = details.method.rsplit("/", 1)[-1]

        def unary(request, context):
            context.send_initial_metadata((("x-seen", "seen " + metadata.get("x-ask", "nothing")),))
            context.set_trailing_metadata((("x-after", "after"),))
            return b"echo of " + request

        def error(_request, context):
            context.abort(grpc.StatusCode.NOT_FOUND, "there is none")

        def slow(_request, context):
            gone = threading.Event()
            context.add_callback(gone.set)
            gone.wait(20)
            return b"late"

        def stream(request, _context):
            yield from (str(number).encode() for number in range(int(request)))

        def collect(requests, _context):
            sizes = [len(request) for request in requests]
            return f"{len(sizes)} messages, {sum(sizes)} bytes".encode()

        def both(requests, _context):
            for request in requests:
                yield b"echo of " + request

        return {
            "Unary": grpc.unary_unary_rpc_method_handler(unary),
            "Error": grpc.unary_unary_rpc_method_handler(error),
            "Slow": grpc.unary_unary_rpc_method_handler(slow),
            "Stream": grpc.unary_stream_rpc_method_handler(stream),
            "Collect": grpc.stream_unary_rpc_method_handler(collect),
            "Both": grpc.stream_stream_rpc_method_handler(both),
        }.get(name)


def server():
    serving = grpc.server(futures.ThreadPoolExecutor(8))
    serving.add_generic_rpc_handlers((Echo(),))
    print(serving.add_insecure_port("127.0.0.1:0"), flush=True)
    serving.start()
    serving.wait_for_termination()


def client(port, ca):
    saw = {}
    credentials = grpc.ssl_channel_credentials(Path(ca).read_bytes())
    with grpc.secure_channel(f"localhost:{port}", credentials, (("grpc.enable_http_proxy", 0),)) as channel:
        answer, call = channel.unary_unary("/Echo/Unary").with_call(b"hello", metadata=(("x-ask", "v1"),), timeout=20)
        saw["unary"] = answer.decode()
        saw["metadata"] = dict(call.initial_metadata())["x-seen"]
        saw["trailer"] = dict(call.trailing_metadata())["x-after"]
        saw["server stream"] = [part.decode() for part in channel.unary_stream("/Echo/Stream")(b"3", timeout=20)]
        large = (b"x" * LARGE for _ in range(3))
        saw["client stream"] = channel.stream_unary("/Echo/Collect")(large, timeout=20).decode()

        # Each message is sent only when the answer to the one before is here.
        answered = threading.Semaphore(1)

        def questions():
            for question in (b"a", b"b", b"c"):
                if not answered.acquire(timeout=10):
                    return
                yield question
        saw["both"] = []
        for part in channel.stream_stream("/Echo/Both")(questions(), timeout=20):
            saw["both"].append(part.decode())
            answered.release()
        for name, limit in (("error", 20), ("deadline", 0.5)):
            try:
                method = "/Echo/Error" if name == "error" else "/Echo/Slow"
                channel.unary_unary(method)(b"", timeout=limit)
            except grpc.RpcError as failed:
                code = failed.code().name
                saw[name] = [code, failed.details()] if name == "error" else code
    print(json.dumps(saw))


if __name__ == "__main__":
    server() if sys.argv[1] == "server" else client(*sys.argv[2:4])
