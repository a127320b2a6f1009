//! Results of messages that threads wait for.
use crate::failure;
use alloc::vec::Vec;
use thread_mqtt_client::Event;
use thread_mqtt_session::{self as session, Token};

/// The messages that a thread waits for, until they end or are stored, and their results so far.
#[derive(Debug, Default)]
pub(crate) struct Receipts(Vec<Receipt>);

#[derive(Debug)]
struct Receipt {
    token: Token,
    /// The thread waits for the message to be stored, not for its end.
    stored: bool,
    result: Option<Result<(), i32>>,
}

impl Receipts {
    /// Reserves room for one more; false if the heap is exhausted.
    pub(crate) fn reserve(&mut self) -> bool {
        self.0.try_reserve(1).is_ok()
    }

    /// Adds a message that a thread waits for.
    pub(crate) fn expect(&mut self, token: Token, stored: bool) {
        self.0.push(Receipt {
            token,
            stored,
            result: None,
        });
    }

    /// Records the result that an event carries. Returns true if a thread waits for it.
    pub(crate) fn note(&mut self, event: &Event) -> bool {
        let mut is_stored = false;
        let (token, result) = match event {
            Event::Session(session::Event::Stored(token)) => {
                is_stored = true;
                (token, Ok(()))
            }
            Event::Session(session::Event::Published(token)) => (token, Ok(())),
            Event::Session(session::Event::PublishFailed(token, error)) => {
                (token, Err(failure::of_message(error)))
            }
            _ => return false,
        };
        let mut waiting = self.0.iter_mut();
        match waiting.find(|receipt| receipt.token == *token) {
            Some(receipt) if receipt.stored || !is_stored => {
                receipt.result = Some(result);
                true
            }
            _ => false,
        }
    }

    /// Returns how a message ended, once it has.
    pub(crate) fn result(&self, token: Token) -> Option<Result<(), i32>> {
        let found = self.0.iter().find(|receipt| receipt.token == token);
        found.and_then(|receipt| receipt.result)
    }

    /// Removes a message that no thread waits for any more.
    pub(crate) fn forget(&mut self, token: Token) {
        self.0.retain(|receipt| receipt.token != token);
    }
}
