//! A client with its thread, and the lock around it.
use crate::ffi;
use crate::port::{self, ZephyrPort, milliseconds};
use crate::storage::keep_time;
use crate::text::{sentence, text};
use alloc::boxed::Box;
use alloc::ffi::CString;
use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::ops::{Deref, DerefMut};
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};
use thread_mqtt_client::{Client, Event, Reached, Stage};
use thread_mqtt_driver::Driver;
use thread_mqtt_session as session;

/// What the C code holds a pointer to.
///
/// The client is touched only under the port's lock; the thread gives the lock back while it waits
/// and while the application's callback runs.
pub(crate) struct Handle {
    port: ZephyrPort,
    driver: UnsafeCell<Driver<ZephyrPort>>,
    callback: ffi::thread_mqtt_callback,
    user_data: *mut c_void,
    started: AtomicBool,
    online: AtomicBool,
    quit: AtomicBool,
}

/// The client, while the lock is held.
pub(crate) struct Locked<'a> {
    handle: &'a Handle,
}

impl Deref for Locked<'_> {
    type Target = Driver<ZephyrPort>;

    fn deref(&self) -> &Self::Target {
        // SAFETY: the lock is held as long as self exists, so no other reference does.
        unsafe { &*self.handle.driver.get() }
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        // SAFETY: as above.
        unsafe { &mut *self.handle.driver.get() }
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        // SAFETY: the port is open, and this thread holds its lock.
        unsafe { ffi::tmq_port_unlock(self.handle.port.raw()) }
    }
}

