# Runs one Lambda handler for the edge: a frame comes in on descriptor 3, its answer goes out on 4.
#
# Handlers see what they see on Lambda. What they print goes to descriptors 1 and 2, unbuffered, so
# that every line is out before the answer is. frame.rs describes the frames; bootstrap.js is the same
# for Node.js. When the edge is gone, the next read ends and so does this process.
import decimal
import importlib
import json
import logging
import os
import struct
import sys
import time
import traceback

INPUT = 3
OUTPUT = 4
READY = 3
REPLY = 4
FAILED = 5
DYING = 6
INIT_FAILED = 7

REPLY_LIMIT = 6 * 1024 * 1024 + 100
MESSAGE_LIMIT = 16 * 1024
TRACE_LINES = 64

# Handlers and their libraries may patch these.
_loads, _dumps, _monotonic, _read, _write, _exit = (
    json.loads, json.dumps, time.monotonic, os.read, os.write, os._exit)

_request_id = ""


class RuntimeFailure(Exception):
    """An error of the runtime's own, with the name that Lambda gives it."""

    def __init__(self, kind, message, trace=()):
        super().__init__(message)
        self.kind = "Runtime." + kind
        self.trace = list(trace)


class CognitoIdentity:
    """What `context.identity` is where no Cognito user calls: there, with nothing in it."""

    cognito_identity_id = None
    cognito_identity_pool_id = None


class LambdaContext:
    """The second argument of a handler."""

    def __init__(self, config, request_id, deadline):
        self.aws_request_id = request_id
        self.function_name = config["name"]
        self.function_version = config["version"]
        self.invoked_function_arn = config["arn"]
        self.memory_limit_in_mb = config["memory"]
        self.log_group_name = config["logGroup"]
        self.log_stream_name = config["logStream"]
        self.identity = CognitoIdentity()
        self.client_context = None
        self._deadline = deadline

    def get_remaining_time_in_millis(self):
        return max(0, int((self._deadline - _monotonic()) * 1000))

    def log(self, message):
        sys.stdout.write(str(message))


class LogHandler(logging.Handler):
    """The handler that Lambda gives the root logger: level, time, request, message."""

    def emit(self, record):
        try:
            record.aws_request_id = _request_id
            print(self.format(record), flush=True)
        except Exception:  # As logging itself has it: a log line never fails the work.
            self.handleError(record)


def main():
    config = _loads(read_frame()[2])
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    set_up_logging()
    try:
        handler = load_handler(config["root"], config["handler"])
    except SystemExit as error:
        die(INIT_FAILED, "", RuntimeFailure("ExitError", f"the module called sys.exit({error.code})"), config)
    except BaseException as error:
        die(INIT_FAILED, "", error, config)
    send(READY, "", "")
    while True:
        invoke(handler, config)


def set_up_logging():
    handler = LogHandler()
    handler.setFormatter(logging.Formatter(
        "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S"))
    handler.formatter.converter = time.gmtime
    logging.getLogger().addHandler(handler)


# --- One invocation -------------------------------------------------------------------------------


def invoke(handler, config):
    global _request_id
    request_id, left, payload = read_frame()
    _request_id = request_id
    context = LambdaContext(config, request_id, _monotonic() + left / 1000)
    kind = REPLY
    try:
        text = marshal(handler(_loads(payload), context))
    except SystemExit as error:
        flush()
        die(DYING, request_id, RuntimeFailure("ExitError", f"the handler called sys.exit({error.code})"), config)
    except BaseException as error:
        kind, text = FAILED, error_text(error, config["root"])
    flush()
    send(kind, request_id, text)


def marshal(result):
    try:
        text = _dumps(result, default=plain, ensure_ascii=False)
        # Half of a surrogate pair is text to Python and none to anybody else.
        size = len(text.encode("utf-8", "surrogatepass"))
    except Exception as error:
        raise RuntimeFailure("MarshalError", f"Unable to marshal response: {error}") from None
    if size > REPLY_LIMIT:
        failure = RuntimeFailure("", f"Response payload size exceeded maximum allowed payload size ({REPLY_LIMIT} bytes).")
        failure.kind = "Function.ResponseSizeTooLarge"
        raise failure
    return text


