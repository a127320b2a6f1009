//! A client on its port.
use alloc::vec::Vec;
use core::ops::ControlFlow;
use core::time::Duration;
use thread_mqtt_client::{Client, Config, ConfigError, Event};
use thread_mqtt_driver::{Driver, Port};
use thread_mqtt_session::{CommandError, Limits, Message, Pieces, PublishOptions, QoS, Token};

/// A client on its port: the connection to one broker.
///
/// This is an iterator of [events](Event). Each call runs the client until there is an event. It
/// ends when the client is idle: before [`start`](Self::start), and after it has stopped. Taking a
/// message from it acknowledges the message to the broker.
#[derive(Debug)]
pub struct Mqtt<P> {
    driver: Driver<P>,
}

impl<P: Port> Mqtt<P> {
    /// Creates a client from an existing configuration, for example from Kconfig options. It is
    /// idle until started. [`Builder::open`](crate::Builder::open) creates both.
    pub fn new(config: Config, port: P) -> Result<Self, ConfigError> {
        Ok(Self::with_client(Client::new(config)?, port))
    }

    /// Wraps an existing client, for example one with a session that survives a restart. It is idle
    /// until started.
    pub fn with_client(client: Client, port: P) -> Self {
        Self {
            driver: Driver::new(client, port),
        }
    }

    /// Starts to connect, and stays connected from then on.
    pub fn start(&mut self) {
        self.driver.start();
    }

    /// Starts to disconnect; [`Event::Stopped`] follows. Unacknowledged messages stay queued for a
    /// later [`start`](Self::start).
    pub fn stop(&mut self) {
        self.driver.stop();
    }

    /// Queues a message, even while offline. One event with this token reports its end.
    pub fn publish(&mut self, message: Message) -> Result<Token, CommandError> {
        self.driver.client_mut().publish(message)
    }

    /// Same as [`publish`](Self::publish), with a priority, an expiry, or as the latest of its
    /// topic.
    pub fn publish_with(
        &mut self,
        message: Message,
        options: PublishOptions,
    ) -> Result<Token, CommandError> {
        self.driver.client_mut().publish_with(message, options)
    }

    /// Queues a message whose payload follows in pieces, such as a file that is larger than the
    /// memory. [`PieceWanted`](crate::SessionEvent::PieceWanted) asks for each piece, and
    /// [`supply`](Self::supply) answers. [`Session::publish_in_pieces`] says what else waits
    /// meanwhile, and what a lost connection means.
    ///
    /// [`Session::publish_in_pieces`]: thread_mqtt_session::Session::publish_in_pieces
    pub fn publish_in_pieces(
        &mut self,
        message: Message,
        pieces: Pieces,
        options: PublishOptions,
    ) -> Result<Token, CommandError> {
        let client = self.driver.client_mut();
        client.publish_in_pieces(message, pieces, options)
    }

    /// Supplies the requested piece, or its beginning.
    pub fn supply(
        &mut self,
        token: Token,
        offset: u32,
        piece: impl Into<Vec<u8>>,
    ) -> Result<(), CommandError> {
        let client = self.driver.client_mut();
        client.supply(token, offset, piece.into())
    }

    /// Gives up a message published in pieces. Closes the connection if the message is half sent.
    /// Returns false if there is no such message.
    pub fn give_up_pieces(&mut self, token: Token) -> bool {
        self.driver.client_mut().give_up_pieces(token)
    }

    /// Ends the delay after a failure: the next attempt starts immediately.
    pub fn retry_now(&mut self) {
        self.driver.retry_now();
    }

    /// Returns the broker's limits; `None` while disconnected.
    pub fn limits(&self) -> Option<&Limits> {
        self.driver.client().session().limits()
    }

    /// Subscribes to topic filters. Repeated automatically whenever the broker has lost the
    /// session.
    pub fn subscribe(&mut self, filters: &[(&str, QoS)]) -> Result<Token, CommandError> {
        self.driver.client_mut().subscribe(filters)
    }

    /// Unsubscribes from topic filters.
    pub fn unsubscribe(&mut self, filters: &[&str]) -> Result<Token, CommandError> {
        self.driver.client_mut().unsubscribe(filters)
    }

    /// Returns whether the client is online, so that messages can flow.
    pub fn is_online(&self) -> bool {
        self.driver.client().is_online()
    }

    /// Returns the port's time, for [`next_until`](Self::next_until).
    pub fn now(&self) -> Duration {
        self.driver.port().now()
    }

    /// Runs the client until there is an event, or until `limit` in the port's time.
    pub fn next_until(&mut self, limit: Duration) -> Option<Event> {
        self.advance(Some(limit))
    }

    /// Runs the client until `on_event` breaks. The callback may issue commands to the client.
    pub fn run<T>(&mut self, on_event: impl FnMut(&mut Client, Event) -> ControlFlow<T>) -> T {
        self.driver.run(on_event)
    }

    /// Returns the client, for its state: stage, address, session, time.
    pub fn client(&self) -> &Client {
        self.driver.client()
    }

    /// Returns the driver, for a custom loop.
    pub fn driver(&mut self) -> &mut Driver<P> {
        &mut self.driver
    }

    fn advance(&mut self, limit: Option<Duration>) -> Option<Event> {
        loop {
            let moved = self.driver.turn();
            if let Some(event) = self.driver.poll_event() {
                return Some(event);
            }
            match limit {
                Some(limit) if self.now() >= limit => return None,
                None if self.driver.client().is_idle() => return None,
                _ if moved => {}
                limit => self.driver.wait_until(limit),
            }
        }
    }
}

impl<P: Port> Iterator for Mqtt<P> {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.advance(None)
    }
}
