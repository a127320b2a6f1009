//! SHA-2 for rustls, whose trait cannot return errors: see [`crate::fault`].

use alloc::boxed::Box;

use rustls::crypto::hash::{self, Context, HashAlgorithm, Output};
use thread_mqtt_psa::{Error, Hash, HashOperation};

use crate::fault::{self, Lease};

pub(crate) static SHA256: Sha2 = Sha2(Hash::Sha256);
#[cfg(feature = "aes256")]
pub(crate) static SHA384: Sha2 = Sha2(Hash::Sha384);

/// Returns the digest of `data`, or an error.
pub(crate) fn digest<'o>(
    hash: Hash,
    data: &[u8],
    out: &'o mut [u8; Hash::MAX_LEN],
) -> Result<&'o [u8], Error> {
    let mut operation = HashOperation::start(hash)?;
    operation.update(data)?;
    Ok(operation.finish(out)?)
}

pub(crate) struct Sha2(pub(crate) Hash);

impl hash::Hash for Sha2 {
    fn start(&self) -> Box<dyn Context> {
        Box::new(Running::new(self.0, HashOperation::start(self.0)))
    }

    fn hash(&self, data: &[u8]) -> Output {
        let mut context = Running::new(self.0, HashOperation::start(self.0));
        context.update(data);
        context.end()
    }

    fn output_len(&self) -> usize {
        self.0.output_len()
    }

    fn algorithm(&self) -> HashAlgorithm {
        match self.0 {
            Hash::Sha384 => HashAlgorithm::SHA384,
            Hash::Sha512 => HashAlgorithm::SHA512,
            _ => HashAlgorithm::SHA256,
        }
    }
}

/// A transcript. After a failure it keeps failing, and so do its forks.
struct Running {
    hash: Hash,
    operation: Result<HashOperation, Error>,
    _lease: Lease,
}

impl Running {
    fn new(hash: Hash, operation: Result<HashOperation, Error>) -> Self {
        let running = Self {
            hash,
            operation,
            _lease: Lease::new(),
        };
        if let Err(error) = running.operation {
            fault::latch(error);
        }
        running
    }

    fn forked(&self) -> Self {
        let operation = match &self.operation {
            Ok(operation) => operation.fork(),
            Err(error) => Err(*error),
        };
        Self::new(self.hash, operation)
    }

    fn end(self) -> Output {
        let mut buf = [0; Hash::MAX_LEN];
        match self.operation.and_then(|operation| {
            let digest = operation.finish(&mut buf)?;
            Ok(Output::new(digest))
        }) {
            Ok(output) => output,
            Err(error) => {
                let (digest, _) = buf.split_at_mut(self.hash.output_len());
                fault::poison(error, digest);
                Output::new(digest)
            }
        }
    }
}

impl Context for Running {
    fn fork_finish(&self) -> Output {
        self.forked().end()
    }

    fn fork(&self) -> Box<dyn Context> {
        Box::new(self.forked())
    }

    fn finish(self: Box<Self>) -> Output {
        self.end()
    }

    fn update(&mut self, data: &[u8]) {
        if let Ok(operation) = &mut self.operation {
            if let Err(error) = operation.update(data) {
                fault::latch(error);
                self.operation = Err(error);
            }
        }
    }
}
