//! What becomes of the workers: time-outs, crashes, floods of requests, new versions, the end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::json;
use warmfront_core::function::{Function, Runtime};

use super::*;

#[tokio::test]
async fn a_repaired_function_answers_again() {
    let world = World::new();
    let function = world.script("repaired", "const = 1");
    let failure = world.failure(&function).await;
    // At once and without another start.
    assert_eq!(world.failure(&function).await, failure);
    world.script("repaired", "exports.handler = async () => 'repaired'");
    let answer = async {
        loop {
            if let Ok(answer) = world.call(&function, json!({})).await {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    let answer = tokio::time::timeout(Duration::from_secs(20), answer).await.unwrap();
    assert_eq!(answer, "repaired");
}

#[tokio::test]
async fn an_endless_loop_ends_with_the_timeout_and_the_next_request_is_fine() {
    let world = World::with(|options| options.max_workers = 1);
    let text = "exports.handler = async (event) => { while (event.loop); return process.pid }";
    let slow = world.script("slow", text);
    let slow = Arc::new(Function { timeout: Duration::from_secs(1), ..(*slow).clone() });
    let first = world.call(&slow, json!({})).await.unwrap();
    let started = Instant::now();
    let failure = world.call(&slow, json!({ "loop": true })).await.unwrap_err();
    assert!(matches!(failure, InvokeError::TimedOut { .. }), "{failure}");
    assert_eq!(failure.to_string(), "timed out after 1 s");
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert_ne!(world.call(&slow, json!({})).await.unwrap(), first, "a new process");
}

#[tokio::test]
async fn a_handler_that_eats_memory_takes_only_its_own_request_along() {
    let world = World::new();
    let text = "exports.handler = async (event) => {
        const kept = []; while (event.eat) kept.push(new Array(1000).fill({ a: kept.length }));
        return 'fine' }";
    let hungry = world.script("hungry", text);
    let hungry = Arc::new(Function { memory_mib: 64, ..(*hungry).clone() });
    let failure = world.call(&hungry, json!({ "eat": true })).await.unwrap_err().to_string();
    assert!(failure.contains("heap out of memory"), "{failure}");
    assert_eq!(world.call(&hungry, json!({})).await.unwrap(), "fine");
}

#[tokio::test]
async fn a_thousand_invocations_at_once_get_their_own_answers() {
    let world = World::new();
    let text = "const { AsyncLocalStorage } = require('async_hooks'); const store = new AsyncLocalStorage();
        exports.handler = async (event, context) => {
          if (store.getStore() !== undefined) throw new Error('a value of another invocation');
          store.enterWith(event.n);
          if (event.n % 3 === 0) await new Promise((ok) => setTimeout(ok, 1));
          console.log('n=' + event.n);
          return { n: store.getStore(), id: context.awsRequestId } }";
    let function = world.script("echo", text);
    let calls = (0..1000).map(|n| {
        let (world, function) = (&world, &function);
        async move {
            let id = format!("request-{n}");
            let got = world.call_as(function, json!({ "n": n }), &id).await.unwrap();
            assert_eq!(got, json!({ "n": n, "id": id }));
        }
    });
    futures_util::future::join_all(calls).await;
    let log = world.log.lock().unwrap();
    let printed: Vec<_> = log.iter().filter(|line| line.source == LogSource::Stdout).collect();
    assert_eq!(printed.len(), 1000);
    for line in printed {
        let expected = line.line.replace("n=", "request-");
        assert_eq!(line.request_id.as_deref(), Some(&*expected));
        assert_eq!(&*line.function, "hello-dev");
    }
}

#[tokio::test]
async fn a_changed_function_gets_new_workers_and_an_unchanged_one_keeps_them() {
    let world = World::with(|options| options.max_workers = 1);
    let text = "exports.handler = async () => [process.env.V, process.pid]";
    let old = world.script("versions", text);
    let with = |v: &str| {
        Arc::new(Function { environment: vec![("V".into(), v.into())], ..(*old).clone() })
    };
    let (first, same, second) = (with("1"), with("1"), with("2"));
    let before = world.call(&first, json!({})).await.unwrap();
    assert_eq!(world.call(&same, json!({})).await.unwrap(), before, "an equal function");
    let after = world.call(&second, json!({})).await.unwrap();
    assert_eq!(after[0], "2");
    assert_ne!(after[1], before[1]);
    world.logged("not needed any more").await;
    // A request that still holds the old configuration runs the old code and disturbs nothing.
    assert_eq!(world.call(&same, json!({})).await.unwrap()[0], "1");
    assert_eq!(world.call(&second, json!({})).await.unwrap(), after);
    // Files changed below the same definition.
    world.script("versions", "exports.handler = async () => 'new file'");
    world.host.replace(&second);
    assert_eq!(world.call(&second, json!({})).await.unwrap(), "new file");
}

#[tokio::test]
async fn code_that_does_not_load_leaves_the_version_before_answering() {
    let world = World::with(|options| options.max_workers = 1);
    let text = |v: u8| format!("exports.handler = async () => [{v}, process.pid]");
    let function = world.script("saved", &text(1));
    let first = world.call(&function, json!({})).await.unwrap();
    // Twice broken in different ways, and asked again after the pauses between attempts to start.
    for broken in ["exports.handler = ", "throw new Error('no database')"] {
        world.script("saved", broken);
        world.host.replace(&function);
        for _ in 0..3 {
            assert_eq!(world.call(&function, json!({})).await.unwrap(), first, "{broken}");
        }
    }
    world.logged("no database").await;
    world.logged("what was served before goes on answering").await;
    // The definition changes while the files are still broken.
    let rewritten = Arc::new(Function { memory_mib: 512, ..(*function).clone() });
    assert_eq!(world.call(&rewritten, json!({})).await.unwrap(), first);
    world.host.replace(&Arc::new((*rewritten).clone()));
    assert_eq!(world.call(&rewritten, json!({})).await.unwrap(), first);
    // And back again: it is still the first worker.
    let back = Arc::new((*function).clone());
    assert_eq!(world.call(&back, json!({})).await.unwrap(), first);

    world.script("saved", &text(2));
    world.host.replace(&back);
    assert_eq!(world.call(&back, json!({})).await.unwrap()[0], 2);
    world.logged("not needed any more").await;
    // What was removed is not kept for anybody.
    world.script("saved", "broken(");
    world.host.replace(&back);
    world.host.retire(&back);
    assert!(world.failure(&back).await.contains("SyntaxError"));
}

#[tokio::test]
async fn a_prewarmed_function_keeps_one_worker_and_others_let_idle_ones_go() {
    let world = World::with(|options| options.idle = Duration::from_millis(50));
    let text = "exports.handler = async () => process.pid";
    let (warm, other) = (world.script("warm", text), world.script("other", text));
    world.host.prewarm(&warm);
    world.logged("worker ready").await;
    assert_eq!(world.lines(|line| line.line.starts_with("worker ready")).len(), 1);
    let pid = world.call(&warm, json!({})).await.unwrap();
    world.call(&other, json!({})).await.unwrap();
    world.logged("not needed any more").await;
    // It was idle for longer than the other one.
    assert_eq!(world.call(&warm, json!({})).await.unwrap(), pid);
    world.host.shutdown();
}

#[test]
fn callers_on_any_runtime_share_the_same_warm_worker() {
    let world = World::with(|options| options.max_workers = 1);
    let function = world.script("shared", "exports.handler = async () => process.pid");
    let call = || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(world.call(&function, json!({}))).unwrap()
    };
    let first = call();
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..3).map(|_| scope.spawn(call)).collect();
        for caller in callers {
            assert_eq!(caller.join().unwrap(), first);
        }
    });
}

