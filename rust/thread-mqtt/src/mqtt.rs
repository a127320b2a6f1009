//! A client on its port.
use alloc::vec::Vec;
use core::ops::ControlFlow;
use core::time::Duration;
use thread_mqtt_client::{Client, Config, ConfigError, Event};
use thread_mqtt_driver::{Driver, Port};
use thread_mqtt_session::{CommandError, Limits, Message, Pieces, PublishOptions, QoS, Token};

/// A client on its port: the connection to one broker.
///
/// An iterator of [events](Event), each call of which runs the client until there is one. It ends
/// when the client is idle: before [`start`](Self::start), and once it has stopped. A message that
/// is taken from it is acknowledged to the broker.
#[derive(Debug)]
pub struct Mqtt<P> {
    driver: Driver<P>,
}

impl<P: Port> Mqtt<P> {
    /// A client of a configuration that was made elsewhere, of Kconfig's options for instance; idle
    /// until started. [`Builder::open`](crate::Builder::open) makes both.
    pub fn new(config: Config, port: P) -> Result<Self, ConfigError> {
        Ok(Self::with_client(Client::new(config)?, port))
    }

    /// A client that was made elsewhere, for instance one whose session outlives a restart; idle until
    /// started.
    pub fn with_client(client: Client, port: P) -> Self {
        Self {
            driver: Driver::new(client, port),
        }
    }

    /// Begins to connect, and stays connected from then on.
    pub fn start(&mut self) {
        self.driver.start();
    }

    /// Begins to disconnect; [`Event::Stopped`] follows. Messages that are not acknowledged stay
    /// for a later [`start`](Self::start).
    pub fn stop(&mut self) {
        self.driver.stop();
    }

    /// Queues a message, also while offline. Its end is one event that carries this token.
    pub fn publish(&mut self, message: Message) -> Result<Token, CommandError> {
        self.driver.client_mut().publish(message)
    }

    /// [`publish`](Self::publish) with a priority, an expiry, or as the latest of its topic.
    pub fn publish_with(
        &mut self,
        message: Message,
        options: PublishOptions,
    ) -> Result<Token, CommandError> {
        self.driver.client_mut().publish_with(message, options)
    }

    /// Queues a message without its payload, which follows in pieces: a file that is larger than the
    /// memory. [`PieceWanted`](crate::SessionEvent::PieceWanted) asks for each of them, and
    /// [`supply`](Self::supply) answers. See [`Session::publish_in_pieces`] for what else waits
    /// meanwhile, and for what a lost connection means.
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

    /// Supplies the piece that was asked for, or a beginning of it.
    pub fn supply(
        &mut self,
        token: Token,
        offset: u32,
        piece: impl Into<Vec<u8>>,
    ) -> Result<(), CommandError> {
        let client = self.driver.client_mut();
        client.supply(token, offset, piece.into())
    }

    /// Gives up a message that was published in pieces; the connection ends if it is half sent. False
    /// if there is no such message.
    pub fn give_up_pieces(&mut self, token: Token) -> bool {
        self.driver.client_mut().give_up_pieces(token)
    }

    /// Ends the pause after a failure: the next attempt begins now.
    pub fn retry_now(&mut self) {
        self.driver.retry_now();
    }

    /// What the broker allows; `None` while there is no connection.
    pub fn limits(&self) -> Option<&Limits> {
        self.driver.client().session().limits()
    }

    /// Subscribes to topic filters; repeated by itself whenever the broker has lost the session.
    pub fn subscribe(&mut self, filters: &[(&str, QoS)]) -> Result<Token, CommandError> {
        self.driver.client_mut().subscribe(filters)
    }

    /// Ends subscriptions.
    pub fn unsubscribe(&mut self, filters: &[&str]) -> Result<Token, CommandError> {
        self.driver.client_mut().unsubscribe(filters)
    }

    /// Whether messages flow now.
    pub fn is_online(&self) -> bool {
        self.driver.client().is_online()
    }

    /// The port's time, for [`next_until`](Self::next_until).
    pub fn now(&self) -> Duration {
        self.driver.port().now()
    }

    /// Runs the client until there is an event, or until `limit` of the port's time.
    pub fn next_until(&mut self, limit: Duration) -> Option<Event> {
        self.advance(Some(limit))
    }

    /// Runs the client until `on_event` breaks, which may give commands to the client.
    pub fn run<T>(&mut self, on_event: impl FnMut(&mut Client, Event) -> ControlFlow<T>) -> T {
        self.driver.run(on_event)
    }

    /// The client, for what it knows: stage, address, session, time.
    pub fn client(&self) -> &Client {
        self.driver.client()
    }

    /// The driver, for a loop of one's own.
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
