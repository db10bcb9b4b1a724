// Runs one Lambda handler for the edge: a frame comes in on descriptor 3, its answer goes out on 4.
//
// Handlers see what they see on Lambda. Reading is synchronous, so between two invocations the event loop
// stands still and no handle of ours keeps it alive: `beforeExit` really means that the handler's work is
// done. stdin, stdout, stderr and process.argv are the handler's. frame.rs describes the frames.
//
// When the edge is gone, the next read ends and so does this process.
'use strict';

const { readSync, writeSync, statSync, readFileSync } = require('node:fs');
const path = require('node:path');
const { AsyncResource } = require('node:async_hooks');
const { createRequire } = require('node:module');
const { isNativeError } = require('node:util').types;
const { pathToFileURL } = require('node:url');

// Handlers and their libraries patch globals; these are kept as they were.
const { parse, stringify } = JSON;
const now = performance.now.bind(performance);
const later = setImmediate;
const exit = process.exit.bind(process);

const INPUT = 3;
const OUTPUT = 4;
const READY = 3;
const REPLY = 4;
const FAILED = 5;
const DYING = 6;
const INIT_FAILED = 7;

const REPLY_LIMIT = 6 * 1024 * 1024 + 100;
const MESSAGE_LIMIT = 16 * 1024;
const TRACE_LINES = 64;

// Each invocation starts here again, so that no AsyncLocalStorage value crosses from one to the next.
const outside = new AsyncResource('Edge');

// Large enough for nearly every event; a longer one gets a buffer of its own.
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024);

let handler;
let config;
/** The invocation under way. */
let current;

main();

function main() {
  config = parse(readFrame().payload);
  // Node queues what a full pipe does not take, and would write it in the next invocation, or never after
  // process.exit. A write that waits keeps every line with its own invocation.
  for (const stream of [process.stdout, process.stderr]) stream._handle?.setBlocking?.(true);
  process.on('beforeExit', eventLoopIsEmpty);
  process.on('uncaughtException', (error) => die(error, 129));
  process.on('unhandledRejection', (reason) => {
    const error = runtimeError('UnhandledPromiseRejection', isError(reason) ? `${reason.name}: ${reason.message}` : String(reason));
    if (isError(reason)) error.stack = reason.stack;
    die(error, 128);
  });
  loadHandler(config.root, config.handler).then(
    (loaded) => {
      handler = loaded;
      send(READY, '', '');
      later(() => outside.runInAsyncScope(next));
    },
    (error) => die(error, 1),
  );
}

// --- One invocation -------------------------------------------------------------------------------

function next() {
  const { id, left, payload } = readFrame();
  const call = { id, deadline: now() + left, outcome: undefined, isAsync: false };
  current = call;
  let event;
  try {
    event = parse(payload);
  } catch (error) {
    return settle(call, FAILED, error);
  }
  // A resource of its own: what the handler enters with AsyncLocalStorage stays on it.
  new AsyncResource('Invocation').runInAsyncScope(() => run(call, event));
}

function run(call, event) {
  const context = contextOf(call);
  const callback = (error, result) => {
    if (error !== undefined && error !== null) return settle(call, FAILED, error);
    if (!context.callbackWaitsForEmptyEventLoop) return settle(call, REPLY, result);
    // Delivered when the event loop is empty.
    call.outcome ??= { kind: REPLY, value: result };
  };
  try {
    const result = handler(event, context, callback);
    if (typeof result?.then === 'function') {
      call.isAsync = true;
      result.then(
        (value) => (call.outcome ? deliverSoon(call) : settle(call, REPLY, value)),
        (error) => (call.outcome ? deliverSoon(call) : settle(call, FAILED, error)),
      );
    }
  } catch (error) {
    settle(call, FAILED, error);
  }
}

function contextOf(call) {
  return {
    callbackWaitsForEmptyEventLoop: true,
    awsRequestId: call.id,
    functionName: config.name,
    functionVersion: config.version,
    invokedFunctionArn: config.arn,
    memoryLimitInMB: config.memory,
    logGroupName: config.logGroup,
    logStreamName: config.logStream,
    identity: undefined,
    clientContext: undefined,
    getRemainingTimeInMillis: () => Math.max(0, Math.floor(call.deadline - now())),
    succeed: (result) => settle(call, REPLY, result),
    fail: (error) => settle(call, FAILED, error),
    done: (error, result) =>
      error !== undefined && error !== null ? settle(call, FAILED, error) : settle(call, REPLY, result),
  };
}