#[tokio::test]
async fn a_full_queue_refuses_and_a_long_wait_ends() {
    let world = World::with(|options| {
        options.max_workers = 1;
        options.queue = 1;
        options.queue_time = Duration::from_millis(300);
    });
    let text = "exports.handler = async (e) => { console.log('begun'); await new Promise((ok) => setTimeout(ok, e.ms)); return 1 }";
    let function = world.script("busy", text);
    // The worker is warm before the clock of the queue matters.
    while world.call(&function, json!({ "ms": 0 })).await.is_err() {}
    world.log.lock().unwrap().clear();
    let busy = world.call(&function, json!({ "ms": 1500 }));
    let others = async {
        world.logged("begun").await;
        tokio::join!(
            biased;
            world.call(&function, json!({ "ms": 0 })),
            world.call(&function, json!({ "ms": 0 })),
        )
    };
    let (busy, (waits, refused)) = tokio::join!(busy, others);
    assert_eq!(busy.unwrap(), 1);
    assert!(matches!(waits, Err(InvokeError::QueueTimeout { .. })), "{waits:?}");
    assert!(matches!(refused, Err(InvokeError::QueueFull { waiting: 1 })), "{refused:?}");
}

#[tokio::test]
async fn shutting_down_ends_workers_and_their_children_whatever_they_do() {
    let world = World::new();
    let text = "exports.handler = async () => {
        const child = require('child_process').spawn('sleep', ['600']);
        console.log('pids ' + process.pid + ' ' + child.pid); for (;;); }";
    let function = world.script("stuck", text);
    let call = world.call(&function, json!({}));
    let stop = async {
        world.logged("pids").await;
        world.host.shutdown();
    };
    let (answer, ()) = tokio::join!(call, stop);
    assert!(matches!(answer, Err(InvokeError::Stopped)), "{answer:?}");
    let line = world.lines(|line| line.line.starts_with("pids")).remove(0);
    for pid in line.split(' ').skip(1) {
        // The sleep is reaped by whoever inherits it: gone, or a zombie for a moment.
        let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        assert!(status.is_empty() || status.contains(") Z "), "{pid}: {status}");
    }
    let late = world.call(&function, json!({})).await;
    assert!(matches!(late, Err(InvokeError::Stopped)), "{late:?}");
}

