//! The object behind C's pointer, shared by the application's threads and the client's thread.
use crate::events::{Texts, translate};
use crate::failure::Failure;
use crate::ffi;
use crate::given::{Borrowed, copy};
#[cfg(feature = "shell")]
use crate::questions::Question;
use crate::receipts::Receipts;
use crate::settings::{Made, Start, command_error, setting};
use crate::worker::Worker;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::ffi::c_void;
use core::mem;
use core::ptr;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use thread_mqtt_client::Event;
use thread_mqtt_driver::{Driver, Mailbox};
use thread_mqtt_platform::SessionStore;
use thread_mqtt_platform::port::{
    self, PlatformPort, PortGuard, PortMutex, PortThread, Registration, Waker,
};
use thread_mqtt_session::{Command, CommandError, Pieces, Token};

/// The object that C holds a pointer to.
///
/// The client itself belongs to its thread ([`Worker`]). Other threads leave commands in a mailbox
/// and read the state published last. A lock protects both and is held only briefly.
pub(crate) struct Handle {
    shared: PortMutex<Shared>,
    waker: Waker,
    callback: ffi::thread_mqtt_callback,
    user_data: *mut c_void,
    pub(crate) online: AtomicBool,
    ending: AtomicBool,
    /// A question is waiting for its answer or being answered.
    #[cfg(feature = "shell")]
    asked: AtomicBool,
}

/// The data that the lock protects.
pub(crate) struct Shared {
    pub(crate) mailbox: Mailbox,
    /// The client, until its thread takes it.
    pub(crate) driver: Option<Box<Driver<PlatformPort>>>,
    /// The first work of the client's thread, until the thread takes it.
    start: Start,
    /// The stored session has not been read yet, so the room it leaves is unknown.
    pub(crate) unread: bool,
    thread: Option<(PortThread, Registration)>,
    pub(crate) last_failure: Option<Failure>,
    /// Unix time in seconds at which the device booted, from a time server.
    pub(crate) boot_time: Option<u64>,
    pub(crate) receipts: Receipts,
    pub(crate) agreed: Option<Agreed>,
    #[cfg(feature = "shell")]
    pub(crate) question: Option<Question>,
}

/// What was negotiated with the broker for the current connection.
pub(crate) struct Agreed {
    pub(crate) limits: ffi::thread_mqtt_limits,
    /// `None` if the heap had no room for it.
    pub(crate) client_id: Option<String>,
}

/// What a publish call waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Goal {
    /// For room in the outbox.
    Room,
    /// For the message to be stored. If it is not to be stored, for it to end.
    Stored,
    /// For the message to end.
    End,
}

/// How long a publish call waits, and for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wait {
    pub(crate) goal: Goal,
    /// `None`: no limit.
    pub(crate) until: Option<Duration>,
}

impl Wait {
    /// Does not wait.
    pub(crate) const NONE: Self = Self {
        goal: Goal::Room,
        until: Some(Duration::ZERO),
    };
}

impl Handle {
    /// Creates a client and starts its thread. The client is idle until started.
    #[inline(never)]
    pub(crate) fn new(
        made: Made,
        interface: u8,
        callback: ffi::thread_mqtt_callback,
        user_data: *mut c_void,
    ) -> Result<Box<Self>, i32> {
        let mut port = PlatformPort::open().ok_or(ffi::THREAD_MQTT_ERROR_CLIENTS)?;
        port.use_interface(interface).map_err(|_| {
            setting(format_args!(
                "the image has no interface {interface}; set CONFIG_THREAD_MQTT_OTHER_INTERFACE=y for a \
                 second one, or use THREAD_MQTT_INTERFACE_DEFAULT"
            ))
        })?;
        let waker = port.waker();
        let lock = port.mutex();
        let Made { client, start } = made;
        let session = start.store.as_ref().map(SessionStore::name);
        let shared = Shared {
            mailbox: Mailbox::new(&client),
            driver: Some(Box::new(Driver::new(*client, port))),
            unread: start.store.is_some(),
            start,
            thread: None,
            last_failure: None,
            boot_time: None,
            receipts: Receipts::default(),
            agreed: None,
            #[cfg(feature = "shell")]
            question: None,
        };
        let handle = Box::new(Self {
            shared: lock.around(shared),
            waker,
            callback,
            user_data,
            online: AtomicBool::new(false),
            ending: AtomicBool::new(false),
            #[cfg(feature = "shell")]
            asked: AtomicBool::new(false),
        });
        let argument = ptr::from_ref(&*handle).cast_mut().cast();
        // Set this before the thread can pass the address to a callback.
        let session = session.unwrap_or_default();
        let registration =
            Registration::new(&handle.waker, argument, session).ok_or_else(session_taken)?;
        // SAFETY: the handle outlives the thread, because `end` joins it, and is only accessed as
        // shared.
        let thread = unsafe { PortThread::start(&handle.waker, run, argument)? };
        handle.lock().thread = Some((thread, registration));
        Ok(handle)
    }

