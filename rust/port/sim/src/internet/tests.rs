//! The bridge without radio: a second IP stack in place of the device, and a real server on the
//! loopback interface.
use super::*;
use core::net::Ipv4Addr;
use smoltcp::socket::tcp;
use std::io::{Read, Write};
use std::net::TcpListener;

const DEVICE: Ipv4Addr = Ipv4Addr::new(192, 168, 255, 1);
const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 10), 1883);

/// A device that consists only of an IPv4 stack.
struct Device {
    interface: Interface,
    wire: Wire,
    sockets: SocketSet<'static>,
}

impl Device {
    fn new() -> Self {
        let mut wire = Wire::new(MTU);
        let config = Config::new(HardwareAddress::Ip);
        let mut interface = Interface::new(config, &mut wire, Instant::ZERO);
        interface.update_ip_addrs(|addresses| {
            addresses.push(IpCidr::new(DEVICE.into(), 32)).unwrap();
        });
        interface
            .routes_mut()
            .add_default_ipv4_route(DEVICE)
            .unwrap();
        Self {
            interface,
            wire,
            sockets: SocketSet::new(Vec::new()),
        }
    }

    /// Exchanges packets with the internet until there are none left.
    fn exchange(&mut self, internet: &mut Internet, now: u64) {
        let at = Instant::from_micros(now as i64);
        loop {
            self.interface.poll(at, &mut self.wire, &mut self.sockets);
            let sent = core::mem::take(&mut self.wire.sent);
            let mut moved = !sent.is_empty();
            for packet in sent {
                internet.send(packet, now);
            }
            internet.poll(now);
            while let Some(packet) = internet.next_packet(now) {
                moved = true;
                self.wire.received = Some(packet);
                self.interface
                    .poll_ingress_single(at, &mut self.wire, &mut self.sockets);
            }
            if !moved {
                return;
            }
        }
    }
}

#[test]
fn a_mebibyte_comes_back_byte_for_byte_and_both_sides_close() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let mut buffer = [0; 5000];
        loop {
            match stream.read(&mut buffer).unwrap() {
                0 => return,
                count => stream.write_all(&buffer[..count]).unwrap(),
            }
        }
    });
    let mut internet = Internet::new(1, Duration::ZERO, HostAccess::OnlyMapped).unwrap();
    internet.map(SERVER, address);

    let mut device = Device::new();
    let buffer = || tcp::SocketBuffer::new(vec![0; 8192]);
    let mut socket = tcp::Socket::new(buffer(), buffer());
    let remote = smoltcp::wire::IpEndpoint::new((*SERVER.ip()).into(), SERVER.port());
    socket
        .connect(device.interface.context(), remote, 50_000)
        .unwrap();
    let handle = device.sockets.add(socket);

    let data: Vec<u8> = (0..1_u32 << 20)
        .map(|index| (index * 7 + index / 1021) as u8)
        .collect();
    let (mut sent, mut received) = (0, Vec::<u8>::with_capacity(data.len()));
    let start = std::time::Instant::now();
    let mut finished = false;
    while !finished {
        let now = start.elapsed();
        assert!(
            now < Duration::from_secs(60),
            "{} bytes came back",
            received.len()
        );
        device.exchange(&mut internet, now.as_micros() as u64);
        let socket = device.sockets.get_mut::<tcp::Socket>(handle);
        if socket.may_send() && sent < data.len() {
            sent += socket.send_slice(&data[sent..]).unwrap();
            if sent == data.len() {
                socket.close();
            }
        }
        while socket.can_recv() {
            socket
                .recv(|bytes| {
                    received.extend(&bytes[..]);
                    (bytes.len(), ())
                })
                .unwrap();
        }
        finished = matches!(socket.state(), tcp::State::TimeWait | tcp::State::Closed);
        if !finished {
            internet.wait_for_host(Duration::from_millis(1));
        }
    }
    assert!(received == data);
    server.join().unwrap();
    // The device's last acknowledgement may be delayed.
    let later = start.elapsed() + Duration::from_millis(100);
    device.exchange(&mut internet, later.as_micros() as u64);
    assert!(
        !internet.is_waiting_for_host(),
        "the host socket is released"
    );
}
