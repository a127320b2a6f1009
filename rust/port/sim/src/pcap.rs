//! A writer of classic pcap files (draft-ietf-opsawg-pcap, section 4).
use crate::mac::MAX_FRAME;
use std::io::{Result, Write};

/// `LINKTYPE_IEEE802_15_4_WITHFCS`: MAC header to FCS.
const LINK_TYPE: u32 = 195;
/// Microsecond timestamps, in the byte order of the writer.
const MAGIC: u32 = 0xa1b2_c3d4;

/// Writes frames to a file.
pub(crate) struct Pcap {
    to: Box<dyn Write>,
    /// Unix time at virtual time zero, in microseconds.
    epoch: u64,
    /// The first error; later frames are dropped.
    failed: Option<std::io::Error>,
}

impl Pcap {
    /// Writes the file header.
    pub(crate) fn new(mut to: Box<dyn Write>, epoch: u64) -> Result<Self> {
        let mut header = [0; 24];
        let fields = [MAGIC, 4 << 16 | 2, 0, 0, MAX_FRAME as u32, LINK_TYPE];
        for (bytes, field) in header.chunks_exact_mut(4).zip(fields) {
            bytes.copy_from_slice(&field.to_le_bytes());
        }
        // Version 2.4 is two 16-bit fields.
        header[4..8].copy_from_slice(&[2, 0, 4, 0]);
        to.write_all(&header)?;
        Ok(Self {
            to,
            epoch: epoch * 1_000_000,
            failed: None,
        })
    }

    /// Appends a frame that began at the virtual time `at`, microseconds.
    pub(crate) fn frame(&mut self, at: u64, psdu: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        let time = self.epoch + at;
        let mut record = Vec::with_capacity(16 + psdu.len());
        for field in [
            (time / 1_000_000) as u32,
            (time % 1_000_000) as u32,
            psdu.len() as u32,
            psdu.len() as u32,
        ] {
            record.extend(field.to_le_bytes());
        }
        record.extend(psdu);
        self.failed = self.to.write_all(&record).err();
    }

    /// Flushes the file, and returns the first error.
    pub(crate) fn finish(mut self) -> Result<()> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.to.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    #[derive(Clone, Default)]
    struct File(Rc<RefCell<Vec<u8>>>);

    impl Write for File {
        fn write(&mut self, bytes: &[u8]) -> Result<usize> {
            self.0.borrow_mut().write(bytes)
        }
        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_file_is_headers_and_frames() {
        let file = File::default();
        let mut pcap = Pcap::new(Box::new(file.clone()), 10).unwrap();
        pcap.frame(1_500_000, &[1, 2, 3]);
        pcap.finish().unwrap();
        let bytes = file.0.take();
        assert_eq!(bytes[..8], [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0]);
        assert_eq!(bytes[16..24], [127, 0, 0, 0, 195, 0, 0, 0]);
        assert_eq!(bytes[24..32], [11, 0, 0, 0, 0x20, 0xa1, 7, 0]);
        assert_eq!(bytes[32..], [3, 0, 0, 0, 3, 0, 0, 0, 1, 2, 3]);
    }

    #[test]
    fn the_first_error_is_told_at_the_end() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, bytes: &[u8]) -> Result<usize> {
                if bytes.len() == 24 {
                    Ok(24)
                } else {
                    Err(std::io::ErrorKind::StorageFull.into())
                }
            }
            fn flush(&mut self) -> Result<()> {
                Ok(())
            }
        }
        let mut pcap = Pcap::new(Box::new(Full), 0).unwrap();
        pcap.frame(0, &[0]);
        pcap.frame(1, &[0]);
        assert_eq!(
            pcap.finish().unwrap_err().kind(),
            std::io::ErrorKind::StorageFull
        );
    }
}
