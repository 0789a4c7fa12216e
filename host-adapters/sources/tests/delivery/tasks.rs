//! Executions of tasks (docs/delivery.md, 13).

use crate::model::{End, TaskReply, World, down};
use crate::rows;
use host_adapters_delivery::dispatch::CallError;
use host_adapters_delivery::drain::Ended;
use host_adapters_delivery::event::Request;
use host_adapters_platform::task::{MAX_TASK_BYTES, TaskError, TaskFailure};
use host_adapters_records::{Error, ErrorKind};
use host_adapters_sources::SourceConfig;
use host_adapters_sources::task::TaskConfig;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A world whose worker answers requests.
fn world(answer: impl FnMut(&Request) -> TaskReply + Send + 'static) -> World {
    let world = World::new(|_| unreachable!("a task is not a batch"));
    world.worker.does(answer);
    world
}

fn tasks(config: TaskConfig) -> SourceConfig {
    SourceConfig::Task(config)
}

fn one() -> SourceConfig {
    tasks(TaskConfig { max_concurrency: 1, ..TaskConfig::default() })
}

fn failure(error: TaskError, cause: &str) -> Option<End> {
    Some(End::Failed(TaskFailure { error, cause: cause.to_owned() }))
}

fn done() -> Option<End> {
    Some(End::Succeeded("{}".to_owned()))
}

/// Every request: when, of which execution, which attempt.
fn requests(world: &World) -> Vec<(u64, String, u32)> {
    let requests = world.worker.requests().into_iter();
    requests.map(|(at, request)| (at, request.task_id.unwrap(), request.attempt)).collect()
}

/// When each attempt of an execution began.
fn times(world: &World, id: &str) -> Vec<u64> {
    requests(world).into_iter().filter(|(_, task, _)| task == id).map(|(at, ..)| at).collect()
}

/// A worker whose service can be switched off.
fn with_service(up: &Arc<AtomicBool>) -> impl FnMut(&Request) -> TaskReply + Send + 'static {
    let up = up.clone();
    move |_| match up.load(Ordering::Relaxed) {
        true => TaskReply::status(200, "{}"),
        false => TaskReply::failed("no service").outage("service:code"),
    }
}

const ROUTE: &str = "service:code POST /{campaignId}/codes/reserve: every request is answered with 404";