/** Only the first outcome of an invocation counts. */
function settle(call, kind, value) {
  if (call.outcome) return;
  call.outcome = { kind, value };
  deliverSoon(call);
}

/**
 * The answer waits for one turn of the loop: a rejection nobody handles, or an exit in the same tick, then
 * still belongs to this invocation. After the answer we read at once, so nothing can fail in between.
 */
function deliverSoon(call) {
  later(deliver, call);
}

function deliver(call) {
  if (current !== call) return;
  current = undefined;
  let { kind, value } = call.outcome;
  let text;
  if (kind === REPLY) {
    try {
      text = stringify(value) ?? 'null';
    } catch (error) {
      kind = FAILED;
      value = new Error(`Unable to stringify response body: ${error.message}`);
    }
    if (text !== undefined && Buffer.byteLength(text) > REPLY_LIMIT) {
      kind = FAILED;
      value = new Error(`Response payload size exceeded maximum allowed payload size (${REPLY_LIMIT} bytes).`);
      value.name = 'Function.ResponseSizeTooLarge';
    }
  }
  if (kind === FAILED) text = errorText(value);
  send(kind, call.id, text);
  outside.runInAsyncScope(next);
}

function eventLoopIsEmpty() {
  const call = current;
  if (!call) {
    if (!handler) die(runtimeError('NodeJsExit', 'the event loop is empty and the module is still loading: an await at its top level never settles'), 13);
    return;
  }
  // Soon, not now: what is queued here keeps the process alive after this event.
  if (call.outcome) deliverSoon(call);
  else if (call.isAsync) settle(call, FAILED, runtimeError('NodeJsExit', 'the handler returned a promise that never settled, and the event loop is empty'));
  else settle(call, REPLY, null);
}

/** The end of this process, told to the edge first. */
function die(error, status) {
  if (!handler) send(INIT_FAILED, '', errorText(error));
  else send(DYING, current ? current.id : '', errorText(error));
  exit(status);
}

// --- Errors ---------------------------------------------------------------------------------------

function isError(value) {
  return isNativeError(value) || value instanceof Error;
}

function runtimeError(kind, message) {
  const error = new Error(message);
  error.name = `Runtime.${kind}`;
  return error;
}

/** `{errorType, errorMessage, trace}`, as Lambda answers it. Whatever was thrown, this returns. */
function errorText(thrown) {
  try {
    if (!isError(thrown)) {
      return stringify({ errorType: typeof thrown, errorMessage: cut(String(thrown)), trace: [] });
    }
    return stringify({
      errorType: String(thrown.name),
      errorMessage: cut(String(thrown.message)),
      trace: String(thrown.stack ?? '').split('\n', TRACE_LINES).map((line) => line.slice(0, 1024)),
    });
  } catch {
    return '{"errorType":"Error","errorMessage":"the handler threw a value that cannot be described","trace":[]}';
  }
}

function cut(text) {
  return text.length > MESSAGE_LIMIT ? `${text.slice(0, MESSAGE_LIMIT)}…` : text;
}

// --- Finding the handler ----------------------------------------------------------------------------

/** `dir/file.export.nested` under the task root. */
async function loadHandler(root, text) {
  if (text.includes('..')) {
    throw runtimeError('MalformedHandlerName', `'${text}' is not a valid handler name: it must not contain '..'`);
  }
  const base = text.slice(text.lastIndexOf('/') + 1);
  const dot = base.indexOf('.');
  if (dot < 1 || dot === base.length - 1) {
    throw runtimeError('MalformedHandlerName', `'${text}' is not a valid handler name: write file.export, for example index.handler`);
  }
  const stem = path.resolve(root, text.slice(0, text.length - base.length + dot));
  const exported = base.slice(dot + 1);

  let module;
  try {
    module = await loadModule(root, stem);
  } catch (error) {
    throw asLoadError(error);
  }
  const found = lookUp(module, exported) ?? lookUp(module?.default, exported);
  if (found === undefined || found === null) {
    throw runtimeError('HandlerNotFound', `${text} is undefined or not exported`);
  }
  if (typeof found !== 'function') {
    throw runtimeError('HandlerNotFound', `${text} is not a function, it is of type ${typeof found}`);
  }
  return found;
}

function lookUp(module, exported) {
  return exported.split('.').reduce((value, key) => value?.[key], module);
}

