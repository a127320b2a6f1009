//! Starts nodes, and reads what the network offers.
use super::{Instance, from_address, message_bytes, to_address, with_platform};
use crate::config::WorldError;
use crate::platform::Request;
use core::ffi::c_void;
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddrV6};
use core::time::Duration;
use openthread_sys as ot;

/// The border router's other interface.
pub(super) const INFRA_INTERFACE: u32 = 1;
/// The range from which NAT64 assigns IPv4 addresses to Thread nodes.
const NAT64_CIDR: (Ipv4Addr, u8) = (Ipv4Addr::new(192, 168, 255, 0), 24);
/// Routers decide quickly whether to become one; the default jitter is two minutes.
const ROUTER_JITTER_SECONDS: u8 = 1;

/// What a node needs to join: the active dataset in Thread's encoding.
#[derive(Clone)]
pub(crate) struct Commissioning {
    tlvs: ot::otOperationalDatasetTlvs,
}

/// A route with the NAT64 flag in the network data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nat64Route {
    pub(crate) prefix: Ipv6Addr,
    pub(crate) length: u8,
    /// -1, 0 or 1.
    pub(crate) preference: i32,
}

impl Instance {
    /// Forms a network, unless the settings contain one, as a border router with everything
    /// enabled.
    pub(crate) fn start_border_router(&self) -> Result<Commissioning, WorldError> {
        // Safety of all calls below: the instance is live, arguments outlive the call, and
        // callbacks get the node's index as context.
        if !self.is_commissioned() {
            let mut dataset = ot::otOperationalDataset::default();
            // SAFETY: as above.
            self.try_call("otDatasetCreateNewNetwork", |raw| unsafe {
                ot::otDatasetCreateNewNetwork(raw, &mut dataset)
            })?;
            // SAFETY: as above.
            self.try_call("otDatasetSetActive", |raw| unsafe {
                ot::otDatasetSetActive(raw, &dataset)
            })?;
        }
        // SAFETY: as above.
        self.try_call("otBorderRoutingInit", |raw| unsafe {
            ot::otBorderRoutingInit(raw, INFRA_INTERFACE, true)
        })?;
        // SAFETY: as above.
        self.try_call("otBorderRoutingSetEnabled", |raw| unsafe {
            ot::otBorderRoutingSetEnabled(raw, true)
        })?;
        let mut cidr = ot::otIp4Cidr {
            mAddress: ot::otIp4Address::default(),
            mLength: NAT64_CIDR.1,
        };
        cidr.mAddress.mFields.m8 = NAT64_CIDR.0.octets();
        // SAFETY: as above.
        self.try_call("otNat64SetIp4Cidr", |raw| unsafe {
            ot::otNat64SetIp4Cidr(raw, &cidr)
        })?;
        let context = self.context();
        // SAFETY: as above.
        self.call(|raw| unsafe {
            ot::otNat64SetReceiveIp4Callback(raw, Some(nat64_packet), context);
            // NAT64 needs this to have a route to the host.
            ot::otIp6SetReceiveCallback(raw, Some(ip6_packet), context);
            ot::otNat64SetEnabled(raw, true);
            ot::otSrpServerSetEnabled(raw, true);
            ot::otDnssdUpstreamQuerySetEnabled(raw, true);
        });
        self.start()?;
        self.commissioning()
    }

    /// Joins as a router.
    pub(crate) fn start_router(&self, network: &Commissioning) -> Result<(), WorldError> {
        self.commission(network)?;
        // SAFETY: the instance is live.
        self.call(|raw| unsafe {
            ot::otThreadSetRouterSelectionJitter(raw, ROUTER_JITTER_SECONDS);
        });
        self.start()
    }

    /// Joins as a minimal Thread device, sleepy if `poll` is set.
    pub(crate) fn start_device(
        &self,
        network: &Commissioning,
        poll: Option<Duration>,
    ) -> Result<(), WorldError> {
        self.commission(network)?;
        let mut mode = ot::otLinkModeConfig::default();
        mode.set_mRxOnWhenIdle(poll.is_none());
        mode.set_mDeviceType(false);
        mode.set_mNetworkData(true);
        // SAFETY: the instance is live.
        self.try_call("otThreadSetLinkMode", |raw| unsafe {
            ot::otThreadSetLinkMode(raw, mode)
        })?;
        if let Some(poll) = poll {
            let period = u32::try_from(poll.as_millis()).unwrap_or(u32::MAX);
            // SAFETY: the instance is live.
            self.try_call("otLinkSetPollPeriod", |raw| unsafe {
                ot::otLinkSetPollPeriod(raw, period)
            })?;
        }
        let context = self.context();
        // SAFETY: the instance is live; the callback's context is the node's index.
        self.try_call("otSetStateChangedCallback", |raw| unsafe {
            ot::otSetStateChangedCallback(raw, Some(state_changed), context)
        })?;
        // Finds the border router's SRP server in the network data; OpenThread's DNS client then
        // queries that server.
        // SAFETY: the instance is live; no callback is given.
        self.call(|raw| unsafe {
            ot::otIp6SetSlaacEnabled(raw, true);
            ot::otSrpClientEnableAutoStartMode(raw, None, core::ptr::null_mut());
        });
        self.receive_tcp();
        self.start()
    }