rows! {
    /// Their store keeps them, with input and outcome (`tests/contract/suites/tasks.rs`).
    d12_7__an_execution_ends_in_three_ways_and_is_never_a_dead_letter {
        let world = world(|request| match request.body.as_str() {
            "\"good\"" => TaskReply::status(200, "{}"),
            "\"bad\"" => TaskReply::failed("later"),
            _ => TaskReply::status(200, "{}").takes(600),
        });
        world.executions.start(["good", "bad", "long"]);
        world.start(tasks(TaskConfig::default()));
        world.at(1.0).await;
        world.executions.stop("long");
        world.at(600.0).await;
        let ends = ["good", "bad", "long"].map(|name| world.executions.end(name));
        assert_eq!(ends, [done(), failure(TaskError::Failed, "later"), Some(End::Stopped)]);
        let dead_letters = ["saveEntriesDlq", "save-entriesDlq", "taskDlq"].map(|queue| world.queues.asked(queue).len());
        assert_eq!(dead_letters, [0, 0, 0]);
    }

    d13_2__executions_begin_in_their_order_and_only_so_many_side_by_side {
        let world = world(|_| TaskReply::status(200, "{}").takes(10));
        world.executions.start(["a", "b", "c", "d", "e"]);
        world.start(tasks(TaskConfig { max_concurrency: 2, ..TaskConfig::default() }));
        world.at(100.0).await;
        let began: Vec<_> = requests(&world).into_iter().map(|(at, task, _)| (at, task)).collect();
        let expected = [(0, "a"), (0, "b"), (10_000, "c"), (10_000, "d"), (20_000, "e")];
        assert_eq!(began, expected.map(|(at, name)| (at, format!("id-{name}"))));
        world.executions.start(["f"]);
        world.at(100.5).await;
        assert_eq!(times(&world, "id-f"), [100_000], "at once");
    }

    d13_3__a_status_2xx_is_the_output_and_another_one_the_end {
        let world = world(|request| match request.body.as_str() {
            "\"good\"" => TaskReply::status(201, "{\"n\":12345678901234567890123}"),
            "\"refused\"" => TaskReply::status(422, "{\"error\":\"no\"}"),
            "\"down\"" => TaskReply::status(503, "{}"),
            _ => TaskReply::new(Err(CallError::Permanent("never".to_owned()))),
        });
        world.executions.start(["good", "refused", "down", "permanent"]);
        world.start(one());
        world.at(200.0).await;
        let end = |name| world.executions.end(name);
        assert_eq!(end("good"), Some(End::Succeeded("{\"n\":12345678901234567890123}".to_owned())));
        assert_eq!(end("refused"), failure(TaskError::Refused, "status 422: {\"error\":\"no\"}"));
        assert_eq!(end("down"), failure(TaskError::Refused, "status 503: {}"));
        assert_eq!(end("permanent"), failure(TaskError::Refused, "never"));
        assert_eq!(requests(&world).len(), 4, "one attempt each");
    }

    d13_3__an_output_that_cannot_be_kept_is_a_failure {
        let world = world(|request| match request.body.as_str() {
            "\"large\"" => TaskReply::status(200, &format!("\"{}\"", "a".repeat(MAX_TASK_BYTES))),
            "\"just\"" => TaskReply::status(200, &format!("\"{}\"", "a".repeat(MAX_TASK_BYTES - 2))),
            _ => TaskReply::status(200, "<html>"),
        });
        world.executions.start(["large", "just", "page"]);
        world.start(one());
        world.at(1.0).await;
        for name in ["large", "page"] {
            let end = world.executions.end(name).unwrap();
            assert!(matches!(&end, End::Failed(failure) if failure.error == TaskError::BadOutput), "{end:?}");
        }
        assert!(matches!(world.executions.end("just"), Some(End::Succeeded(_))));
    }

    d13_4__failures_are_tried_again_after_waits_and_end_the_execution {
        let results = [
            CallError::Failed("later".to_owned()),
            CallError::Trapped("unreachable".to_owned()),
            CallError::TimedOut(Duration::from_secs(900)),
        ];
        let mut calls = results.into_iter();
        let world = world(move |_| TaskReply::new(Err(calls.next().unwrap())));
        world.executions.start(["a"]);
        world.start(one());
        world.at(600.0).await;
        assert_eq!(world.executions.end("a"), failure(TaskError::TimedOut, "worker did not answer within 900s"));
        assert_eq!(world.executions.attempts("a"), (3, 3));
        let began = times(&world, "id-a");
        let waits: Vec<_> = began.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!((1_000..=2_000).contains(&waits[0]) && (1_000..=4_000).contains(&waits[1]), "{waits:?}");
    }

    d13_4__so_many_failures_are_allowed {
        for (max_attempts, failures, succeeds) in [(1, 1, false), (5, 4, true), (5, 5, false), (100, 60, true)] {
            let mut left = failures;
            let world = world(move |_| match left {
                0 => TaskReply::status(200, "{}"),
                _ => {
                    left -= 1;
                    TaskReply::failed("later")
                }
            });
            world.executions.start(["a"]);
            world.start(tasks(TaskConfig { max_attempts, ..TaskConfig::default() }));
            world.at(4_000.0).await;
            let expected = if succeeds { done() } else { failure(TaskError::Failed, "later") };
            assert_eq!(world.executions.end("a"), expected, "{failures} of {max_attempts}");
            assert_eq!(world.executions.attempts("a").1, failures);
        }
    }

    /// The state machine's `Retry` counts, so the source asks for another attempt each time.
    d13_4__a_backend_that_counts_attempts_is_asked_for_another_each_time {
        let world = world(|request| match request.attempt {
            ..=10 => TaskReply::failed("later"),
            _ => TaskReply::new(Err(CallError::Permanent("never".to_owned()))),
        });
        world.executions.limit_attempts();
        world.executions.start(["a"]);
        world.start(one());
        world.at(1_000.0).await;
        assert_eq!(world.executions.end("a"), failure(TaskError::Refused, "never"));
        assert_eq!(world.executions.attempts("a"), (11, 11));
    }

    d13_4__others_go_on_while_one_waits {
        let world = world(|request| match request.body.as_str() {
            "\"poison\"" => TaskReply::failed("later"),
            _ => TaskReply::status(200, "{}"),
        });
        world.executions.start(["poison", "good"]);
        world.start(one());
        world.at(0.5).await;
        assert_eq!((world.executions.end("poison"), world.executions.end("good")), (None, done()));
    }

    d13_5__an_attempt_names_its_execution_and_its_number {
        let world = world(|request| match request.attempt {
            1 => TaskReply::failed("later"),
            _ => TaskReply::status(200, "{}"),
        });
        world.executions.start(["a"]);
        world.start(one());
        world.at(10.0).await;
        let requests = requests(&world);
        assert_eq!(requests.iter().map(|(_, id, n)| (id.as_str(), *n)).collect::<Vec<_>>(), [("id-a", 1), ("id-a", 2)]);
        let (_, request) = world.worker.requests().pop().unwrap();
        assert_eq!((request.body.as_str(), request.token, request.correlation_id.as_str()), ("\"a\"", None, "id-a"));
    }

    /// In an outage, over a crash and over a drain: no number is used twice, and each is stored before its call.
    d13_5__no_two_attempts_have_the_same_number {
        let up = Arc::new(AtomicBool::new(false));
        let world = world(with_service(&up));
        world.executions.start(["a"]);
        let first = world.start(one());
        world.at(200.0).await;
        assert_eq!(world.executions.attempts("a").0 as usize, requests(&world).len(), "what was called is stored");
        first.kill().await;
        let (drain, before) = (host_adapters_delivery::drain::Drain::new(), requests(&world).len());
        let second = world.start_with(one(), &drain);
        world.at(400.0).await;
        drain.finish(Duration::from_secs(25), second.task).await.unwrap();
        let between = requests(&world).len();
        world.start(one());
        world.at(600.0).await;
        up.store(true, Ordering::Relaxed);
        world.at(700.0).await;
        assert_eq!(world.executions.end("a"), done());
        let numbers: Vec<_> = requests(&world).into_iter().map(|(.., number)| number).collect();
        assert!(before > 3 && between > before + 3 && numbers.len() > between + 3, "{before} {between} {numbers:?}");
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
        assert_eq!(world.executions.attempts("a"), (*numbers.last().unwrap(), 0));
    }

    /// The store fails while the next attempt is counted: it is not made before.
    d13_5__an_attempt_that_cannot_be_counted_waits {
        let up = Arc::new(AtomicBool::new(false));
        let world = world(with_service(&up));
        world.executions.faults.plan("repeat", 3, down());
        world.executions.start(["a"]);
        world.start(one());
        world.at(0.5).await;
        up.store(true, Ordering::Relaxed);
        world.at(100.0).await;
        assert_eq!(requests(&world).into_iter().map(|(.., number)| number).collect::<Vec<_>>(), [1, 2]);
        assert_eq!((world.executions.end("a"), world.executions.attempts("a")), (done(), (2, 0)));
    }

    d13_5__an_attempt_knows_whether_another_one_follows {
        for (limits_attempts, expected) in [(false, vec![true, true, false]), (true, vec![false; 3])] {
            let world = world(|request| match request.attempt {
                ..3 => TaskReply::failed("later"),
                _ => TaskReply::status(200, "{}"),
            });
            if limits_attempts {
                world.executions.limit_attempts();
            }
            world.executions.start(["a"]);
            world.start(one());
            world.at(1_000.0).await;
            let remain: Vec<_> = world.worker.requests().into_iter().map(|(_, it)| it.attempts_remain).collect();
            assert_eq!(remain, expected, "max_attempts is 3");
        }
    }

    d13_7__heartbeats_keep_a_long_attempt {
        let world = world(|_| TaskReply::status(200, "{}").takes(900));
        world.executions.start(["a"]);
        world.start(tasks(TaskConfig { max_concurrency: 2, ..TaskConfig::default() }));
        world.at(1_000.0).await;
        assert_eq!((world.executions.end("a"), requests(&world).len()), (done(), 1), "nobody took it meanwhile");
        let beats = world.executions.asked_at("heartbeat");
        assert_eq!(beats.len(), 89, "{beats:?}");
        assert!(beats.windows(2).all(|pair| pair[1] - pair[0] == 10_000), "{beats:?}");
    }

    d13_7__heartbeats_that_fail_now_and_then_cost_nothing {
        let world = world(|_| TaskReply::status(200, "{}").takes(100));
        world.executions.faults.plan("heartbeat", 2, down());
        world.executions.start(["a"]);
        world.start(one());
        world.at(200.0).await;
        assert_eq!((world.executions.end("a"), requests(&world).len()), (done(), 1));
    }

    d13_7__without_heartbeats_the_work_ends_and_another_attempt_begins {
        let world = world(|request| TaskReply::status(200, "{}").takes(if request.attempt == 1 { 900 } else { 1 }));
        world.executions.faults.plan("heartbeat", 3, down());
        world.executions.start(["a"]);
        world.start(one());
        world.at(100.0).await;
        assert_eq!(world.executions.end("a"), done());
        assert_eq!(times(&world, "id-a"), [0, 35_000], "the only runner was free at the end of the lease");
        assert_eq!(world.executions.attempts("a"), (2, 0), "no failure");
        assert_eq!(world.executions.asked_at("succeed"), [36_000], "of the second alone");
    }

    d13_8__a_stopped_execution_ends_with_the_next_heartbeat {
        let world = world(|_| TaskReply::status(200, "{}").takes(600));
        world.executions.start(["a", "b"]);
        world.start(one());
        world.at(5.0).await;
        world.executions.stop("a");
        world.at(11.0).await;
        assert_eq!(world.executions.end("a"), Some(End::Stopped));
        assert_eq!((times(&world, "id-a"), times(&world, "id-b")), (vec![0], vec![10_000]), "its place is free");
        world.at(620.0).await;
        assert_eq!((world.executions.end("a"), world.executions.end("b")), (Some(End::Stopped), done()));
    }

    /// An hour without the service: one execution is the probe, the other that was in progress waits, no other begins.
    d13_9__an_outage_uses_no_attempt {
        let up = Arc::new(AtomicBool::new(false));
        let world = world(with_service(&up));
        world.executions.start(["a", "b", "c", "d"]);
        let running = world.start(tasks(TaskConfig { max_concurrency: 2, ..TaskConfig::default() }));
        world.at(3_600.0).await;
        assert_eq!(running.source.status().paused.unwrap().reason, "service:code");
        assert_eq!((times(&world, "id-c"), times(&world, "id-d")), (vec![], vec![]), "none is begun");
        let probes = requests(&world).len();
        assert!((60..200).contains(&probes), "{probes} probes in an hour");
        assert_eq!(world.executions.asked_at("fail"), [0; 0]);
        up.store(true, Ordering::Relaxed);
        world.at(3_700.0).await;
        assert!(["a", "b", "c", "d"].iter().all(|name| world.executions.end(name) == done()));
        assert_eq!(running.source.status().paused, None);
        let [of_a, of_b] = ["a", "b"].map(|name| world.executions.attempts(name));
        assert!(of_a.0.max(of_b.0) > 30 && (of_a.1, of_b.1) == (0, 0), "each call is an attempt: {of_a:?} {of_b:?}");
        assert_eq!((of_a.0 + of_b.0) as usize, requests(&world).len() - 2, "and c and d have one each");
    }

    d13_9__a_worker_that_cannot_be_called_is_an_outage {
        let world = world(|_| TaskReply::new(Err(CallError::NotCallable("does not compile".to_owned()))));
        world.executions.start(["a"]);
        let running = world.start(one());
        world.at(600.0).await;
        assert_eq!(running.source.status().paused.unwrap().reason, "worker:save-entries: does not compile");
        world.worker.does(|_| TaskReply::status(200, "{}"));
        world.at(700.0).await;
        assert_eq!(world.executions.end("a"), done());
    }

    /// Only one execution is refused; nothing else indicates an outage.
    d13_9__refusals_of_one_execution_alone_are_its_own_in_the_end {
        let world = world(|request| match request.body.as_str() {
            "\"poison\"" => TaskReply::failed("the code service refused with status 404").refused(ROUTE),
            _ => TaskReply::status(200, "{}"),
        });
        world.executions.start(["poison", "good"]);
        world.start(one());
        world.at(2.0).await;
        assert_eq!((world.executions.end("poison"), world.executions.end("good")), (None, None), "they may be an outage");
        world.at(300.0).await;
        assert_eq!(world.executions.end("good"), done(), "another one was the probe");
        world.at(1_200.0).await;
        assert_eq!(
            world.executions.end("poison"),
            failure(TaskError::Failed, "the code service refused with status 404"),
        );
        assert_eq!(world.executions.attempts("poison").1, 3);
        let began = times(&world, "id-poison");
        assert!(*began.last().unwrap() > 180_000, "a pause for each failure: {began:?}");
    }

    d13_9__a_backend_that_is_down_is_probed_until_it_is_up {
        let world = world(|_| TaskReply::status(200, "{}"));
        world.executions.faults.plan("take", 5, down());
        world.executions.start(["a"]);
        let running = world.start(one());
        world.at(0.5).await;
        assert_eq!(running.source.status().paused.unwrap().reason, "task: connection refused");
        world.at(300.0).await;
        assert_eq!((world.executions.end("a"), running.source.status().paused), (done(), None));
    }

    d13_10__a_drain_lets_attempts_end_and_begins_none {
        let world = world(|_| TaskReply::status(200, "{}").takes(20));
        world.executions.start(["a", "b"]);
        let running = world.start(one());
        world.at(5.0).await;
        let ended = world.drain.finish(Duration::from_secs(25), running.task).await.unwrap();
        assert_eq!((ended, world.now_ms()), (Ended::Drained, 20_000));
        assert_eq!((world.executions.end("a"), world.executions.end("b")), (done(), None));
        assert_eq!(world.executions.attempts("b"), (0, 0));
    }

    d13_10__at_the_deadline_attempts_are_released_and_have_not_failed {
        let world = world(|_| TaskReply::status(200, "{}").takes(900));
        world.executions.start(["a", "b"]);
        let running = world.start(tasks(TaskConfig { max_concurrency: 2, max_attempts: 1, ..TaskConfig::default() }));
        world.at(5.0).await;
        let ended = world.drain.finish(Duration::from_secs(25), running.task).await.unwrap();
        assert_eq!((ended, world.now_ms()), (Ended::Abandoned(2), 30_000));
        assert_eq!((world.executions.attempts("a"), world.executions.end("a")), ((1, 0), None));
        // The next host begins them at once.
        world.worker.does(|_| TaskReply::status(200, "{}"));
        world.start_with(one(), &host_adapters_delivery::drain::Drain::new());
        world.at(31.0).await;
        assert_eq!((world.executions.end("a"), world.executions.attempts("a")), (done(), (2, 0)));
    }

    d13_10__a_paused_source_releases_its_executions_at_once {
        let world = world(with_service(&Arc::default()));
        world.executions.start(["a"]);
        let running = world.start(one());
        world.at(100.25).await;
        let ended = world.drain.finish(Duration::from_secs(25), running.task).await.unwrap();
        assert!(matches!(ended, Ended::Abandoned(1)) && world.now_ms() < 100_500, "{ended:?} at {}", world.now_ms());
        assert_eq!(world.executions.attempts("a"), (u32::try_from(requests(&world).len()).unwrap(), 0));
    }

    d13_12__an_outcome_that_cannot_be_stored_is_stored_later {
        let world = world(|_| TaskReply::status(200, "{}"));
        world.executions.faults.plan("succeed", 4, down());
        world.executions.start(["a"]);
        world.start(one());
        world.at(60.0).await;
        assert_eq!((world.executions.end("a"), requests(&world).len()), (done(), 1), "the work was done once");
    }

    d13_12__an_outcome_that_is_refused_ends_the_attempt {
        let world = world(|_| TaskReply::status(200, "{}"));
        world.executions.faults.plan("succeed", 1, Error::new(ErrorKind::Invalid, "no such token"));
        world.executions.start(["a", "b"]);
        world.start(one());
        world.at(1.0).await;
        assert_eq!((world.executions.end("a"), world.executions.end("b")), (None, done()), "its runner goes on");
        world.at(36.0).await;
        assert_eq!((world.executions.end("a"), requests(&world).len()), (done(), 3), "with the end of the lease");
    }

    /// The only place is given to others meanwhile; the wait is not a failure, however long it is.
    d13_13__an_execution_that_waits_gives_its_place_to_others_and_has_not_failed {
        let is_free = Arc::new(AtomicBool::new(false));
        let free = is_free.clone();
        let world = world(move |request| match (request.body.as_str(), free.load(Ordering::Relaxed)) {
            ("\"waits\"", false) => TaskReply::status(429, "taken"),
            _ => TaskReply::status(200, "{}"),
        });
        world.executions.start(["waits", "good"]);
        let running = world.start(tasks(TaskConfig { max_concurrency: 1, max_attempts: 1, ..TaskConfig::default() }));
        world.at(0.5).await;
        assert_eq!((world.executions.end("waits"), world.executions.end("good")), (None, done()));
        world.at(3_600.0).await;
        let began = times(&world, "id-waits");
        let waits: Vec<_> = began.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(waits.len() > 900 && waits.iter().all(|wait| (1_000..=4_010).contains(wait)), "{waits:?}");
        assert!(world.executions.asked().iter().any(|(_, asked)| asked == "postpone waits status 429: taken"));
        assert_eq!((running.source.status().paused, world.executions.attempts("waits").1), (None, 0));
        is_free.store(true, Ordering::Relaxed);
        world.at(3_605.0).await;
        assert_eq!(world.executions.end("waits"), done());
    }

    /// Where the backend ends attempts that take too long, none waits for the end of an outage. One that is begun before
    /// the outage fails in it, too.
    d14_8__in_an_outage_attempts_are_handed_back_and_none_is_repeated {
        let up = Arc::new(AtomicBool::new(false));
        let world = world(with_service(&up));
        world.executions.limit_attempts();
        world.executions.start(["a", "b", "c", "d"]);
        let running = world.start(tasks(TaskConfig { max_concurrency: 3, ..TaskConfig::default() }));
        world.at(7_200.0).await;
        assert_eq!(running.source.status().paused.unwrap().reason, "service:code");
        assert!(world.executions.asked().iter().all(|(_, asked)| asked.starts_with("hand-back")));
        assert!(world.executions.asked().iter().all(|(_, asked)| asked.ends_with(" service:code")));
        let calls = requests(&world);
        assert!((80..400).contains(&calls.len()), "{} probes in two hours", calls.len());
        for name in ["a", "b", "c", "d"] {
            let id = format!("id-{name}");
            let numbers: Vec<_> = calls.iter().filter(|(_, task, _)| *task == id).map(|(.., number)| *number).collect();
            assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
            let (begun, failures) = world.executions.attempts(name);
            let handed_back = world.executions.asked_at(&format!("hand-back {name} ")).len();
            assert!(begun as usize - handed_back <= 1 && failures == 0, "{name}: {begun} {handed_back} {failures}");
        }
        up.store(true, Ordering::Relaxed);
        world.at(7_400.0).await;
        assert!(["a", "b", "c", "d"].iter().all(|name| world.executions.end(name) == done()));
        assert_eq!(running.source.status().paused, None);
    }

    /// The other one is the probe, which takes a minute; the polls of both began before.
    d14_8__an_attempt_that_cannot_be_made_is_handed_back {
        let up = Arc::new(AtomicBool::new(false));
        let mut answer = with_service(&up);
        let world = world(move |request| answer(request).takes(60));
        world.executions.limit_attempts();
        world.executions.start(["a"]);
        let running = world.start(tasks(TaskConfig { max_concurrency: 2, ..TaskConfig::default() }));
        world.at(92.5).await;
        assert_eq!((world.executions.asked_at("hand-back a"), times(&world, "id-a")), (vec![60_000], vec![0, 90_000]));
        world.executions.start(["b"]);
        world.at(130.0).await;
        assert_eq!(world.executions.asked_at("hand-back b"), [97_500]);
        assert_eq!(times(&world, "id-b"), [0; 0], "it was not called");
        world.executions.start(["c"]);
        let ended = world.drain.finish(Duration::from_secs(10), running.task).await.unwrap();
        assert_eq!((ended, world.now_ms()), (Ended::Abandoned(1), 140_000));
        assert_eq!(world.executions.asked_at("release"), [140_000], "of the probe");
    }

    /// Each attempt is called once, and its refusals count with those of the attempts before.
    d14_8__refusals_are_counted_over_attempts_that_were_handed_back {
        let world = world(|request| match request.body.as_str() {
            "\"poison\"" => TaskReply::failed("the code service refused with status 404").refused(ROUTE),
            _ => TaskReply::status(200, "{}"),
        });
        world.executions.limit_attempts();
        world.executions.start(["poison", "good"]);
        world.start(one());
        world.at(300.0).await;
        assert_eq!(world.executions.end("good"), done(), "another one was the probe");
        let began = times(&world, "id-poison");
        let failed = world.executions.asked_at("fail poison");
        assert!(began.len() >= 3 && began.contains(&failed[0]) && failed[0] >= 60_000, "{began:?} {failed:?}");
        let back = world.executions.asked_at("hand-back poison");
        assert!(back.iter().filter(|at| **at < failed[0]).count() >= 2, "{back:?} {failed:?}");
    }

    /// Only the backend is told by a killed host, when the lease is over.
    d13_7__a_killed_hosts_attempt_is_made_again {
        let world = world(|request| TaskReply::status(200, "{}").takes(if request.attempt == 1 { 900 } else { 1 }));
        world.executions.start(["a"]);
        let running = world.start(one());
        world.at(5.0).await;
        running.kill().await;
        world.start(one());
        world.at(60.0).await;
        assert_eq!((world.executions.end("a"), times(&world, "id-a")), (done(), vec![0, 35_000]));
    }
}
