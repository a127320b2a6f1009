//! Without enough heap, the result is an error, whichever allocation fails, and never an abort.

use rustls::crypto::hash::{Context, Hash, HashAlgorithm, Output};
use thread_mqtt_crypto_rsa::{Encoding, Error, PublicKey};
use thread_mqtt_test_support::heap::{Heap, with_heap};

#[global_allocator]
static HEAP: Heap = Heap;

/// Returns zeros for any input.
struct Zeros;

impl Hash for Zeros {
    fn start(&self) -> Box<dyn Context> {
        Box::new(Self)
    }
    fn hash(&self, _: &[u8]) -> Output {
        Output::new(&[0; 32])
    }
    fn output_len(&self) -> usize {
        32
    }
    fn algorithm(&self) -> HashAlgorithm {
        HashAlgorithm::SHA256
    }
}

impl Context for Zeros {
    fn fork_finish(&self) -> Output {
        Output::new(&[0; 32])
    }
    fn fork(&self) -> Box<dyn Context> {
        Box::new(Self)
    }
    fn finish(self: Box<Self>) -> Output {
        Output::new(&[0; 32])
    }
    fn update(&mut self, _: &[u8]) {}
}

#[test]
fn a_key_and_a_signature_need_six_times_the_modulus() {
    for bytes in [256, 384, 512] {
        let modulus = vec![0xff; bytes];
        // One, to any power, is not a valid encoding, which only shows at the very end.
        let mut signature = vec![0; bytes];
        signature[bytes - 1] = 1;
        let verify = |room| {
            let (result, most) = with_heap(room, || {
                let key = PublicKey::new(&modulus, &[1, 0, 1])?;
                let verify = |encoding| key.verify(encoding, &Zeros, &[0; 32], &signature);
                let (pkcs1, pss) = (verify(Encoding::Pkcs1), verify(Encoding::Pss));
                assert_eq!(pkcs1, pss);
                pkcs1
            });
            assert!(most <= room, "{most} of {room}");
            (result, most)
        };

        let (result, most) = verify(100_000);
        assert_eq!(result, Err(Error::Invalid));
        assert!(most <= 6 * bytes + 16, "{bytes}: {most}");
        assert_eq!(verify(most).0, Err(Error::Invalid));
        for room in 0..most {
            assert_eq!(verify(room).0, Err(Error::OutOfMemory), "{bytes}: {room}");
        }
    }
}
