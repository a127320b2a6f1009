//! The journal of a build without durable sessions: does nothing and costs nothing.

use alloc::string::String;

use super::StoreError;
use crate::config::QoS;
use crate::message::Message;
use crate::outbox::Outbox;
use crate::subscriptions::Subscriptions;

#[derive(Debug, Default)]
pub(crate) struct Journal(());

#[allow(dead_code, reason = "what is built in its place is not written")]
pub(crate) struct Identity {
    pub(crate) established: bool,
    pub(crate) adopted: bool,
    pub(crate) client_id: String,
    pub(crate) peer: String,
}

impl Journal {
    pub(crate) const fn is_on(&self) -> bool {
        false
    }

    pub(crate) const fn take_failure(&mut self) -> Option<StoreError> {
        None
    }

    pub(crate) const fn failure(&self) -> Option<StoreError> {
        None
    }

    pub(crate) const fn catch_up(&mut self, _: &Outbox, _: &Subscriptions) {}

    pub(crate) const fn occupied(&mut self, _: u16) -> Result<u32, StoreError> {
        Ok(0)
    }

    pub(crate) const fn put_message(
        &mut self,
        _: u16,
        _: u32,
        _: Option<u32>,
        _: &Message,
    ) -> Result<(), StoreError> {
        Err(StoreError::Unavailable)
    }

    pub(crate) const fn put_release(&mut self, _: u16, _: u32) {}
    pub(crate) const fn delete_message(&mut self, _: u16, _: u32) {}
    pub(crate) const fn note_released(&mut self, _: u32) {}
    pub(crate) const fn note_sent(&mut self, _: u32) {}
    pub(crate) const fn clear_released(&mut self) {}
    pub(crate) const fn note_received(&mut self, _: u16) {}
    pub(crate) const fn forget_received(&mut self, _: u16) {}
    pub(crate) const fn clear_received(&mut self) {}

    pub(crate) const fn put_filter(
        &mut self,
        _: Option<u16>,
        _: &str,
        _: QoS,
        _: QoS,
    ) -> Option<u16> {
        None
    }

    pub(crate) const fn delete_filter(&mut self, _: Option<u16>) {}
    pub(crate) const fn settle(&mut self) {}
    pub(crate) const fn unsettle(&mut self) {}
    pub(crate) fn put_identity(&mut self, _: Identity) {}
}