    /// Takes the lock, which must only be held briefly. Not recursive.
    pub(crate) fn lock(&self) -> PortGuard<'_, Shared> {
        self.shared.lock()
    }

    /// Takes the lock to leave a command, once the room left by the stored session is known.
    fn lock_mailbox(&self) -> PortGuard<'_, Shared> {
        let mut shared = self.lock();
        while shared.unread && !self.is_ending() {
            shared.wait(None);
        }
        shared
    }

    /// Queues a message, and waits if asked to.
    pub(crate) fn publish(
        &self,
        message: &Borrowed<'_>,
        to: TokenTo,
        wait: Wait,
    ) -> Result<(), i32> {
        let mut made = None;
        let mut shared = self.lock_mailbox();
        let token = loop {
            if self.is_ending() {
                return Err(ffi::THREAD_MQTT_ERROR_STATE);
            }
            let refused = match made.take() {
                // Copy only what there is room for.
                None => {
                    let Borrowed { topic, payload, .. } = *message;
                    let size = payload.len();
                    match (shared.mailbox).check_publish(topic, size, message.qos, message.options)
                    {
                        Ok(()) => {
                            let version = shared.mailbox.version();
                            drop(shared);
                            let options = message.options;
                            let command = message.copy().and_then(|message| {
                                Command::publish_with(version, message, options)
                                    .map_err(command_error)
                            });
                            made = Some(command?);
                            shared = self.lock();
                            continue;
                        }
                        Err(error) => error,
                    }
                }
                Some(command) => match submit(&mut shared, command, to, wait.goal) {
                    Ok(token) => break token,
                    Err((error, command)) => {
                        made = Some(command);
                        error
                    }
                },
            };
            if refused != CommandError::Full || !shared.wait(wait.until) {
                // Release the lock before logging.
                drop(shared);
                return Err(command_error(refused));
            }
        };
        drop(shared);
        self.waker.wake();
        match wait.goal {
            Goal::Room => Ok(()),
            Goal::Stored | Goal::End => self.receipt(token, wait.until),
        }
    }

    /// Queues a message whose payload follows in pieces. Copies nothing if there is no room.
    pub(crate) fn publish_in_pieces(
        &self,
        message: &Borrowed<'_>,
        pieces: Pieces,
        to: TokenTo,
    ) -> Result<(), i32> {
        let (version, room) = {
            let mailbox = &self.lock_mailbox().mailbox;
            let size = pieces.piece.min(pieces.total) as usize;
            let room = mailbox.check_publish(message.topic, size, message.qos, message.options);
            (mailbox.version(), room)
        };
        room.map_err(command_error)?;
        let command = Command::publish_in_pieces(version, message.copy()?, pieces, message.options);
        let command = command.map_err(command_error)?;
        let submitted = submit(&mut self.lock(), command, to, Goal::Room);
        submitted.map_err(|(error, _)| command_error(error))?;
        self.waker.wake();
        Ok(())
    }

    /// Leaves a piece for the client's thread.
    pub(crate) fn supply(&self, token: Token, offset: u32, piece: &[u8]) -> Result<(), i32> {
        let piece = copy(piece)?;
        let left = self.lock().mailbox.supply(token, offset, piece);
        left.map_err(command_error)?;
        self.waker.wake();
        Ok(())
    }

    /// Gives up a message published in pieces.
    pub(crate) fn give_up(&self, token: Token) -> Result<(), i32> {
        let left = self.lock().mailbox.give_up_pieces(token);
        left.map_err(command_error)?;
        self.waker.wake();
        Ok(())
    }

    /// Waits for a message to end.
    fn receipt(&self, token: Token, until: Option<Duration>) -> Result<(), i32> {
        let mut shared = self.lock();
        let result = loop {
            if let Some(result) = shared.receipts.result(token) {
                break result;
            }
            if self.is_ending() {
                break Err(ffi::THREAD_MQTT_ERROR_STATE);
            }
            if !shared.wait(until) {
                break Err(ffi::THREAD_MQTT_ERROR_TIMED_OUT);
            }
        };
        shared.receipts.forget(token);
        result
    }

    /// Queues the request about filters that `make` returns. Copies nothing if there is no room.
    pub(crate) fn request(
        &self,
        filters: &[&str],
        to: TokenTo,
        make: impl FnOnce() -> Result<Command, CommandError>,
    ) -> Result<(), i32> {
        for filter in filters {
            let room = self.lock_mailbox().mailbox.check_filter(filter);
            room.map_err(command_error)?;
        }
        let command = make().map_err(command_error)?;
        let submitted = submit(&mut self.lock(), command, to, Goal::Room);
        submitted.map_err(|(error, _)| command_error(error))?;
        self.waker.wake();
        Ok(())
    }

    pub(crate) fn start(&self) -> Result<(), i32> {
        let started = self.lock().mailbox.start();
        self.changed(started)
    }

    pub(crate) fn stop(&self) -> Result<(), i32> {
        let stopped = self.lock().mailbox.stop();
        self.changed(stopped)
    }

    pub(crate) fn retry_now(&self) -> Result<(), i32> {
        let noted = self.lock().mailbox.retry_now();
        self.changed(noted)
    }

    /// Reads what was negotiated with the broker, while connected.
    pub(crate) fn with_agreed<T>(&self, read: impl FnOnce(&Agreed) -> T) -> Result<T, i32> {
        let shared = self.lock();
        let agreed = shared.agreed.as_ref();
        agreed.map(read).ok_or(ffi::THREAD_MQTT_ERROR_STATE)
    }

    fn changed(&self, changed: bool) -> Result<(), i32> {
        if !changed {
            return Err(ffi::THREAD_MQTT_ERROR_STATE);
        }
        self.waker.wake();
        Ok(())
    }

    /// Returns the last failure.
    pub(crate) fn last_failure(&self) -> Option<Failure> {
        self.lock().last_failure.clone()
    }

    /// Returns the Unix time in seconds, if known.
    pub(crate) fn unix_time(&self) -> Option<u64> {
        let learnt = self.lock().boot_time;
        port::unix_time().or_else(|| Some(learnt? + port::now().as_secs()))
    }

    pub(crate) fn is_online(&self) -> bool {
        self.online.load(Ordering::Relaxed)
    }

    /// Returns whether the calling thread may wait for the client. It must not be a thread that the
    /// client's thread waits for.
    pub(crate) fn may_be_waited_for(&self) -> bool {
        // SAFETY: the pointer is only compared.
        unsafe { ffi::tmq_client_may_wait(ptr::from_ref(self).cast()) != 0 }
    }

    /// Returns whether the client is about to be freed.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }

    /// Ends every wait, in the client's thread and in publish calls.
    pub(crate) fn begin_end(&self) {
        self.ending.store(true, Ordering::Release);
        self.lock().notify();
        self.waker.wake();
    }

    /// Waits for the thread to end. Dropping the handle closes the port.
    pub(crate) fn end(self: Box<Self>) {
        let thread = self.lock().thread.take();
        if let Some((thread, _registration)) = thread {
            thread.join();
        }
        #[cfg(feature = "shell")]
        if let Some(question) = self.take_question() {
            question.refuse(ffi::THREAD_MQTT_ERROR_STATE);
        }
    }

    /// Passes an event to the application.
    pub(crate) fn tell(&self, event: &mut Arc<Event>) {
        if self.callback.is_none() && !cfg!(feature = "shell") {
            return;
        }
        // The event points into these, which live until the callback returns.
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
            // SAFETY: the application supplied the callback for these arguments.
            unsafe { callback(client, &told, self.user_data) };
        }
    }
}

