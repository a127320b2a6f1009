//! Several brokers: which one is tried when.
use crate::addresses::Addresses;
use alloc::vec::Vec;
use core::fmt;
use core::mem;
use core::num::NonZeroU16;
use core::str::FromStr;
use core::time::Duration;
use rand_core::Rng;
use thread_mqtt_resolve::BrokerUri;
use thread_mqtt_resolve::uri::UriError;
use thread_mqtt_session::Version;

/// One of several brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Its URI. The certificate must match this host.
    pub uri: BrokerUri,
    /// Brokers with a lower number are tried first, as in RFC 2782.
    pub priority: u16,
    /// Share of the devices that try this broker first among those of the same priority. With
    /// weight 3 it is three times as likely as with weight 1; 0 makes it the last resort.
    pub weight: u16,
}

impl Broker {
    /// Parses a list of brokers. Blanks and commas separate priorities, `|` separates brokers of
    /// the same priority, and `*N` after a URI is its weight (default 1):
    ///
    /// ```
    /// use thread_mqtt_client::Broker;
    ///
    /// let brokers = Broker::list("mqtts://a.example*3|mqtts://b.example, mqtts://far.example")?;
    /// let order: Vec<_> = brokers.iter().map(|b| (b.priority, b.weight)).collect();
    /// assert_eq!(order, [(0, 3), (0, 1), (1, 1)]);
    /// # Ok::<(), thread_mqtt_client::BrokerListError>(())
    /// ```
    pub fn list(text: &str) -> Result<Vec<Self>, BrokerListError> {
        Self::list_with_port(text, None)
    }

    /// Like [`list`](Self::list), with a port for URIs that name none.
    pub fn list_with_port(
        text: &str,
        port: Option<NonZeroU16>,
    ) -> Result<Vec<Self>, BrokerListError> {
        let mut brokers = Vec::new();
        let groups = text.split([' ', ',']).filter(|group| !group.is_empty());
        for (priority, group) in groups.enumerate() {
            for broker in group.split('|') {
                let priority = u16::try_from(priority).unwrap_or(u16::MAX);
                brokers.push(Self {
                    priority,
                    ..Self::parse(broker, port)?
                });
            }
        }
        match brokers.is_empty() {
            true => Err(BrokerListError::Empty),
            false => Ok(brokers),
        }
    }
}

impl FromStr for Broker {
    type Err = BrokerListError;

    fn from_str(text: &str) -> Result<Self, BrokerListError> {
        Self::parse(text, None)
    }
}

impl Broker {
    fn parse(text: &str, port: Option<NonZeroU16>) -> Result<Self, BrokerListError> {
        let (uri, weight) = match text.rsplit_once('*') {
            Some((uri, weight)) => (uri, weight.parse().map_err(|_| BrokerListError::Weight)?),
            None => (text, 1),
        };
        Ok(Self {
            uri: BrokerUri::parse(uri, port).map_err(BrokerListError::Uri)?,
            priority: 0,
            weight,
        })
    }
}

/// Why a list of brokers is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BrokerListError {
    /// The list is empty.
    Empty,
    /// The text after `*` is not a number from 0 to 65,535.
    Weight,
    /// A URI is invalid.
    Uri(UriError),
}

impl fmt::Display for BrokerListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the list of brokers is empty; set at least one URI"),
            Self::Weight => f.write_str(
                "the weight of a broker must be a number from 0 to 65,535, for example \
                 mqtts://broker.example*3",
            ),
            Self::Uri(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for BrokerListError {}

/// The brokers in addition to [`Config::broker`](crate::Config::broker), and how they are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failover {
    /// The other brokers; none by default.
    pub others: Vec<Broker>,
    /// Weight of [`Config::broker`](crate::Config::broker), whose priority is 0.
    pub weight: u16,
    /// All brokers share their sessions, as the nodes of a cluster do. Otherwise a session belongs
    /// to the broker that holds it: another broker gets a new session (clean start), to which
    /// unacknowledged messages and subscriptions are sent again.
    pub cluster: bool,
    /// Approximate time with a broker of lower priority after which the preferred ones are tried
    /// again. Each device draws its own value between half and one and a half times this. It
    /// doubles with every return that fails, up to a factor of eight. `None` stays until the
    /// connection is lost.
    pub return_after: Option<Duration>,
}

impl Default for Failover {
    /// One broker; any others do not share sessions, and a return is due after half an hour.
    fn default() -> Self {
        Self {
            others: Vec::new(),
            weight: 1,
            cluster: false,
            return_after: Some(Duration::from_secs(1_800)),
        }
    }
}

/// A broker, and what was learned about it.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) broker: Broker,
    pub(crate) addresses: Addresses,
    pub(crate) version: Known,
    /// Unanswered CONNECTs since it last accepted the configured version; `None` if it never did.
    pub(crate) unanswered: Option<u8>,
    /// How often in a row the broker accepted the other version after closing a connection with the
    /// configured one; [`GUESSES`] if it said that it does not support that one.
    pub(crate) guesses: u8,
}

