//! The client's thread, which owns the client.
use crate::events::version;
use crate::failure::Failure;
use crate::ffi;
use crate::given::copy_text;
use crate::handle::{Agreed, Handle};
use crate::settings::Start;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::mem;
use core::sync::atomic::Ordering;
use core::time::Duration;
use thread_mqtt_client::{Client, Event, Reached};
use thread_mqtt_driver::Driver;
use thread_mqtt_platform::keep_time;
use thread_mqtt_platform::port::{self, PlatformPort};
use thread_mqtt_session::heap_has;

fn seconds(time: Duration) -> u16 {
    u16::try_from(time.as_secs()).unwrap_or(u16::MAX)
}

/// A client in its thread. Only what [`Handle::lock`] protects is locked.
pub(crate) struct Worker<'a> {
    pub(crate) handle: &'a Handle,
    pub(crate) driver: Box<Driver<PlatformPort>>,
    /// The client is stopping to answer a question; the application is not told.
    pub(crate) rests: bool,
    /// The current event. Events do not allocate: if the heap were exhausted, the event would be
    /// lost and the program would end.
    event: Arc<Event>,
    /// The slot for the next event while the current one is kept as the last failure.
    spare: Option<Arc<Event>>,
}

/// How long an event waits for the heap.
const HEAP_PAUSE: Duration = Duration::from_secs(1);

/// The content of an empty slot.
const NO_EVENT: Event = Event::Stopped;

impl<'a> Worker<'a> {
    pub(crate) fn new(handle: &'a Handle, driver: Box<Driver<PlatformPort>>) -> Self {
        Self {
            handle,
            driver,
            rests: false,
            event: Arc::new(NO_EVENT),
            spare: Some(Arc::new(NO_EVENT)),
        }
    }

    /// Does the work that `thread_mqtt_init()` left to this thread.
    #[inline(never)]
    pub(crate) fn begin(&mut self, start: Start) {
        let client = self.driver.client_mut();
        if let Some(store) = start.store {
            store.restore(client);
            let mut shared = self.handle.lock();
            self.driver.collect(&mut shared.mailbox);
            shared.unread = false;
            shared.notify();
        }
        if let Some(tls) = start.tls {
            self.driver.client_mut().handle_tls(tls.run());
        }
    }

    /// Runs the client until it is to be freed.
    pub(crate) fn run(mut self) {
        while !self.handle.is_ending() {
            #[cfg(feature = "shell")]
            self.answer();
            self.turn(|_, _| ());
        }
    }

    /// Makes all progress possible without waiting. Then delivers an event, after showing it to
    /// `look`, or waits.
    pub(crate) fn turn(&mut self, look: impl FnOnce(&Event, &Client)) {
        self.collect();
        let moved = self.driver.turn();
        self.note_end();
        let has_place = self.has_place();
        let is_told = has_place && self.take_event();
        if is_told {
            self.note();
            look(&self.event, self.driver.client());
        }
        keep_time(self.driver.client().time_floor());
        if !is_told && moved {
            return;
        }
        let pause = || port::now().saturating_add(HEAP_PAUSE);
        match is_told {
            true if self.is_hidden() => {}
            true => self.handle.tell(&mut self.event),
            false => self.driver.wait_until((!has_place).then(pause)),
        }
        self.free_place();
    }

    /// Returns whether a slot is free for an event. There is one unless another thread reads the
    /// failure before the last.
    fn has_place(&mut self) -> bool {
        if Arc::get_mut(&mut self.event).is_none() && heap_has(2 * size_of::<Event>()) {
            self.event = Arc::new(NO_EVENT);
        }
        Arc::get_mut(&mut self.event).is_some()
    }

    /// Takes the next event into the slot; false if there is none.
    fn take_event(&mut self) -> bool {
        let place = Arc::get_mut(&mut self.event);
        match place.and_then(|place| Some((place, self.driver.poll_event()?))) {
            Some((place, event)) => {
                *place = event;
                true
            }
            None => false,
        }
    }

    /// Frees the slot after delivery. If the event is kept, the slot of an earlier one takes its
    /// place.
    fn free_place(&mut self) {
        let is_kept = Arc::get_mut(&mut self.event).is_none();
        if let Some(spare) = self.spare.take_if(|_| is_kept) {
            self.event = spare;
        }
        if let Some(place) = Arc::get_mut(&mut self.event) {
            *place = NO_EVENT;
        }
    }

