//! RSA verification by PSA.

use thread_mqtt_crypto_rsa::MODULUS_BITS;
use thread_mqtt_psa::{Algorithm, Error, Hash, KeyType};

use super::{Encoding, numbers};
use crate::der;
use crate::verify::{INVALID, verify_hash};

pub(crate) fn verify(
    encoding: Encoding,
    hash: Hash,
    key: &[u8],
    digest: &[u8],
    signature: &[u8],
) -> Result<(), Error> {
    check_modulus(key).ok_or(INVALID)?;
    let algorithm = match encoding {
        Encoding::Pkcs1 => Algorithm::rsa_pkcs1(hash),
        Encoding::Pss => Algorithm::rsa_pss(hash),
    };
    verify_hash(KeyType::RSA_PUBLIC_KEY, algorithm, key, digest, signature)
}

/// Checks that the length is neither too weak nor too expensive.
fn check_modulus(key: &[u8]) -> Option<()> {
    let (modulus, _) = numbers(key)?;
    MODULUS_BITS.contains(&der::bit_len(modulus)).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modulus(bits: usize) -> std::vec::Vec<u8> {
        let mut modulus = std::vec![0xff; bits.div_ceil(8)];
        modulus[0] >>= modulus.len() * 8 - bits;
        if modulus[0] >= 0x80 {
            modulus.insert(0, 0);
        }
        let value = |tag, content: &[u8]| {
            let len = (content.len() as u16).to_be_bytes();
            let mut der = std::vec![tag];
            match content.len() {
                ..0x80 => der.push(len[1]),
                0x80..0x100 => der.extend([0x81, len[1]]),
                _ => der.extend([0x82, len[0], len[1]]),
            }
            der.extend(content);
            der
        };
        let numbers = [value(der::INTEGER, &modulus), value(der::INTEGER, &[3])].concat();
        value(der::SEQUENCE, &numbers)
    }

    #[test]
    fn rsa_keys_have_2048_to_4096_bits() {
        for bits in [2048, 2049, 3000, 4095, 4096] {
            assert_eq!(check_modulus(&modulus(bits)), Some(()), "{bits}");
        }
        for bits in [8, 1024, 2047, 4097, 8192] {
            assert_eq!(check_modulus(&modulus(bits)), None, "{bits}");
        }
        let mut trailing = modulus(2048);
        trailing.push(0);
        assert_eq!(check_modulus(&trailing), None);
    }
}