/// After as many guesses in a row, the other version is remembered.
pub(crate) const GUESSES: u8 = 3;

/// What is known about the version of MQTT that a broker supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nothing: try the configured one.
    Nothing,
    /// It did not accept the configured one; this one is being tried.
    Tried(Version),
    /// It accepted this one.
    Speaks(Version),
}

impl Target {
    fn new(broker: Broker) -> Self {
        Self {
            broker,
            addresses: Addresses::default(),
            version: Known::Nothing,
            unanswered: None,
            guesses: 0,
        }
    }
}

/// Whether this build supports several brokers and redirects.
pub(crate) const SEVERAL: bool = cfg!(feature = "failover");

/// Which broker is tried now, and which comes next.
#[derive(Debug)]
pub(crate) struct Targets {
    first: Target,
    others: Vec<Target>,
    /// Index of the current broker; 0 is [`Config::broker`](crate::Config::broker).
    current: usize,
    /// Brokers not yet tried since the last success, the next one last.
    left: Vec<usize>,
    redirect: Option<Redirect>,
    /// Redirects followed in a row.
    hops: u8,
    /// A redirect target has failed meanwhile, so the redirects are not a mere loop.
    dead_end: bool,
    /// The first choice was drawn.
    drawn: bool,
    /// Consecutive returns that failed.
    returns: u32,
}

/// Target of a redirect.
#[derive(Debug)]
struct Redirect {
    target: Target,
    /// Further targets of the same redirect, the next one last.
    rest: Vec<BrokerUri>,
    /// Permanent: still applies after this connection.
    lasts: bool,
}

/// How often the time until the next return may double.
const RETURN_DOUBLES: u32 = 3;

impl Targets {
    pub(crate) fn new(broker: BrokerUri, failover: &mut Failover) -> Self {
        let preferred = Broker {
            uri: broker,
            priority: 0,
            weight: failover.weight,
        };
        let mut others = Vec::new();
        if SEVERAL {
            others.extend(mem::take(&mut failover.others).into_iter().map(Target::new));
        }
        Self {
            first: Target::new(preferred),
            others,
            current: 0,
            left: Vec::new(),
            redirect: None,
            hops: 0,
            dead_end: false,
            drawn: false,
            returns: 0,
        }
    }

    /// Returns the broker being tried or connected.
    pub(crate) fn current(&self) -> &Target {
        match &self.redirect {
            Some(redirect) if SEVERAL => &redirect.target,
            _ => self.at(self.current),
        }
    }

    pub(crate) fn current_mut(&mut self) -> &mut Target {
        match &mut self.redirect {
            Some(redirect) if SEVERAL => &mut redirect.target,
            _ => match self.current.checked_sub(1) {
                Some(other) if SEVERAL => self.others.get_mut(other).unwrap_or(&mut self.first),
                _ => &mut self.first,
            },
        }
    }

    fn at(&self, index: usize) -> &Target {
        let other = index
            .checked_sub(1)
            .and_then(|other| self.others.get(other));
        other.filter(|_| SEVERAL).unwrap_or(&self.first)
    }

    pub(crate) fn uri(&self) -> &BrokerUri {
        &self.current().broker.uri
    }

    /// Draws the first broker, once. Returns true if there was a choice.
    pub(crate) fn draw_first(&mut self, rng: &mut dyn Rng) -> bool {
        let is_first = SEVERAL && !mem::replace(&mut self.drawn, true);
        if is_first {
            self.choose(None, rng);
        }
        is_first && !self.others.is_empty()
    }

    /// Notes that the connection was stable: the same broker is tried first, then the others.
    pub(crate) fn succeeded(&mut self, rng: &mut dyn Rng) {
        if !SEVERAL {
            return;
        }
        self.end_hops();
        if self
            .redirect
            .as_ref()
            .is_some_and(|redirect| !redirect.lasts)
        {
            self.redirect = None;
        }
        if self.is_preferred() {
            self.returns = 0;
        }
        self.left = self.order(rng);
        self.left.retain(|index| *index != self.current);
    }

    /// Moves on after a failed attempt. Returns true if all brokers have been tried.
    pub(crate) fn failed(&mut self, rng: &mut dyn Rng) -> bool {
        if !SEVERAL {
            return true;
        }
        if let Some(mut redirect) = self.redirect.take() {
            self.dead_end = true;
            // The next target of the redirect, or back to the broker that sent it.
            if let Some(uri) = redirect.rest.pop() {
                redirect.target = Target::new(Broker {
                    uri,
                    ..redirect.target.broker
                });
                self.redirect = Some(redirect);
            }
            return false;
        }
        match self.left.pop() {
            Some(next) => {
                self.current = next;
                false
            }
            None => {
                self.choose(None, rng);
                true
            }
        }
    }

