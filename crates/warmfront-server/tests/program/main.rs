//! The started program, from outside: its sockets, signals, exit codes and logs.
//!
//! One binary, so that it is linked once. [`harness`] starts the program on ports that the kernel chose,
//! [`origin`] is the server behind it that writes down what it saw.

#![allow(clippy::unwrap_used, reason = "the helpers of tests may panic, as tests do")]

mod cases;
mod commands;
mod crashes;
mod framing;
mod framing_rows;
mod grpc;
mod harness;
mod interim;
mod logs;
mod origin;
mod purging;
mod restarts;
mod serving;
mod watching;
mod websocket;