async function loadModule(root, stem) {
  const require = createRequire(path.join(root, 'index.js'));
  if (isFile(stem)) return requireOrImport(require, stem);
  if (isFile(`${stem}.js`)) {
    return isModulePackage(path.dirname(stem)) ? importFile(`${stem}.js`) : requireOrImport(require, `${stem}.js`);
  }
  if (isFile(`${stem}.mjs`)) return importFile(`${stem}.mjs`);
  if (isFile(`${stem}.cjs`)) return require(`${stem}.cjs`);
  for (const name of [stem, path.relative(root, stem)]) {
    let found;
    try {
      found = require.resolve(name);
    } catch {
      continue;
    }
    return requireOrImport(require, found);
  }
  const name = path.relative(root, stem);
  const hint = isFile(`${stem}.ts`) ? ` (there is ${name}.ts: compile it first)` : '';
  const error = new Error(`Cannot find module '${name}' in ${root}: looked for ${name}, ${name}.js, ${name}.mjs and ${name}.cjs${hint}`);
  error.code = 'MODULE_NOT_FOUND';
  throw error;
}

/** Newer Node finds out by itself that a .js file is an ES module; one that awaits must be imported. */
async function requireOrImport(require, file) {
  try {
    return require(file);
  } catch (error) {
    if (error?.code === 'ERR_REQUIRE_ESM' || error?.code === 'ERR_REQUIRE_ASYNC_MODULE') return importFile(file);
    throw error;
  }
}

function importFile(file) {
  return import(pathToFileURL(file).href);
}

/** Whether the nearest package.json says `"type": "module"`. */
function isModulePackage(directory) {
  for (;;) {
    let text;
    try {
      text = readFileSync(path.join(directory, 'package.json'), 'utf8');
    } catch {
      const parent = path.dirname(directory);
      if (parent === directory) return false;
      directory = parent;
      continue;
    }
    try {
      return parse(text).type === 'module';
    } catch {
      return false;
    }
  }
}

function isFile(file) {
  return statSync(file, { throwIfNoEntry: false })?.isFile() === true;
}

function asLoadError(error) {
  if (!isError(error)) return error;
  const kind =
    error.code === 'MODULE_NOT_FOUND' || error.code === 'ERR_MODULE_NOT_FOUND' ? 'ImportModuleError'
    : error instanceof SyntaxError || error.name === 'SyntaxError' ? 'UserCodeSyntaxError'
    : undefined;
  if (!kind) return error;
  // Lambda's own Node.js brings the SDK along, so that handlers often do not list it.
  const sdk = /Cannot find (?:module|package) '((?:@aws-sdk\/[^'/]+)|aws-sdk)/.exec(error.message);
  const hint = sdk ? ` (Lambda has the AWS SDK built in, this machine does not: npm install ${sdk[1]})` : '';
  const told = runtimeError(kind, `${error.name}: ${error.message}${hint}`);
  told.stack = error.stack;
  return told;
}

// --- Frames -----------------------------------------------------------------------------------------

/** Blocks until a frame is there. The edge sends none before the last one is answered. */
function readFrame() {
  let buffer = readBuffer;
  let have = 0;
  let end = 4;
  while (have < end) {
    const read = readSync(INPUT, buffer, have, buffer.length - have, null);
    if (read === 0) exit(0);
    have += read;
    if (end === 4 && have >= 4) {
      end = 4 + buffer.readUInt32BE(0);
      if (end > buffer.length) {
        const larger = Buffer.allocUnsafeSlow(end);
        buffer.copy(larger, 0, 0, have);
        buffer = larger;
      }
    }
  }
  const payload = 10 + buffer[5];
  return {
    id: buffer.toString('latin1', 10, payload),
    left: buffer.readUInt32BE(6),
    payload: buffer.toString('utf8', payload, end),
  };
}

function send(kind, id, text) {
  const idLength = Buffer.byteLength(id, 'latin1');
  const length = 6 + idLength + Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(4 + length);
  frame.writeUInt32BE(length, 0);
  frame[4] = kind;
  frame[5] = idLength;
  frame.writeUInt32BE(0, 6);
  frame.write(id, 10, 'latin1');
  frame.write(text, 10 + idLength);
  try {
    for (let sent = 0; sent < frame.length; ) sent += writeSync(OUTPUT, frame, sent);
  } catch {
    exit(0); // The edge is gone.
  }
}