    /// Switches to a preferred broker. If that fails, the one left behind comes next.
    pub(crate) fn go_back(&mut self, rng: &mut dyn Rng) {
        self.returns = self.returns.saturating_add(1);
        self.redirect = None;
        self.end_hops();
        self.choose(Some(self.current), rng);
    }

    /// Starts a round of all brokers; `second` comes second.
    fn choose(&mut self, second: Option<usize>, rng: &mut dyn Rng) {
        self.left = self.order(rng);
        if let Some(first) = self.left.pop() {
            self.current = first;
        }
        if let Some(second) = second.filter(|second| *second != self.current) {
            self.left.retain(|index| *index != second);
            self.left.push(second);
        }
    }

    /// Follows a redirect to the servers in `to`, whose first choice is last. Returns false if
    /// there are none, or after too many redirects in a row. A permanent one lasts until an attempt
    /// at its target fails.
    pub(crate) fn redirect(&mut self, mut to: Vec<BrokerUri>, lasts: bool, most: u8) -> bool {
        let first = to.pop().filter(|_| SEVERAL && self.hops < most);
        let Some(uri) = first else {
            self.end_hops();
            self.redirect = None;
            return false;
        };
        self.hops += 1;
        let target = Target::new(Broker {
            uri,
            ..self.current().broker.clone()
        });
        self.redirect = Some(Redirect {
            target,
            rest: to,
            lasts,
        });
        true
    }

    /// Returns whether a redirect target has failed since the last success.
    pub(crate) fn met_dead_end(&self) -> bool {
        self.dead_end
    }

    fn end_hops(&mut self) {
        (self.hops, self.dead_end) = (0, false);
    }

    /// Returns whether no broker is preferred to the current one.
    pub(crate) fn is_preferred(&self) -> bool {
        let priority = |index| self.at(index).broker.priority;
        !SEVERAL || (0..=self.others.len()).all(|other| priority(other) >= priority(self.current))
    }

    /// Returns the factor by which the wait for the next return is extended.
    pub(crate) fn return_factor(&self) -> u32 {
        1 << self.returns.min(RETURN_DOUBLES)
    }