    /// Returns whether the settings contain a network's credentials.
    fn is_commissioned(&self) -> bool {
        // SAFETY: the instance is live.
        self.call(|raw| unsafe { ot::otDatasetIsCommissioned(raw) })
    }

    fn commission(&self, network: &Commissioning) -> Result<(), WorldError> {
        if self.is_commissioned() {
            return Ok(());
        }
        // SAFETY: the instance is live; the dataset outlives the call.
        self.try_call("otDatasetSetActiveTlvs", |raw| unsafe {
            ot::otDatasetSetActiveTlvs(raw, &network.tlvs)
        })
    }

    fn commissioning(&self) -> Result<Commissioning, WorldError> {
        let mut tlvs = ot::otOperationalDatasetTlvs::default();
        // SAFETY: the instance is live; the dataset outlives the call.
        self.try_call("otDatasetGetActiveTlvs", |raw| unsafe {
            ot::otDatasetGetActiveTlvs(raw, &mut tlvs)
        })?;
        Ok(Commissioning { tlvs })
    }

    fn start(&self) -> Result<(), WorldError> {
        // SAFETY: the instance is live.
        self.try_call("otIp6SetEnabled", |raw| unsafe {
            ot::otIp6SetEnabled(raw, true)
        })?;
        self.set_thread(true)
    }

    /// Starts or stops Thread.
    pub(crate) fn set_thread(&self, enabled: bool) -> Result<(), WorldError> {
        // SAFETY: the instance is live.
        self.try_call("otThreadSetEnabled", |raw| unsafe {
            ot::otThreadSetEnabled(raw, enabled)
        })
    }

    /// Starts or stops NAT64 and its prefix.
    pub(crate) fn set_nat64(&self, enabled: bool) {
        // SAFETY: the instance is live.
        self.call(|raw| unsafe { ot::otNat64SetEnabled(raw, enabled) });
    }

    /// Announces a NAT64 prefix in the network data, or withdraws it.
    pub(crate) fn announce_nat64(
        &self,
        route: Nat64Route,
        announce: bool,
    ) -> Result<(), WorldError> {
        // SAFETY: plain data for which all-zero bytes are valid.
        let mut config: ot::otExternalRouteConfig = unsafe { core::mem::zeroed() };
        config.mPrefix.mPrefix = from_address(route.prefix);
        config.mPrefix.mLength = route.length;
        config.set_mPreference(route.preference);
        config.set_mNat64(true);
        config.set_mStable(true);
        // SAFETY: the instance is live; the configuration is copied.
        self.try_call("otBorderRouterAddRoute", |raw| unsafe {
            if announce {
                ot::otBorderRouterAddRoute(raw, &config)
            } else {
                ot::otBorderRouterRemoveRoute(raw, &config.mPrefix)
            }
        })?;
        // SAFETY: the instance is live.
        self.try_call("otBorderRouterRegister", |raw| unsafe {
            ot::otBorderRouterRegister(raw)
        })
    }

    /// Sets whether the DNS server queries upstream servers.
    pub(crate) fn set_dns_upstream(&self, enabled: bool) {
        // SAFETY: the instance is live.
        self.call(|raw| unsafe { ot::otDnssdUpstreamQuerySetEnabled(raw, enabled) });
    }

    /// Returns the network key of the active dataset.
    pub(crate) fn network_key(&self) -> [u8; 16] {
        let mut key = ot::otNetworkKey::default();
        // SAFETY: the instance is live; the key outlives the call.
        self.call(|raw| unsafe { ot::otThreadGetNetworkKey(raw, &mut key) });
        key.m8
    }

    /// Returns whether the node is a child, router or leader.
    pub(crate) fn is_attached(&self) -> bool {
        // SAFETY: the instance is live.
        let role = self.call(|raw| unsafe { ot::otThreadGetDeviceRole(raw) });
        role >= ot::otDeviceRole_OT_DEVICE_ROLE_CHILD
    }

    /// Returns the first preferred address that is reachable from beyond the mesh, created by SLAAC
    /// from the border router's off-mesh-routable prefix.
    pub(crate) fn routable_address(&self) -> Option<Ipv6Addr> {
        self.call(|raw| {
            // SAFETY: the instance is live, and its list does not change during the call.
            unsafe {
                let mut next = ot::otIp6GetUnicastAddresses(raw);
                while let Some(address) = next.as_ref() {
                    if u32::from(address.mAddressOrigin) == ot::OT_ADDRESS_ORIGIN_SLAAC
                        && address.mValid()
                        && address.mPreferred()
                    {
                        return Some(to_address(&address.mAddress));
                    }
                    next = address.mNext;
                }
            }
            None
        })
    }

