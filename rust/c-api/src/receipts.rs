//! The ends of messages that threads wait for.
use crate::failure;
use alloc::vec::Vec;
use thread_mqtt_client::Event;
use thread_mqtt_session::{self as session, Token};

/// The messages whose end, or whose storing, is waited for, and what is known of it.
#[derive(Debug, Default)]
pub(crate) struct Receipts(Vec<Receipt>);

#[derive(Debug)]
struct Receipt {
    token: Token,
    /// That it is stored is waited for, not its end.
    stored: bool,
    result: Option<Result<(), i32>>,
}

impl Receipts {
    /// Makes room for one more; false if the heap has none.
    pub(crate) fn reserve(&mut self) -> bool {
        self.0.try_reserve(1).is_ok()
    }

    /// Notes a message that is waited for.
    pub(crate) fn expect(&mut self, token: Token, stored: bool) {
        self.0.push(Receipt {
            token,
            stored,
            result: None,
        });
    }

    /// Notes what an event says. True if a thread waits for it.
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

    /// How a message ended, once it has.
    pub(crate) fn result(&self, token: Token) -> Option<Result<(), i32>> {
        let found = self.0.iter().find(|receipt| receipt.token == token);
        found.and_then(|receipt| receipt.result)
    }

    /// No thread waits for this message any more.
    pub(crate) fn forget(&mut self, token: Token) {
        self.0.retain(|receipt| receipt.token != token);
    }
}
