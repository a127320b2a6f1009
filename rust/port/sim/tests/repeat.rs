//! The same seed produces the same bytes on the air, whatever else runs in the process.
mod common;

use common::{SERVER, connect, exchange, pattern};
use core::time::Duration;
use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;
use thread_mqtt_driver::Port;
use thread_sim::{Device, Echo, Radio, VirtualStream, World, WorldConfig};

#[derive(Clone, Default)]
struct Memory(Rc<RefCell<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs from power-on to an echo. Returns the capture and the device's random bytes.
fn run(seed: u64, device: Device) -> (Vec<u8>, [u8; 16]) {
    let world = World::new(WorldConfig {
        seed,
        device,
        hops: 1,
        radio: Radio {
            loss: 0.1,
            duplication: 0.05,
            delay: Duration::from_millis(3),
        },
        ..WorldConfig::default()
    })
    .unwrap();
    let file = Memory::default();
    world.capture(file.clone()).unwrap();
    assert!(world.run_until_ready(Duration::from_secs(300)));
    world.serve(SERVER, |_, _| {
        Some(Box::new(Echo::default()) as Box<dyn VirtualStream>)
    });
    let mut port = world.port();
    connect(&mut port, SERVER, Duration::from_secs(60));
    let data = pattern(2000);
    assert!(exchange(&mut port, &data, Duration::from_secs(60)) == data);
    let mut random = [0; 16];
    port.fill_random(&mut random).unwrap();
    world.end_capture().unwrap();
    (file.0.take(), random)
}

#[test]
fn a_seed_repeats_byte_for_byte_beside_other_worlds() {
    for device in [
        Device::Mtd,
        Device::Sleepy {
            poll: Duration::from_millis(500),
        },
    ] {
        let alone = run(5, device);
        assert!(alone.0.len() > 10_000);
        let together: Vec<_> = std::thread::scope(|scope| {
            let runs: Vec<_> = [5, 6, 5, 7]
                .map(|seed| scope.spawn(move || run(seed, device)))
                .into_iter()
                .collect();
            runs.into_iter().map(|run| run.join().unwrap()).collect()
        });
        assert!(together[0] == alone && together[2] == alone, "{device:?}");
        assert!(together[1].0 != alone.0 && together[3].0 != alone.0);
        assert_ne!(together[1].1, alone.1);
    }
}

#[test]
fn captures_hold_whole_frames_with_their_checksums() {
    let (file, _) = run(9, Device::Mtd);
    assert_eq!(file[..4], 0xa1b2_c3d4u32.to_le_bytes());
    assert_eq!(file[20..24], 195u32.to_le_bytes());
    let mut rest = &file[24..];
    let (mut frames, mut acks) = (0, 0);
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        let frame = &rest[16..16 + length];
        assert!((5..=127).contains(&length));
        // A CRC over data and checksum is zero (IEEE 802.15.4-2015, section 7.2.10).
        let crc = frame.iter().fold(0u16, |crc, &byte| {
            (0..8).fold(crc ^ u16::from(byte), |crc, _| {
                if crc & 1 != 0 {
                    crc >> 1 ^ 0x8408
                } else {
                    crc >> 1
                }
            })
        });
        assert_eq!(crc, 0);
        frames += 1;
        acks += usize::from(frame[0] & 7 == 2);
        rest = &rest[16 + length..];
    }
    assert!(
        frames > 100 && acks > 50,
        "{frames} frames, {acks} acknowledgements"
    );
}

/// The clock counts microseconds; a client's deadlines have nanoseconds.
#[test]
fn a_time_between_two_microseconds_passes() {
    let world = World::new(WorldConfig::default()).unwrap();
    let limit = world.now() + Duration::from_nanos(1_500);
    for _ in 0..1_000 {
        if !world.step(limit) {
            break;
        }
    }
    assert!(world.now() >= limit);
}
