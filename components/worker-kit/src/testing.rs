//! What the small worlds of workers' tests share: calls that may wait, fail, or take effect unheard, as a list of choices
//! says.

use crate::yield_now;
use std::cell::RefCell;

/// The outcome of a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// It succeeds.
    Good,
    /// It fails before it does anything.
    Lost,
    /// It takes effect, but the response is lost.
    ResponseLost,
}

/// Choices of faults, waits and changes, last first. Once they are used up, nothing fails.
#[derive(Debug, Default)]
pub struct Choices(RefCell<Vec<u8>>);

impl Choices {
    /// Replaces the choices.
    pub fn set(&self, choices: Vec<u8>) {
        self.0.replace(choices);
    }

    /// Whether they are used up.
    pub fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    /// One of this many options; the first one when the choices are used up.
    pub fn choose(&self, options: u8) -> u8 {
        self.0.borrow_mut().pop().map_or(0, |choice| choice % options)
    }

    /// Lets others run, and decides the fate of a call; `meanwhile` may happen before it.
    pub async fn fate(&self, meanwhile: impl FnOnce()) -> Fate {
        for _ in 0..self.choose(3) {
            yield_now().await;
        }
        if self.choose(4) == 3 {
            meanwhile();
        }
        match self.choose(8) {
            6 => Fate::Lost,
            7 => Fate::ResponseLost,
            _ => Fate::Good,
        }
    }
}
