//! The platform's resolver: `getaddrinfo`, which blocks, on a thread of its own.
use crate::{Waker, code};
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use thread_mqtt_resolve::resolver::{Family, LookupError};

pub(crate) type Answer = Result<Vec<IpAddr>, LookupError>;

#[derive(Debug)]
pub(crate) struct Lookup {
    /// Counts the questions, so that the answer to an abandoned one is recognised.
    question: u64,
    sender: Sender<(u64, Answer)>,
    receiver: Receiver<(u64, Answer)>,
}

impl Lookup {
    pub(crate) fn new() -> Self {
        let (sender, receiver) = channel();
        Self {
            question: 0,
            sender,
            receiver,
        }
    }

    /// Asks; an earlier question is abandoned.
    pub(crate) fn ask(&mut self, name: &str, family: Family, waker: Waker) -> io::Result<()> {
        self.question += 1;
        let question = self.question;
        let sender = self.sender.clone();
        let name = name.to_owned();
        thread::Builder::new()
            .name("getaddrinfo".to_owned())
            .spawn(move || {
                let _ = sender.send((question, addresses(&name, family)));
                waker.wake();
            })?;
        Ok(())
    }

    /// The answer, once.
    pub(crate) fn poll(&mut self) -> Option<Answer> {
        self.receiver
            .try_iter()
            .find(|(question, _)| *question == self.question)
            .map(|(_, answer)| answer)
    }
}

fn addresses(name: &str, family: Family) -> Answer {
    let found = (name, 0)
        .to_socket_addrs()
        .map_err(|error| LookupError::Platform(code(&error)))?;
    let wanted = |address: &IpAddr| match family {
        Family::Unspecified => true,
        Family::Inet => address.is_ipv4(),
        Family::Inet6 => address.is_ipv6(),
    };
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in found.map(|found| found.ip()).filter(wanted) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}
