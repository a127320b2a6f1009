//! OpenThread's own DNS client.
use super::{Instance, to_address, with_platform};
use core::ffi::{CStr, c_void};
use core::net::Ipv6Addr;
use openthread_sys as ot;

/// Maximum number of addresses taken from one answer.
const MOST_ADDRESSES: u16 = 16;

/// The address family of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Query {
    /// A, answered as NAT64 addresses.
    A,
    /// AAAA.
    Aaaa,
}

impl Instance {
    /// Starts a query at the default server. The answer appears among the node's answers with
    /// `number`. OpenThread cannot cancel a query. `Err` carries `otError`.
    pub(crate) fn query(&self, name: &CStr, query: Query, number: usize) -> Result<(), u32> {
        // The callback's context holds the number and the node, not a pointer.
        let context = (number << 8 | self.context() as usize) as *mut c_void;
        let code = self.call(|raw| {
            // SAFETY: the instance is live; the name is copied; a null configuration means
            // the default.
            unsafe {
                let ask = match query {
                    Query::A => ot::otDnsClientResolveIp4Address,
                    Query::Aaaa => ot::otDnsClientResolveAddress,
                };
                ask(
                    raw,
                    name.as_ptr(),
                    Some(answered),
                    context,
                    core::ptr::null(),
                )
            }
        });
        if code == 0 { Ok(()) } else { Err(code) }
    }

    /// Returns the next answer: its number, and the addresses or `otError`.
    pub(crate) fn next_answer(&self) -> Option<(usize, Result<Vec<Ipv6Addr>, u32>)> {
        self.with_state(|node| node.answers.pop_front())
    }
}

unsafe extern "C" fn answered(
    code: ot::otError,
    response: *const ot::otDnsAddressResponse,
    context: *mut c_void,
) {
    let (number, node) = (context as usize >> 8, context as usize & 0xff);
    let answer = match code {
        0 => {
            let mut addresses: Vec<Ipv6Addr> = Vec::new();
            for index in 0..MOST_ADDRESSES {
                let mut address = ot::otIp6Address::default();
                // SAFETY: the response lives during the call; the TTL is not needed.
                let code = unsafe {
                    ot::otDnsAddressResponseGetAddress(
                        response,
                        index,
                        &mut address,
                        core::ptr::null_mut(),
                    )
                };
                if code != 0 {
                    break;
                }
                addresses.push(to_address(&address));
            }
            Ok(addresses)
        }
        code => Err(code),
    };
    with_platform(|platform| {
        let node = &mut platform.nodes[node];
        node.answers.push_back((number, answer));
        node.activity += 1;
    });
}