    /// Returns the NAT64 prefixes in the network data.
    pub(crate) fn nat64_routes(&self) -> Vec<Nat64Route> {
        let mut routes = Vec::new();
        self.call(|raw| {
            let mut iterator = ot::OT_NETWORK_DATA_ITERATOR_INIT;
            // SAFETY: plain data for which all-zero bytes are valid.
            let mut route: ot::otExternalRouteConfig = unsafe { core::mem::zeroed() };
            // SAFETY: the instance is live; iterator and route outlive the call.
            while unsafe { ot::otNetDataGetNextRoute(raw, &mut iterator, &mut route) } == 0 {
                if route.mNat64() {
                    routes.push(Nat64Route {
                        prefix: to_address(&route.mPrefix.mPrefix),
                        length: route.mPrefix.mLength,
                        // Two bits, which bindgen does not sign-extend (RFC 4191 section 2.1).
                        preference: match route.mPreference() & 3 {
                            1 => 1,
                            0 => 0,
                            _ => -1,
                        },
                    });
                }
            }
        });
        routes
    }

    /// Returns the prefixes that 6LoWPAN compresses (RFC 6282, section 3.1.1), by context number.
    /// The mesh-local prefix is 0; the others are in the network data.
    pub(crate) fn lowpan_contexts(&self) -> Vec<(u8, Ipv6Addr)> {
        self.call(|raw| {
            let mut contexts = Vec::new();
            // SAFETY: plain data for which all-zero bytes are valid; the instance is live, and its
            // prefix, iterator and context outlive the calls.
            unsafe {
                if let Some(prefix) = ot::otThreadGetMeshLocalPrefix(raw).as_ref() {
                    let mut octets = [0; 16];
                    octets[..8].copy_from_slice(&prefix.m8);
                    contexts.push((0, Ipv6Addr::from(octets)));
                }
                let mut iterator = ot::OT_NETWORK_DATA_ITERATOR_INIT;
                let mut found: ot::otLowpanContextInfo = core::mem::zeroed();
                while ot::otNetDataGetNextLowpanContextInfo(raw, &mut iterator, &mut found) == 0 {
                    contexts.push((found.mContextId, to_address(&found.mPrefix.mPrefix)));
                }
            }
            contexts
        })
    }

    /// Returns the DNS server of the network: the host of the SRP server, which OpenThread's DNS
    /// client uses as its default.
    pub(crate) fn dns_server(&self) -> Option<SocketAddrV6> {
        self.call(|raw| {
            // SAFETY: the instance is live; both pointers are valid until it changes.
            unsafe {
                let found = ot::otSrpClientGetServerAddress(raw).as_ref()?;
                let config = ot::otDnsClientGetDefaultConfig(raw).as_ref()?;
                let server = to_address(&config.mServerSockAddr.mAddress);
                let same = !server.is_unspecified() && server == to_address(&found.mAddress);
                same.then(|| SocketAddrV6::new(server, config.mServerSockAddr.mPort, 0, 0))
            }
        })
    }

    /// Returns the IPv4 address that NAT64 maps an IPv6 address to, if any.
    pub(crate) fn nat64_mapping(&self, of: Ipv6Addr) -> Option<Ipv4Addr> {
        let wanted = from_address(of);
        self.call(|raw| {
            // SAFETY: plain data; the instance is live; all arguments outlive the calls.
            unsafe {
                let mut iterator: ot::otNat64AddressMappingIterator = core::mem::zeroed();
                let mut mapping: ot::otNat64AddressMapping = core::mem::zeroed();
                ot::otNat64InitAddressMappingIterator(raw, &mut iterator);
                while ot::otNat64GetNextAddressMapping(raw, &mut iterator, &mut mapping) == 0 {
                    if to_address(&mapping.mIp6) == to_address(&wanted) {
                        return Some(Ipv4Addr::from(mapping.mIp4.mFields.m8));
                    }
                }
            }
            None
        })
    }
}

/// Receives an IPv4 packet from NAT64, and ownership of the message.
unsafe extern "C" fn nat64_packet(message: *mut ot::otMessage, context: *mut c_void) {
    // SAFETY: a live message that is ours; inside `enter` (rule 2). Its offset is that of the
    // payload, after the IPv4 header.
    let packet = unsafe {
        let packet = message_bytes(message, 0);
        ot::otMessageFree(message);
        packet
    };
    with_platform(|platform| {
        let node = &mut platform.nodes[context as usize];
        node.requests.push_back(Request::Ip4(packet));
    });
}

/// Receives an IPv6 packet for the infrastructure link, which has no hosts.
unsafe extern "C" fn ip6_packet(message: *mut ot::otMessage, _context: *mut c_void) {
    // SAFETY: the message is ours; inside `enter` (rule 2).
    unsafe { ot::otMessageFree(message) };
}

/// Called when role, addresses or network data changed.
unsafe extern "C" fn state_changed(flags: ot::otChangedFlags, context: *mut c_void) {
    with_platform(|platform| {
        let node = &mut platform.nodes[context as usize];
        node.activity += 1;
        if flags & ot::OT_CHANGED_IP6_ADDRESS_ADDED != 0 {
            node.requests.push_back(Request::AddressAdded);
        }
    });
}
