//! Attempts of tasks in the small world.

use super::{Fault, World};
use crate::failed::WAITS;
use crate::handle;
use crate::input::Selection;
use futures::executor::block_on;
use futures::future::join;
use serde_json::Value;
use std::pin::pin;
use std::task::Poll;
use worker_kit::{Failure, Response};

/// How an attempt ended.
#[derive(Debug)]
pub enum Attempt {
    /// The instance died.
    Died,
    /// It answered.
    Answered(Result<Response, Failure>),
}

impl Attempt {
    /// The answer of an attempt that succeeded.
    pub fn output(self) -> Value {
        match self {
            Self::Answered(Ok(Response { status: 200, body })) => serde_json::from_str(&body).unwrap(),
            other => unreachable!("not a success: {other:?}"),
        }
    }

    /// Status and answer of an attempt after which the execution has failed.
    pub fn failure(self) -> (u16, Value) {
        match self {
            Self::Answered(Ok(Response { status, body })) if status != 200 => {
                (status, serde_json::from_str(&body).unwrap())
            }
            other => unreachable!("not a failure for good: {other:?}"),
        }
    }

    /// Why another attempt is to be made.
    pub fn retry(self) -> String {
        match self {
            Self::Answered(Err(Failure { retryable: true, message })) => message,
            other => unreachable!("not to be tried again: {other:?}"),
        }
    }

    /// What the execution waits for.
    pub fn waits(self) -> String {
        match self {
            Self::Answered(Ok(Response { status: WAITS, body })) => body,
            other => unreachable!("it does not wait: {other:?}"),
        }
    }

    /// Whether it has its answer, so that no more attempts follow.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Answered(Ok(Response { status, .. })) if *status != WAITS)
    }
}

/// Makes an attempt. The call at `fault` fails, or is the last one.
pub fn attempt(world: &World, selection: &Selection, fault: Option<(usize, Fault)>) -> Attempt {
    world.steps.set(0);
    world.fault.set(fault);
    world.is_dead.set(false);
    let mut task = pin!(handle(world, selection));
    block_on(std::future::poll_fn(|context| match task.as_mut().poll(context) {
        Poll::Ready(answer) => Poll::Ready(Attempt::Answered(answer)),
        Poll::Pending if world.is_dead.get() => Poll::Ready(Attempt::Died),
        Poll::Pending => Poll::Pending,
    }))
}

/// Makes two attempts at the same time.
pub fn both(world: &World, [one, other]: [&Selection; 2]) -> [Attempt; 2] {
    world.fault.set(None);
    let (one, other) = block_on(join(handle(world, one), handle(world, other)));
    [Attempt::Answered(one), Attempt::Answered(other)]
}