#[cfg(feature = "shell")]
impl Handle {
    /// Has the client's thread answer a question, one at a time.
    pub(crate) fn ask(&self, question: Question) -> Result<(), i32> {
        if self.asked.swap(true, Ordering::AcqRel) {
            return Err(ffi::THREAD_MQTT_ERROR_STATE);
        }
        self.lock().question = Some(question);
        self.waker.wake();
        Ok(())
    }

    pub(crate) fn take_question(&self) -> Option<Question> {
        self.lock().question.take()
    }

    /// Allows the next question.
    pub(crate) fn answered(&self) {
        self.asked.store(false, Ordering::Release);
    }
}

/// Where C wants the token, or NULL. Not a reference, because the callback may read it while the
/// call is still waiting.
#[derive(Clone, Copy)]
pub(crate) struct TokenTo(*mut u32);

impl TokenTo {
    /// # Safety
    /// `to` is NULL, or writable while the result is in use.
    pub(crate) unsafe fn new(to: *mut u32) -> Self {
        Self(to)
    }

    fn put(self, token: Token) {
        if !self.0.is_null() {
            // SAFETY: guaranteed by the caller of `new`.
            unsafe { self.0.write(token.0) }
        }
    }
}

/// Leaves a command in the mailbox, with a receipt if the caller waits for its end. Writes the
/// token under the lock, so the caller has it before any event that carries it.
fn submit(
    shared: &mut Shared,
    command: Command,
    to: TokenTo,
    goal: Goal,
) -> Result<Token, (CommandError, Command)> {
    if goal != Goal::Room && !shared.receipts.reserve() {
        return Err((CommandError::OutOfMemory, command));
    }
    let token = shared.mailbox.submit(command)?;
    to.put(token);
    if goal != Goal::Room {
        shared.receipts.expect(token, goal == Goal::Stored);
    }
    Ok(token)
}

/// Logs that another client uses this session: two clients would overwrite each other's records.
fn session_taken() -> i32 {
    setting(format_args!(
        "another client stores its session under the same name; give each its own session_name"
    ))
}

/// Entry point of the thread.
unsafe extern "C" fn run(argument: *mut c_void) {
    // SAFETY: the argument is the handle passed to PortThread::start, which lives until this thread
    // is joined.
    let handle = unsafe { &*argument.cast::<Handle>() };
    let (driver, start) = {
        let mut shared = handle.lock();
        (shared.driver.take(), mem::take(&mut shared.start))
    };
    if let Some(driver) = driver {
        let mut worker = Worker::new(handle, driver);
        worker.begin(start);
        worker.run();
    }
}
