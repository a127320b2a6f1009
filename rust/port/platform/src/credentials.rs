//! Certificates and keys by the tag under which the platform stores them: Zephyr's TLS credentials.
use crate::ffi;
use alloc::vec::Vec;
use core::fmt;
use zeroize::Zeroizing;

/// One of the three credentials for TLS. The names are those of Zephyr's shell command `cred`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// CA certificates.
    Ca,
    /// The client's certificate, with its chain.
    Certificate,
    /// Its private key.
    Key,
}

impl Kind {
    fn number(self) -> u8 {
        let number = match self {
            Self::Ca => ffi::TMQ_CREDENTIAL_CA,
            Self::Certificate => ffi::TMQ_CREDENTIAL_CERTIFICATE,
            Self::Key => ffi::TMQ_CREDENTIAL_KEY,
        };
        u8::try_from(number).unwrap_or(u8::MAX)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ca => "CA",
            Self::Certificate => "SELF_CERT",
            Self::Key => "PK",
        })
    }
}

/// Returns whether a credential is stored under a tag. Cheap: does not read it.
pub fn is_kept(tag: i32, kind: Kind) -> Result<bool, i32> {
    let mut byte = 0_u8;
    // SAFETY: the buffer is valid for its length.
    match unsafe { ffi::tmq_port_credential(tag, kind.number(), &raw mut byte, 1) } {
        ffi::TMQ_TOO_SMALL => Ok(true),
        ffi::TMQ_NOT_FOUND | 0 => Ok(false),
        code @ ..0 => Err(code),
        _ => Ok(true),
    }
}

/// Buffer sizes to try: the first suits a certificate or a key, the last a bundle of CAs.
const SIZES: [usize; 6] = [1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15];

/// The code for a credential that does not fit into the heap. No platform returns it.
pub const NO_ROOM: i32 = i32::MIN;

/// Returns the credential stored under a tag, `None` if there is none. Wiped when dropped.
pub fn credential(tag: i32, kind: Kind) -> Result<Option<Zeroizing<Vec<u8>>>, i32> {
    for size in SIZES {
        let mut bytes = Zeroizing::new(Vec::new());
        bytes.try_reserve_exact(size).map_err(|_| NO_ROOM)?;
        bytes.resize(size, 0);
        // SAFETY: the buffer is valid for its length.
        match unsafe { ffi::tmq_port_credential(tag, kind.number(), bytes.as_mut_ptr(), size) } {
            ffi::TMQ_TOO_SMALL => {}
            ffi::TMQ_NOT_FOUND | 0 => return Ok(None),
            code @ ..0 => return Err(code),
            length => {
                bytes.truncate(usize::try_from(length).unwrap_or(0));
                return Ok(Some(bytes));
            }
        }
    }
    Err(ffi::TMQ_TOO_SMALL)
}
