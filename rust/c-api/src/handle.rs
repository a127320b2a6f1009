//! A client with its thread, and the lock around it.
use crate::failure::{self, Failure, byte, stage};
use crate::ffi;
#[cfg(feature = "shell")]
use crate::questions::Question;
use crate::text::text;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::ffi::{c_char, c_void};
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, Ordering};
use core::{fmt, mem, ptr};
use thread_mqtt_client::{Client, Event, Reached, Stage};
use thread_mqtt_driver::Driver;
use thread_mqtt_platform::keep_time;
use thread_mqtt_platform::port::{self, PlatformPort, milliseconds};
use thread_mqtt_session as session;

/// What the C code holds a pointer to.
///
/// The client is touched only under the port's lock; the thread gives the lock back while it waits
/// and while the application's callback runs.
pub(crate) struct Handle {
    port: PlatformPort,
    state: UnsafeCell<State>,
    callback: ffi::thread_mqtt_callback,
    user_data: *mut c_void,
    online: AtomicBool,
    quit: AtomicBool,
    /// A question waits for its answer, or gets it.
    #[cfg(feature = "shell")]
    asked: AtomicBool,
}

/// What the lock is around.
pub(crate) struct State {
    driver: Driver<PlatformPort>,
    /// The application wants it to be connected.
    started: bool,
    last_failure: Option<Failure>,
    #[cfg(feature = "shell")]
    question: Option<Question>,
    /// The client stops for a question's sake; the application is not told.
    #[cfg(feature = "shell")]
    rests: bool,
}

/// The client, while the lock is held.
pub(crate) struct Locked<'a> {
    handle: &'a Handle,
}

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &Self::Target {
        // SAFETY: the lock is held as long as self exists, so no other reference does.
        unsafe { &*self.handle.state.get() }
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        // SAFETY: as above.
        unsafe { &mut *self.handle.state.get() }
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // SAFETY: the port is open, and this thread holds its lock.
        unsafe { ffi::tmq_port_unlock(self.handle.port.raw()) }
    }
}

impl State {
    /// Keeps what is asked for later.
    fn note(&mut self, event: &Arc<Event>) {
        if event.failure().is_some() {
            self.last_failure = Some(Failure {
                event: event.clone(),
                at: port::now(),
            });
        }
        // Started again while it stopped.
        if matches!(**event, Event::Stopped) && self.started && !self.rests() {
            self.driver.start();
        }
    }

    /// Whether the end of the connection is nobody's business.
    fn rests(&self) -> bool {
        #[cfg(feature = "shell")]
        return self.rests;
        #[cfg(not(feature = "shell"))]
        return false;
    }
}

impl Handle {
    /// A client with its thread running; idle until started.
    #[inline(never)]
    pub(crate) fn new(
        client: Box<Client>,
        callback: ffi::thread_mqtt_callback,
        user_data: *mut c_void,
    ) -> Result<Box<Self>, i32> {
        let port = PlatformPort::open().ok_or(ffi::THREAD_MQTT_ERROR_CLIENTS)?;
        let handle = Box::new(Self {
            port,
            state: UnsafeCell::new(State {
                driver: Driver::new(*client, port),
                started: false,
                last_failure: None,
                #[cfg(feature = "shell")]
                question: None,
                #[cfg(feature = "shell")]
                rests: false,
            }),
            callback,
            user_data,
            online: AtomicBool::new(false),
            quit: AtomicBool::new(false),
            #[cfg(feature = "shell")]
            asked: AtomicBool::new(false),
        });
        let argument = ptr::from_ref(&*handle).cast_mut().cast();
        // SAFETY: the port is open and this client's. Before its thread may hand out the address.
        unsafe { ffi::tmq_client_register(port.raw(), argument) };
        // SAFETY: the port is open; the handle outlives the thread, which `end` joins.
        match unsafe { ffi::tmq_port_thread_start(port.raw(), Some(run), argument) } {
            0 => Ok(handle),
            code => {
                // SAFETY: the port is open and has no thread.
                unsafe { ffi::tmq_port_close(port.raw()) };
                Err(code)
            }
        }
    }