    /// Takes commands from other threads, and publishes the state they read.
    fn collect(&mut self) {
        let now = port::now();
        let time = self.driver.client().unix_time(now);
        let mut shared = self.handle.lock();
        shared.boot_time = time.map(|time| time.saturating_sub(now.as_secs()));
        if let Some(Agreed { client_id: id, .. }) = &mut shared.agreed {
            *id = id.take().or_else(|| self.client_id());
        }
        if self.driver.collect(&mut shared.mailbox) {
            shared.notify();
        }
    }

    /// Notes that the connection has ended. No event reports this if the client itself closed it.
    fn note_end(&mut self) {
        let was_online = &self.handle.online;
        if !self.driver.client().is_online() && was_online.swap(false, Ordering::Relaxed) {
            let agreed = self.handle.lock().agreed.take();
            // Dropped after the lock is released.
            drop(agreed);
        }
    }

    /// Stores what may be asked for later.
    fn note(&mut self) {
        let event = &self.event;
        let mut agreed = match **event {
            // `None` if the connection has ended since.
            Event::Reached(Reached::Online { .. }) => self.agreed(),
            _ => None,
        };
        let mut failure = event.failure().is_some().then(|| Failure {
            event: event.clone(),
            at: port::now(),
        });
        let mut shared = self.handle.lock();
        // The earlier values are dropped after the lock is released.
        if failure.is_some() {
            mem::swap(&mut shared.last_failure, &mut failure);
        }
        if agreed.is_some() {
            mem::swap(&mut shared.agreed, &mut agreed);
            self.handle.online.store(true, Ordering::Relaxed);
        }
        if let (Event::KeepAlive(learnt), Some(agreed)) = (&**event, &mut shared.agreed) {
            agreed.limits.learnt_keep_alive_s = seconds(*learnt);
        }
        // Collect first, so that the room of a message is free when its end is reported.
        let has_room = self.driver.collect(&mut shared.mailbox);
        if shared.receipts.note(event) || has_room {
            shared.notify();
        }
        drop(shared);
        if let Some(earlier) = failure {
            self.spare = Some(earlier.event);
        }
    }

    /// Returns the broker's limits, if still connected.
    #[inline(never)]
    fn agreed(&self) -> Option<Agreed> {
        let client = self.driver.client();
        let session = client.session();
        let limits = session.limits()?;
        Some(Agreed {
            limits: ffi::thread_mqtt_limits {
                max_packet_size: limits.maximum_packet_size.unwrap_or(0),
                session_expiry_s: limits.session_expiry,
                keep_alive_s: seconds(limits.keep_alive),
                receive_maximum: limits.receive_maximum,
                topic_alias_maximum: limits.topic_alias_maximum,
                learnt_keep_alive_s: client.learnt_keep_alive().map_or(0, seconds),
                mqtt_version: version(session.version()),
                maximum_qos: limits.maximum_qos as u8,
                retain_available: limits.retain_available,
                wildcards_available: limits.wildcards_available,
                shared_available: limits.shared_available,
            },
            client_id: self.client_id(),
        })
    }

    /// Returns `None` if the heap has no room for it. Each turn then tries again.
    fn client_id(&self) -> Option<String> {
        copy_text(self.driver.client().session().client_id()).ok()
    }

    /// Returns whether an event is hidden from the application.
    fn is_hidden(&self) -> bool {
        self.rests && self.driver.is_wanted() && matches!(*self.event, Event::Stopped)
    }
}

#[cfg(feature = "shell")]
impl Worker<'_> {
    fn answer(&mut self) {
        if let Some(question) = self.handle.take_question() {
            // Free it before the answer is complete, so that the caller can ask again.
            let handle = self.handle;
            question.answer(self, || handle.answered());
        }
    }

    /// Disconnects without telling the application, and waits until done. Returns false if the
    /// client is about to be freed.
    pub(crate) fn rest(&mut self) -> bool {
        if self.driver.client().is_idle() {
            return true;
        }
        self.rests = true;
        self.driver.stop();
        let mut stopped = false;
        while !stopped && !self.handle.is_ending() {
            self.turn(|event, _| stopped = matches!(event, Event::Stopped));
        }
        self.rests = false;
        stopped
    }

    /// Puts the client back into the state the application wants.
    pub(crate) fn resume(&mut self) {
        self.driver.hold(false);
        if !self.driver.is_wanted() && !self.driver.client().is_idle() {
            self.driver.stop();
        }
    }
}
