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

/// One broker of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// Where it is. The name in its certificate is checked against this host.
    pub uri: BrokerUri,
    /// Brokers of a lower number are tried first, as in RFC 2782.
    pub priority: u16,
    /// Share of the devices that try this one first among brokers of the same priority: one with
    /// weight 3 is three times as likely as one with weight 1, and 0 is for the last resort.
    pub weight: u16,
}

impl Broker {
    /// Reads a list of brokers. Blanks and commas put them in order; `|` stands between brokers of
    /// the same priority, and `*N` behind a URI is its weight (1 if not given):
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

    /// [`list`](Self::list), with a port for those whose URI names none.
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

/// What is wrong with a list of brokers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BrokerListError {
    /// There is no broker in it.
    Empty,
    /// What follows `*` is not a number from 0 to 65,535.
    Weight,
    /// A URI is not one.
    Uri(UriError),
}

impl fmt::Display for BrokerListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the list of brokers is empty; write at least one URI"),
            Self::Weight => f.write_str(
                "the weight of a broker is not a number from 0 to 65,535; write for example \
                 mqtts://broker.example*3",
            ),
            Self::Uri(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for BrokerListError {}

/// What there is beside [`Config::broker`](crate::Config::broker), and how it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failover {
    /// The other brokers; none by default.
    pub others: Vec<Broker>,
    /// Weight of [`Config::broker`](crate::Config::broker), whose priority is 0.
    pub weight: u16,
    /// All of them share their sessions, as the nodes of a cluster do. Otherwise a session belongs to
    /// the broker that holds it: with the change to another one it begins anew there (clean start),
    /// unacknowledged messages are sent again and subscriptions repeated.
    pub cluster: bool,
    /// Time with a broker of lower priority after which the preferred ones are tried again, about:
    /// each device draws its own between half of it and one and a half. Doubles with every return
    /// that fails, up to eight times. `None` stays until the connection is lost.
    pub return_after: Option<Duration>,
}

impl Default for Failover {
    /// One broker; with more, each on its own, and a return after half an hour.
    fn default() -> Self {
        Self {
            others: Vec::new(),
            weight: 1,
            cluster: false,
            return_after: Some(Duration::from_secs(1_800)),
        }
    }
}

/// A broker, and what was learnt of it.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) broker: Broker,
    pub(crate) addresses: Addresses,
    pub(crate) version: Known,
    /// CONNECTs that were not answered, since it last accepted the configured version; `None` if it never did.
    pub(crate) unanswered: Option<u8>,
}

/// What is known of the version of MQTT that a broker speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    /// Nothing: the configured one is tried.
    Nothing,
    /// It did not accept the configured one; this one is tried.
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
        }
    }
}

/// Whether this build knows several brokers, and follows redirects.
pub(crate) const SEVERAL: bool = cfg!(feature = "failover");

/// Which broker is tried now, and which comes next.
#[derive(Debug)]
pub(crate) struct Targets {
    first: Target,
    others: Vec<Target>,
    /// 0 is the first.
    current: usize,
    /// Those not yet tried since the last success, the next one last.
    left: Vec<usize>,
    redirect: Option<Redirect>,
    /// Redirects followed in a row.
    hops: u8,
    /// A server that was pointed to has failed meanwhile: they do not lead in a circle.
    dead_end: bool,
    /// The first choice has been drawn.
    drawn: bool,
    /// Returns that failed in a row.
    returns: u32,
}

/// Where a broker pointed to.
#[derive(Debug)]
struct Redirect {
    target: Target,
    /// Those named behind it, the next one last.
    rest: Vec<BrokerUri>,
    /// Also after this connection.
    lasts: bool,
}

/// Most often that the time until the next return doubles.
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

    /// The one that is tried or connected now.
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

    /// Draws the first one to be tried, once. True if there was a choice.
    pub(crate) fn draw_first(&mut self, rng: &mut dyn Rng) -> bool {
        let is_first = SEVERAL && !mem::replace(&mut self.drawn, true);
        if is_first {
            self.choose(None, rng);
        }
        is_first && !self.others.is_empty()
    }

    /// The connection was stable: the same broker is tried first, then every other.
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

    /// The attempt failed: another broker is next. True if all have had their turn.
    pub(crate) fn failed(&mut self, rng: &mut dyn Rng) -> bool {
        if !SEVERAL {
            return true;
        }
        if let Some(mut redirect) = self.redirect.take() {
            self.dead_end = true;
            // The next one named, or back to the one that pointed there.
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

    /// Leaves for a preferred broker; the one left is the next choice if that fails.
    pub(crate) fn go_back(&mut self, rng: &mut dyn Rng) {
        self.returns = self.returns.saturating_add(1);
        self.redirect = None;
        self.end_hops();
        self.choose(Some(self.current), rng);
    }

    /// A round through all of them; `second` is the second.
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

    /// The next broker is where the current one points to, the first choice last; false if that is
    /// nowhere or was done too often. What holds for good holds until an attempt there fails.
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

    /// Whether a server that was pointed to since the last success has failed.
    pub(crate) fn met_dead_end(&self) -> bool {
        self.dead_end
    }

    fn end_hops(&mut self) {
        (self.hops, self.dead_end) = (0, false);
    }

    /// Whether no broker is preferred to the current one.
    pub(crate) fn is_preferred(&self) -> bool {
        let priority = |index| self.at(index).broker.priority;
        !SEVERAL || (0..=self.others.len()).all(|other| priority(other) >= priority(self.current))
    }

    /// How many times longer the wait for the next return is.
    pub(crate) fn return_factor(&self) -> u32 {
        1 << self.returns.min(RETURN_DOUBLES)
    }

    /// All of them, the first choice last: by priority, and among the same by weight (RFC 2782).
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
            // One alone needs no randomness.
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

    /// Counts through the whole range in even steps.
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

    /// The hosts in the order of the attempts of `rounds` rounds that fail.
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
        // Too many are a failure of the configured one.
        assert_eq!(targets.uri().to_string(), "mqtt://a:1883");
        assert!(targets.failed(rng));
        // One for good survives a lost connection, one for now does not.
        for (lasts, next) in [(true, "mqtt://x:1883"), (false, "mqtt://a:1883")] {
            assert!(targets.redirect(list(&[x]), lasts, 2));
            targets.succeeded(rng);
            assert_eq!(targets.uri().to_string(), next);
        }
        // Of several, each has its turn.
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