    /// Takes the lock. Not twice by one thread.
    pub(crate) fn lock(&self) -> Locked<'_> {
        // SAFETY: the port is open as long as the handle exists.
        unsafe { ffi::tmq_port_lock(self.port.raw()) };
        Locked { handle: self }
    }

    /// Gives a command to the client and wakes its thread.
    pub(crate) fn command<T>(&self, command: impl FnOnce(&mut Client) -> T) -> T {
        let result = command(&mut self.lock().driver.client);
        self.port.wake();
        result
    }

    pub(crate) fn start(&self) -> Result<(), i32> {
        let mut state = self.lock();
        if mem::replace(&mut state.started, true) {
            return Err(ffi::THREAD_MQTT_ERROR_STATE);
        }
        // No effect while the client still stops: `run` sees to it then.
        state.driver.start();
        drop(state);
        self.port.wake();
        Ok(())
    }

    pub(crate) fn stop(&self) -> Result<(), i32> {
        let mut state = self.lock();
        if !mem::replace(&mut state.started, false) {
            return Err(ffi::THREAD_MQTT_ERROR_STATE);
        }
        state.driver.stop();
        drop(state);
        self.port.wake();
        Ok(())
    }

    /// The failure told last.
    pub(crate) fn last_failure(&self) -> Option<Failure> {
        self.lock().last_failure.clone()
    }

    /// The time in Unix seconds, if it is known.
    pub(crate) fn unix_time(&self) -> Option<u64> {
        self.lock().driver.client.unix_time(port::now())
    }

    pub(crate) fn is_online(&self) -> bool {
        self.online.load(Ordering::Relaxed)
    }

    /// Ends the thread and closes the port.
    pub(crate) fn end(self: Box<Self>) {
        self.quit.store(true, Ordering::Release);
        self.port.wake();
        // SAFETY: the port is open, and this is not its thread.
        unsafe {
            ffi::tmq_port_thread_join(self.port.raw());
            ffi::tmq_port_close(self.port.raw());
        }
        #[cfg(feature = "shell")]
        if let Some(question) = self.state.into_inner().question {
            question.refuse(ffi::THREAD_MQTT_ERROR_STATE);
        }
    }

    /// The thread.
    fn run(&self) {
        while !self.is_ending() {
            #[cfg(feature = "shell")]
            self.answer();
            self.turn(|_, _| ());
        }
    }

    /// Whether the client is about to be freed.
    pub(crate) fn is_ending(&self) -> bool {
        self.quit.load(Ordering::Acquire)
    }

    /// Moves what can move without waiting; then hands on an event, shown to `look` first, or
    /// waits.
    pub(crate) fn turn(&self, look: impl FnOnce(&Event, &Client)) {
        let mut state = self.lock();
        let moved = state.driver.turn();
        let event = state.driver.poll_event().map(Arc::new);
        let stopped = matches!(event.as_deref(), Some(Event::Stopped));
        let hidden = stopped && state.rests() && state.started;
        if let Some(event) = &event {
            self.note_online(event);
            state.note(event);
            look(event, &state.driver.client);
        }
        let floor = state.driver.client.time_floor();
        let wait = (event.is_none() && !moved).then(|| state.driver.waits_for());
        drop(state);
        keep_time(floor);
        if let Some(event) = event.filter(|_| !hidden) {
            self.tell(&event);
        }
        if let Some((until, interest)) = wait {
            self.port.wait(until, interest);
        }
    }

    fn note_online(&self, event: &Event) {
        match event {
            Event::Reached(Reached::Online { .. }) => self.online.store(true, Ordering::Relaxed),
            Event::Failed { .. } | Event::Stopped => self.online.store(false, Ordering::Relaxed),
            _ => {}
        }
    }

    /// Hands an event to the application.
    fn tell(&self, event: &Event) {
        if self.callback.is_none() && !cfg!(feature = "shell") {
            return;
        }
        // What the event points to lives until the callback has returned.
        let mut texts = Texts::default();
        let mut told = ffi::thread_mqtt_event {
            retry_ms: -1,
            ..Default::default()
        };
        if !translate(event, &mut texts, &mut told) {
            return;
        }
        let client = ptr::from_ref(self).cast_mut().cast();
        #[cfg(feature = "shell")]
        // SAFETY: the event lives until the call returns.
        unsafe {
            ffi::tmq_shell_event(client, &told);
        }
        if let Some(callback) = self.callback {
            // SAFETY: the application gave the callback for these arguments.
            unsafe { callback(client, &told, self.user_data) };
        }
    }
}