    /// Returns all brokers, first choice last: by priority, then by weight (RFC 2782).
    fn order(&self, rng: &mut dyn Rng) -> Vec<usize> {
        let mut waiting: Vec<usize> = (0..=self.others.len()).collect();
        let mut order = Vec::with_capacity(waiting.len());
        while !waiting.is_empty() {
            let priority = |index: &usize| self.at(*index).broker.priority;
            let first = waiting.iter().map(priority).min();
            let group = |index: &usize| Some(priority(index)) == first;
            let weight = |index: usize| u64::from(self.at(index).broker.weight);
            let of_group = waiting.iter().copied().filter(group);
            let sum: u64 = of_group.clone().map(weight).sum();
            // A single one needs no randomness.
            let mut draw = match (of_group.clone().count(), sum) {
                (1, _) | (_, 0) => 0,
                (_, sum) => (u64::from(rng.next_u32()) * sum) >> 32,
            };
            let mut chosen = None;
            for index in of_group {
                chosen = chosen.or((sum == 0).then_some(index));
                if chosen.is_none() {
                    match draw.checked_sub(weight(index)) {
                        Some(rest) => draw = rest,
                        None => chosen = Some(index),
                    }
                }
            }
            match chosen {
                Some(index) => {
                    waiting.retain(|other| *other != index);
                    order.push(index);
                }
                None => break,
            }
        }
        order.reverse();
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::convert::Infallible;
    use rand_core::TryRng;

    /// Steps evenly through the whole range.
    struct Even(u32, u32);

    impl TryRng for Even {
        type Error = Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            self.0 = self.0.wrapping_add(self.1);
            Ok(self.0)
        }
        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            self.try_next_u32().map(u64::from)
        }
        fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
            dst.fill(0);
            Ok(())
        }
    }

    fn targets(list: &str) -> Targets {
        let mut brokers = Broker::list(list).unwrap();
        let first = brokers.remove(0);
        let mut failover = Failover {
            others: brokers,
            weight: first.weight,
            ..Failover::default()
        };
        Targets::new(first.uri, &mut failover)
    }

    /// Returns the hosts in the order tried, for `rounds` failing rounds.
    fn tried(targets: &mut Targets, rng: &mut Even, rounds: usize) -> Vec<alloc::string::String> {
        use alloc::string::ToString;
        let mut hosts = Vec::new();
        targets.draw_first(rng);
        for _ in 0..rounds {
            loop {
                hosts.push(targets.uri().host.to_string());
                if targets.failed(rng) {
                    break;
                }
            }
        }
        hosts
    }

    #[test]
    fn in_order_one_after_the_other_and_again() {
        let mut targets = targets("mqtt://a mqtt://b,mqtt://c");
        let hosts = tried(&mut targets, &mut Even(0, 12_345), 2);
        assert_eq!(hosts, ["a", "b", "c", "a", "b", "c"]);
    }

    #[test]
    fn by_weight_each_has_its_share_of_the_first_attempts() {
        let mut first = [0, 0];
        let mut rng = Even(0, u32::MAX / 400);
        for _ in 0..400 {
            let mut targets = targets("mqtt://a*3|mqtt://b*1,mqtt://last");
            let hosts = tried(&mut targets, &mut rng, 1);
            assert_eq!(hosts.len(), 3);
            assert_eq!(hosts[2], "last");
            first[usize::from(hosts[0] == "b")] += 1;
        }
        assert!((280..=320).contains(&first[0]), "{first:?}");
    }

    #[test]
    fn a_weight_of_zero_is_for_the_last_resort() {
        for draw in [0, 1, u32::MAX / 2, u32::MAX - 1] {
            let mut targets = targets("mqtt://zero*0|mqtt://one");
            assert_eq!(tried(&mut targets, &mut Even(draw, 0), 1), ["one", "zero"]);
        }
        let mut targets = targets("mqtt://a*0|mqtt://b*0");
        assert_eq!(tried(&mut targets, &mut Even(7, 0), 1), ["a", "b"]);
    }

    #[test]
    fn after_a_success_the_same_broker_comes_first() {
        let rng = &mut Even(0, 1);
        let mut targets = targets("mqtt://a mqtt://b mqtt://c");
        targets.draw_first(rng);
        assert!(!targets.failed(rng));
        targets.succeeded(rng);
        assert_eq!(tried(&mut targets, rng, 1), ["b", "a", "c"]);
    }

    #[test]
    fn a_return_that_fails_leads_back() {
        let rng = &mut Even(0, 1);
        let mut targets = targets("mqtt://a mqtt://b mqtt://c");
        targets.draw_first(rng);
        targets.failed(rng);
        targets.failed(rng);
        targets.succeeded(rng);
        assert!(!targets.is_preferred());
        assert_eq!(targets.return_factor(), 1);
        targets.go_back(rng);
        assert!(targets.is_preferred());
        assert_eq!(tried(&mut targets, rng, 1), ["a", "c", "b"]);
        assert_eq!(targets.return_factor(), 2);
    }

    #[test]
    fn redirects_are_bounded_and_left_when_they_fail() {
        let rng = &mut Even(0, 1);
        let mut targets = targets("mqtt://a");
        let (x, y) = ("mqtt://x:1883", "mqtt://y:1883");
        let list = |uris: &[&str]| uris.iter().rev().map(|uri| uri.parse().unwrap()).collect();
        assert!(targets.redirect(list(&[x]), true, 2));
        assert_eq!(targets.uri().to_string(), x);
        assert!(!targets.failed(rng));
        assert_eq!(targets.uri().to_string(), "mqtt://a:1883");
        assert!(targets.failed(rng));
        assert!(targets.redirect(list(&[y]), true, 2));
        assert!(!targets.redirect(list(&[x]), true, 2));
        // Too many redirects count as a failure of the configured broker.
        assert_eq!(targets.uri().to_string(), "mqtt://a:1883");
        assert!(targets.failed(rng));
        // A permanent redirect survives a lost connection; a temporary one does not.
        for (lasts, next) in [(true, "mqtt://x:1883"), (false, "mqtt://a:1883")] {
            assert!(targets.redirect(list(&[x]), lasts, 2));
            targets.succeeded(rng);
            assert_eq!(targets.uri().to_string(), next);
        }
        // Several targets are tried in turn.
        assert!(targets.redirect(list(&[x, y]), false, 2));
        assert_eq!(targets.uri().to_string(), x);
        assert!(!targets.failed(rng));
        assert_eq!(targets.uri().to_string(), y);
        assert!(!targets.failed(rng));
        assert_eq!(targets.uri().to_string(), "mqtt://a:1883");
    }

    #[test]
    fn lists_that_are_wrong_are_refused_by_their_part() {
        for (text, error) in [
            ("", BrokerListError::Empty),
            (" , ", BrokerListError::Empty),
            ("mqtt://a*", BrokerListError::Weight),
            ("mqtt://a*-1", BrokerListError::Weight),
            ("mqtt://a*65536", BrokerListError::Weight),
            ("mqtt://a,b", BrokerListError::Uri(UriError::SchemeMissing)),
            ("mqtt://a|", BrokerListError::Uri(UriError::SchemeMissing)),
        ] {
            assert_eq!(Broker::list(text), Err(error), "{text:?}");
        }
    }

    use alloc::string::ToString;
}