impl Handle {
    /// A client with its thread running; idle until started.
    pub(crate) fn new(
        client: Client,
        callback: ffi::thread_mqtt_callback,
        user_data: *mut c_void,
    ) -> Result<Box<Self>, i32> {
        let port = ZephyrPort::open().ok_or(ffi::THREAD_MQTT_ERROR_CLIENTS)?;
        let handle = Box::new(Self {
            port,
            driver: UnsafeCell::new(Driver::new(client, port)),
            callback,
            user_data,
            started: AtomicBool::new(false),
            online: AtomicBool::new(false),
            quit: AtomicBool::new(false),
        });
        let argument = ptr::from_ref(&*handle).cast_mut().cast();
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
    pub(crate) fn command<T>(&self, command: impl FnOnce(&mut Driver<ZephyrPort>) -> T) -> T {
        let result = command(&mut self.lock());
        self.port.wake();
        result
    }

    pub(crate) fn start(&self) -> i32 {
        if self.started.swap(true, Ordering::Relaxed) {
            return ffi::THREAD_MQTT_ERROR_STATE;
        }
        self.command(Driver::start);
        ffi::THREAD_MQTT_OK
    }

    pub(crate) fn stop(&self) -> i32 {
        if !self.started.swap(false, Ordering::Relaxed) {
            return ffi::THREAD_MQTT_ERROR_STATE;
        }
        self.command(Driver::stop);
        ffi::THREAD_MQTT_OK
    }

    /// The time in Unix seconds, if it is known.
    pub(crate) fn unix_time(&self) -> Option<u64> {
        self.lock().client.unix_time(port::now())
    }

    pub(crate) fn is_online(&self) -> bool {
        self.online.load(Ordering::Relaxed)
    }

    /// Whether the caller is the client's own thread: the callback.
    pub(crate) fn is_own_thread(&self) -> bool {
        // SAFETY: the port is open.
        unsafe { ffi::tmq_port_is_own_thread(self.port.raw()) != 0 }
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
    }

    /// The thread.
    fn run(&self) {
        while !self.quit.load(Ordering::Acquire) {
            let mut driver = self.lock();
            let moved = driver.turn();
            let event = driver.poll_event();
            let floor = driver.client.time_floor();
            let wait = (event.is_none() && !moved).then(|| driver.waits_for());
            drop(driver);
            keep_time(floor);
            if let Some(event) = event {
                self.tell(&event);
            }
            if let Some((until, interest)) = wait {
                self.port.wait(until, interest);
            }
        }
    }

    /// Hands an event to the application.
    fn tell(&self, event: &Event) {
        match event {
            Event::Reached(Reached::Online { .. }) => self.online.store(true, Ordering::Relaxed),
            Event::Failed { .. } | Event::Stopped => self.online.store(false, Ordering::Relaxed),
            _ => {}
        }
        let Some(callback) = self.callback else {
            return;
        };
        // What the event points to lives until the callback has returned.
        let mut texts = Texts::default();
        let Some(told) = translate(event, &mut texts) else {
            return;
        };
        let client = ptr::from_ref(self).cast_mut().cast();
        // SAFETY: the application gave the callback for these arguments.
        unsafe { callback(client, &told, self.user_data) };
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
    text: CString,
    cure: CString,
    topic: CString,
}

fn stage(stage: Stage) -> ffi::thread_mqtt_stage {
    match stage {
        Stage::Attach => ffi::THREAD_MQTT_STAGE_ATTACH,
        Stage::Prefix => ffi::THREAD_MQTT_STAGE_PREFIX,
        Stage::Time => ffi::THREAD_MQTT_STAGE_TIME,
        Stage::Resolve => ffi::THREAD_MQTT_STAGE_RESOLVE,
        Stage::Tcp => ffi::THREAD_MQTT_STAGE_TCP,
        Stage::Tls => ffi::THREAD_MQTT_STAGE_TLS,
        Stage::Mqtt => ffi::THREAD_MQTT_STAGE_MQTT,
    }
}

fn reason<T>(answers: &[Result<T, session::ReasonCode>], granted: impl Fn(&T) -> u8) -> u8 {
    match answers.first() {
        Some(Ok(answer)) => granted(answer),
        Some(Err(reason)) => reason.0,
        None => 0,
    }
}

/// An event in C's terms; `None` for those C is not told of.
fn translate(event: &Event, texts: &mut Texts) -> Option<ffi::thread_mqtt_event> {
    let mut told = ffi::thread_mqtt_event {
        retry_ms: -1,
        ..Default::default()
    };
    match event {
        Event::Reached(reached) => {
            texts.text = sentence(reached);
            told.type_ = ffi::THREAD_MQTT_EVENT_STAGE;
            told.stage = stage(reached.stage());
            if let Reached::Online { session_present } = reached {
                told.type_ = ffi::THREAD_MQTT_EVENT_ONLINE;
                told.session_present = *session_present;
            }
        }
        Event::TimeUnknown { why, .. } => {
            texts.text = sentence(event);
            texts.set_cure(why.cure(), &mut told);
            told.type_ = ffi::THREAD_MQTT_EVENT_TIME_UNKNOWN;
            told.stage = ffi::THREAD_MQTT_STAGE_TIME;
        }
        Event::CandidateFailed(candidate, cause) => {
            texts.text = sentence(&format_args!("{candidate}: {cause}"));
            texts.set_cure(cause.cure(), &mut told);
            told.type_ = ffi::THREAD_MQTT_EVENT_CANDIDATE_FAILED;
            told.stage = ffi::THREAD_MQTT_STAGE_TCP;
        }
        Event::Failed {
            stage: at,
            cause,
            retry_in,
        } => {
            texts.text = sentence(cause);
            texts.set_cure(cause.cure(), &mut told);
            told.type_ = ffi::THREAD_MQTT_EVENT_FAILED;
            told.stage = stage(*at);
            told.retry_ms = retry_in.map_or(-1, milliseconds);
        }
        Event::Session(session::Event::Message(message)) => {
            texts.topic = text(&message.topic);
            told.type_ = ffi::THREAD_MQTT_EVENT_MESSAGE;
            told.message = ffi::thread_mqtt_message {
                topic: texts.topic.as_ptr(),
                payload: message.payload.as_ptr().cast(),
                payload_len: message.payload.len(),
                qos: message.qos as u8,
                retain: message.retain,
            };
        }
        Event::Session(session::Event::Published(token)) => {
            told.type_ = ffi::THREAD_MQTT_EVENT_PUBLISHED;
            told.token = token.0;
        }
        Event::Session(session::Event::PublishFailed(token, error)) => {
            texts.text = sentence(error);
            told.type_ = ffi::THREAD_MQTT_EVENT_PUBLISH_FAILED;
            told.token = token.0;
            told.reason = match error {
                session::PublishError::Refused(reason) => reason.0,
                // The codes with which a broker would say the same (MQTT 5 section 2.4).
                session::PublishError::TooLarge { .. } => 0x95,
                session::PublishError::QosNotSupported { .. } => 0x9b,
                session::PublishError::RetainNotSupported => 0x9a,
                _ => 0x80,
            };
        }
        Event::Session(session::Event::Subscribed(token, answers)) => {
            told.type_ = ffi::THREAD_MQTT_EVENT_SUBSCRIBED;
            told.token = token.0;
            told.reason = reason(answers, |qos| *qos as u8);
        }
        Event::Session(session::Event::Unsubscribed(token, answers)) => {
            told.type_ = ffi::THREAD_MQTT_EVENT_UNSUBSCRIBED;
            told.token = token.0;
            told.reason = reason(answers, |()| 0);
        }
        Event::Session(session::Event::SubscriptionLost { filter, reason }) => {
            texts.text = sentence(reason);
            texts.topic = text(filter);
            told.type_ = ffi::THREAD_MQTT_EVENT_SUBSCRIPTION_LOST;
            told.reason = reason.0;
            told.message.topic = texts.topic.as_ptr();
        }
        Event::Stopped => told.type_ = ffi::THREAD_MQTT_EVENT_STOPPED,
        _ => return None,
    }
    if !texts.text.is_empty() {
        told.text = texts.text.as_ptr();
    }
    Some(told)
}

impl Texts {
    fn set_cure(&mut self, cure: Option<&str>, told: &mut ffi::thread_mqtt_event) {
        if let Some(cure) = cure.filter(|_| cfg!(feature = "sentences")) {
            self.cure = sentence(&cure);
            told.cure = self.cure.as_ptr();
        }
    }
}