#[cfg(feature = "shell")]
impl State {
    /// Looks at the client, and whether the application wants it to be connected.
    pub(crate) fn inspect<T>(&self, look: impl FnOnce(&Client, bool) -> T) -> T {
        look(&self.driver.client, self.started)
    }

    pub(crate) fn last_failure(&self) -> Option<Failure> {
        self.last_failure.clone()
    }
}

#[cfg(feature = "shell")]
impl Handle {
    /// The port, for the client's thread.
    pub(crate) fn port(&self) -> PlatformPort {
        self.port
    }

    /// Has a question answered by the client's thread, one at a time.
    pub(crate) fn ask(&self, question: Question) -> Result<(), i32> {
        let mut state = self.lock();
        if state.question.is_some() || self.asked.swap(true, Ordering::AcqRel) {
            return Err(ffi::THREAD_MQTT_ERROR_STATE);
        }
        state.question = Some(question);
        drop(state);
        self.port.wake();
        Ok(())
    }

    fn answer(&self) {
        let question = self.lock().question.take();
        if let Some(question) = question {
            // Before the answer is complete, so that who got it can ask again.
            question.answer(self, || self.asked.store(false, Ordering::Release));
        }
    }

    /// Disconnects without the application being told, and waits for it. False if the client is
    /// about to be freed.
    pub(crate) fn rest(&self) -> bool {
        let mut state = self.lock();
        if state.driver.client.is_idle() {
            return true;
        }
        state.rests = true;
        state.driver.stop();
        drop(state);
        let mut stopped = false;
        while !stopped && !self.is_ending() {
            self.turn(|event, _| stopped = matches!(event, Event::Stopped));
        }
        self.lock().rests = false;
        stopped
    }

    /// Connects, whatever the application wants.
    pub(crate) fn begin(&self) {
        self.lock().driver.start();
    }

    /// Leaves the client as the application wants it.
    pub(crate) fn resume(&self) {
        let mut state = self.lock();
        if state.started {
            state.driver.start();
        } else if !state.driver.client.is_idle() {
            state.driver.stop();
        }
    }
}

/// The entry of the thread.
unsafe extern "C" fn run(argument: *mut c_void) {
    // SAFETY: the argument is the handle given to tmq_port_thread_start, which lives until
    // this thread was joined.
    let handle = unsafe { &*argument.cast::<Handle>() };
    handle.run();
}

/// What an event's pointers point to.
#[derive(Default)]
struct Texts {
    text: Option<Vec<u8>>,
    cure: Option<Vec<u8>>,
    topic: Option<Vec<u8>>,
    message: ffi::thread_mqtt_message,
}

impl Texts {
    /// A sentence, in an image that has them: without `CONFIG_THREAD_MQTT_SENTENCES` events carry
    /// numbers only, which saves some 20 kB of flash.
    fn say(&mut self, sentence: &dyn fmt::Display) {
        if cfg!(feature = "sentences") {
            self.text = Some(text(sentence));
        }
    }

    /// What to do about a failure, where sentences say it.
    fn advise(&mut self, cure: impl FnOnce() -> Option<&'static str>) {
        if cfg!(feature = "sentences") {
            self.cure = cure().map(|cure| text(&cure));
        }
    }
}

fn pointer(text: &Option<Vec<u8>>) -> *const c_char {
    text.as_ref()
        .map_or(ptr::null(), |text| text.as_ptr().cast())
}