#[tokio::test]
async fn a_crash_loop_slows_down_and_a_good_answer_ends_it() {
    let world = World::with(|options| options.max_workers = 1);
    let text = "exports.handler = async (e) => { if (e.crash) process.exit(1); return 'fine' }";
    let function = world.script("crashes", text);
    for _ in 0..5 {
        let failure = world.call(&function, json!({ "crash": true })).await.unwrap_err();
        assert!(matches!(failure, InvokeError::Exited { .. }), "{failure}");
    }
    // Three are free; after the fourth and fifth the next request waits, and still gets its own worker.
    let pauses = |world: &World| world.lines(|line| line.line.contains("one after the other"));
    assert_eq!(world.call(&function, json!({})).await.unwrap(), "fine");
    let said = pauses(&world);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].starts_with("4 workers ended"), "{said:?}");
    assert!(said[1].starts_with("5 workers ended"), "{said:?}");
    let _ = world.call(&function, json!({ "crash": true })).await;
    assert_eq!(world.call(&function, json!({})).await.unwrap(), "fine");
    assert_eq!(pauses(&world).len(), 2, "a good answer ended the loop");
}

#[tokio::test]
async fn without_node_every_request_says_what_to_do() {
    let world = World::with(|options| options.node = Some("/nowhere/node".into()));
    let function = world.script("any", "exports.handler = async () => 1");
    let failure = world.failure(&function).await;
    assert!(failure.contains("looked for /nowhere/node"), "{failure}");
    assert!(failure.contains("Install Node.js 20 or newer"), "{failure}");
    let python =
        Function { runtime: Runtime::Unsupported("python3.12".into()), ..(*function).clone() };
    assert!(world.failure(&Arc::new(python)).await.contains("python3.12"));
}

/// The edge of the next test, in a process that is killed: one worker waits, one never stops.
#[tokio::test]
#[ignore = "runs inside of the next test"]
async fn an_edge_to_be_killed() {
    let world = World::new();
    let text = "exports.handler = async (e) => {
        console.log('pid ' + process.pid); while (e.loop); return process.pid }";
    let (idle, stuck) = (world.script("idle", text), world.script("stuck", text));
    let idle = world.call(&idle, json!({})).await.unwrap();
    world.log.lock().unwrap().clear();
    let stuck = world.call(&stuck, json!({ "loop": true }));
    let told = async {
        world.logged("pid ").await;
        let line = world.lines(|line| line.line.starts_with("pid ")).remove(0);
        println!("\nworkers {idle} {}", &line[4..]);
        std::future::pending::<()>().await;
    };
    let _ = tokio::join!(stuck, told);
}

#[tokio::test]
async fn the_workers_of_a_killed_edge_end_too() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    use tokio::io::unix::AsyncFd;

    #[expect(
        deprecated,
        reason = "its successor is unsafe; this descriptor is owned and stays open"
    )]
    fn watched(process: std::os::fd::OwnedFd) -> AsyncFd<std::os::fd::OwnedFd> {
        AsyncFd::new(process).unwrap()
    }

    let directory = tempfile::tempdir().unwrap();
    let mut edge = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "function::lambda::tests::workers::an_edge_to_be_killed"])
        .args(["--ignored", "--nocapture"])
        .env("TMPDIR", directory.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(edge.stdout.take().unwrap()).lines();
    let told = lines.map(Result::unwrap).find(|line| line.starts_with("workers ")).unwrap();
    let alive: Vec<_> = told
        .split(' ')
        .skip(1)
        .map(|pid| rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap())
        .map(|pid| rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::NONBLOCK).unwrap())
        .map(watched)
        .collect();
    edge.kill().unwrap();
    edge.wait().unwrap();
    let [idle, stuck] = &alive[..] else { panic!("{told}") };
    let patience = Duration::from_secs(20);
    let _ended =
        tokio::time::timeout(patience, idle.readable()).await.expect("the idle one").unwrap();
    // The handler that never returns needs the kernel's help, where there is setpriv to ask for it.
    if NodeRuntime::find().unwrap().guard.is_some() {
        let _ended =
            tokio::time::timeout(patience, stuck.readable()).await.expect("the stuck one").unwrap();
    }
}

/// Prints the round trip of a warm invocation; run with `--ignored --nocapture`.
#[tokio::test]
#[ignore = "a measurement"]
async fn warm_round_trip() {
    let world = World::new();
    let function = world
        .script("warm", "exports.handler = async (e) => ({ statusCode: 200, body: e.rawPath })");
    let event = Bytes::from(json!({ "rawPath": "/", "pad": "x".repeat(1200) }).to_string());
    let mut took = Vec::new();
    for _ in 0..20_000 {
        let started = Instant::now();
        world.host.invoke(&function, event.clone(), "request").await.unwrap();
        took.push(started.elapsed());
    }
    took.sort_unstable();
    println!(
        "min {:?}, p50 {:?}, p90 {:?}, p99 {:?}",
        took[0], took[10_000], took[18_000], took[19_800]
    );
}