def plain(value):
    # DynamoDB's numbers.
    if isinstance(value, decimal.Decimal):
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # Closed or replaced by the handler.
            pass


def die(kind, request_id, error, config):
    flush()
    send(kind, request_id, error_text(error, config["root"]))
    _exit(1)


# --- Errors ---------------------------------------------------------------------------------------


def error_text(error, root):
    """errorType, errorMessage and trace, as Lambda tells them, and the place in the function's own code."""
    try:
        if isinstance(error, RuntimeFailure):
            return _dumps({"errorType": error.kind, "errorMessage": cut(str(error)), "trace": error.trace})
        frames = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in frames if frame.filename != __file__]
        lines = "".join(traceback.format_list(own)).splitlines()
        if isinstance(error, SyntaxError):
            lines += "".join(traceback.format_exception_only(type(error), error)).splitlines()
        place = ""
        for frame in own:
            if frame.filename.startswith(root + os.sep):
                place = f"{os.path.relpath(frame.filename, root)}:{frame.lineno}"
        return _dumps({
            "errorType": type(error).__name__,
            "errorMessage": cut(str(error)),
            "trace": [line[:1024] for line in lines[:TRACE_LINES]],
            "location": place,
        })
    except BaseException:
        kind = "".join(c for c in type(error).__name__ if c.isalnum() or c == "_")
        return _dumps({"errorType": kind, "errorMessage": "the handler raised what cannot be described", "trace": []})


def cut(text):
    return text if len(text) <= MESSAGE_LIMIT else text[:MESSAGE_LIMIT] + "…"


# --- Finding the handler ----------------------------------------------------------------------------


def load_handler(root, text):
    """`dir/module.function` under the task root."""
    module_name, dot, name = text.rpartition(".")
    if not dot or not module_name or not name or ".." in text:
        raise RuntimeFailure(
            "MalformedHandlerName", f"'{text}' is not a valid handler name: write module.function, for example app.handler")
    # In place of the directory of this file.
    sys.path[0] = root
    module_name = module_name.strip("/").replace("/", ".")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        # Lambda's own Python brings the SDK along, so that functions often do not.
        hint = ""
        if getattr(error, "name", None) in ("boto3", "botocore"):
            hint = f" (Lambda has the AWS SDK built in, this machine does not: pip install {error.name})"
        raise RuntimeFailure(
            "ImportModuleError", f"Unable to import module '{module_name}': {error}{hint}", trace_of(error, root)) from None
    except SyntaxError as error:
        place = os.path.relpath(error.filename, root) if error.filename else module_name
        raise RuntimeFailure(
            "UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error.msg} ({place}, line {error.lineno})",
            trace_of(error, root)) from None
    found = getattr(module, name, None)
    if found is None:
        raise RuntimeFailure("HandlerNotFound", f"Handler '{name}' missing on module '{module_name}'")
    if not callable(found):
        raise RuntimeFailure("HandlerNotFound", f"Handler '{name}' on module '{module_name}' is not callable")
    return found


def trace_of(error, root):
    return _loads(error_text(error, root))["trace"]


# --- Frames -----------------------------------------------------------------------------------------


def read_exactly(size):
    parts = []
    while size:
        part = _read(INPUT, min(size, 1 << 20))
        if not part:
            flush()
            _exit(0)  # The edge is gone.
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def read_frame():
    """The id, the milliseconds left and the payload of the next frame."""
    (length,) = struct.unpack(">I", read_exactly(4))
    frame = read_exactly(length)
    id_length, left = frame[1], struct.unpack(">I", frame[2:6])[0]
    return frame[6:6 + id_length].decode("latin-1"), left, frame[6 + id_length:].decode("utf-8")


def send(kind, request_id, text):
    request_id = request_id.encode("latin-1")
    payload = text.encode("utf-8", "replace")
    body = struct.pack(">BBI", kind, len(request_id), 0) + request_id + payload
    frame = memoryview(struct.pack(">I", len(body)) + body)
    try:
        while frame:
            frame = frame[_write(OUTPUT, frame):]
    except OSError:
        _exit(0)  # The edge is gone.


if __name__ == "__main__":
    main()