fn reason<T>(answers: &[Result<T, session::ReasonCode>], granted: impl Fn(&T) -> u8) -> u8 {
    match answers.first() {
        Some(Ok(answer)) => granted(answer),
        Some(Err(reason)) => reason.0,
        None => 0,
    }
}

/// Puts an event into C's terms; false for those C is not told of.
#[inline(never)]
fn translate(event: &Event, texts: &mut Texts, told: &mut ffi::thread_mqtt_event) -> bool {
    let kind = match event {
        Event::Reached(reached) => {
            texts.say(reached);
            told.stage = stage(reached.stage());
            if let Reached::Online { session_present } = reached {
                told.session_present = *session_present;
                ffi::THREAD_MQTT_EVENT_ONLINE
            } else {
                ffi::THREAD_MQTT_EVENT_STAGE
            }
        }
        Event::TimeUnknown { why, floor } => {
            texts.say(&why.in_full(*floor));
            texts.advise(|| why.cure());
            told.stage = stage(Stage::Time);
            ffi::THREAD_MQTT_EVENT_TIME_UNKNOWN
        }
        Event::CandidateFailed(candidate, cause) => {
            texts.say(&format_args!("{candidate}: {cause}"));
            ffi::THREAD_MQTT_EVENT_CANDIDATE_FAILED
        }
        Event::Failed {
            cause, retry_in, ..
        } => {
            texts.say(cause);
            told.retry_ms = retry_in.map_or(-1, |pause| {
                i32::try_from(milliseconds(pause)).unwrap_or(i32::MAX)
            });
            ffi::THREAD_MQTT_EVENT_FAILED
        }
        Event::Session(session::Event::Message(message)) => {
            texts.topic = Some(text(&message.topic));
            texts.message = ffi::thread_mqtt_message {
                topic: pointer(&texts.topic),
                payload: message.payload.as_ptr().cast(),
                payload_len: message.payload.len(),
                qos: message.qos as u8,
                retain: message.retain,
            };
            told.message = &raw const texts.message;
            ffi::THREAD_MQTT_EVENT_MESSAGE
        }
        Event::Session(session::Event::Published(token)) => {
            told.token = token.0;
            ffi::THREAD_MQTT_EVENT_PUBLISHED
        }
        Event::Session(session::Event::PublishFailed(token, error)) => {
            texts.say(error);
            told.token = token.0;
            told.reason = match error {
                session::PublishError::Refused(reason) => reason.0,
                // The codes with which a broker would say the same (MQTT 5 section 2.4).
                session::PublishError::TooLarge { .. } => 0x95,
                session::PublishError::QosNotSupported { .. } => 0x9b,
                session::PublishError::RetainNotSupported => 0x9a,
                _ => 0x80,
            };
            ffi::THREAD_MQTT_EVENT_PUBLISH_FAILED
        }
        Event::Session(session::Event::Subscribed(token, answers)) => {
            told.token = token.0;
            told.reason = reason(answers, |qos| *qos as u8);
            ffi::THREAD_MQTT_EVENT_SUBSCRIBED
        }
        Event::Session(session::Event::Unsubscribed(token, answers)) => {
            told.token = token.0;
            told.reason = reason(answers, |()| 0);
            ffi::THREAD_MQTT_EVENT_UNSUBSCRIBED
        }
        Event::Session(session::Event::SubscriptionLost { filter, reason }) => {
            texts.say(reason);
            texts.topic = Some(text(filter));
            told.filter = pointer(&texts.topic);
            told.reason = reason.0;
            ffi::THREAD_MQTT_EVENT_SUBSCRIPTION_LOST
        }
        Event::Stopped => ffi::THREAD_MQTT_EVENT_STOPPED,
        _ => return false,
    };
    told.type_ = byte(kind);
    if let Some((at, cause)) = event.failure() {
        texts.advise(|| cause.cure());
        told.error = failure::number(cause);
        told.stage = stage(at);
    }
    told.text = pointer(&texts.text);
    told.cure = pointer(&texts.cure);
    true
}
