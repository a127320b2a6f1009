//! Powers modulo an odd number, of public values only: the run time depends on them.
//!
//! Implemented here because the general arithmetic of crypto-bigint links Karatsuba
//! multiplications, one for each of nine lengths: 28 kB of flash, and 19 kB of stack for the
//! longest, to square a number seventeen times.

use alloc::vec::Vec;

use crate::Error;

/// Bits per limb. A number is an array of limbs, least significant first.
const LIMB: usize = 32;

/// An odd number above one, with the values that Montgomery multiplication needs.
pub(super) struct Modulus {
    limbs: Vec<u32>,
    bits: usize,
    /// -1 / modulus, modulo 2^32.
    inverse: u32,
}

impl Modulus {
    /// Refuses even numbers, and one. Allows leading zeros.
    pub(super) fn new(mut big_endian: &[u8]) -> Result<Self, Error> {
        while let [0, rest @ ..] = big_endian {
            big_endian = rest;
        }
        let unused = big_endian.first().map_or(0, |first| first.leading_zeros());
        let bits = big_endian.len() * 8 - unused as usize;
        let mut limbs = zeros(bits.div_ceil(LIMB))?;
        from_bytes(big_endian, &mut limbs);
        let least = limbs.first().copied().unwrap_or_default();
        if least % 2 == 0 || bits == 1 {
            return Err(Error::Invalid);
        }
        // Newton's iteration: an odd number is its own inverse modulo 2^3, and each step doubles
        // the number of correct bits.
        let inverse = (0..4).fold(least, |inverse, _| {
            inverse.wrapping_mul(2_u32.wrapping_sub(least.wrapping_mul(inverse)))
        });
        Ok(Self {
            limbs,
            bits,
            inverse: inverse.wrapping_neg(),
        })
    }

    /// Returns the length in bits.
    pub(super) fn bits(&self) -> usize {
        self.bits
    }

    /// Returns `base ^ exponent` with as many bytes as the modulus. Refuses a base that is not
    /// below the modulus, and an exponent of zero.
    pub(super) fn power(&self, base: &[u8], exponent: u64) -> Result<Vec<u8>, Error> {
        let len = self.limbs.len();
        if base.len() > len * 4 || exponent == 0 {
            return Err(Error::Invalid);
        }
        // Two numbers, and space for a product.
        let mut room = zeros(4 * len + 2)?;
        let (power, rest) = room.split_at_mut(len);
        let (factor, space) = rest.split_at_mut(len);
        from_bytes(base, power);
        if !is_below(power, &self.limbs) {
            return Err(Error::Invalid);
        }
        // The Montgomery form of x is x * R, where R is 2 to the number of bits in all limbs.
        self.square_of_r(factor, space);
        self.multiply(power, factor, space);
        power.copy_from_slice(factor);
        for bit in (0..exponent.ilog2()).rev() {
            self.square(power, space);
            if exponent >> bit & 1 == 1 {
                self.multiply(factor, power, space);
            }
        }
        factor.fill(0);
        if let Some(least) = factor.first_mut() {
            *least = 1;
        }
        self.multiply(factor, power, space);
        to_bytes(power, self.bits.div_ceil(8))
    }

    /// Computes R * R from zeros: multiplying by it brings a number into Montgomery form.
    fn square_of_r(&self, number: &mut [u32], space: &mut [u32]) {
        let bits = self.limbs.len() * LIMB;
        // The highest power of two below the modulus, doubled until it is R.
        if let Some(limb) = number.last_mut() {
            *limb = 1 << ((self.bits - 1) % LIMB);
        }
        for _ in self.bits - 1..bits {
            self.double(number);
        }
        // R * 2^n, with n from one to the bits of R: squaring in Montgomery form doubles n.
        self.double(number);
        for bit in (0..bits.ilog2()).rev() {
            self.square(number, space);
            if bits >> bit & 1 == 1 {
                self.double(number);
            }
        }
    }

    fn double(&self, number: &mut [u32]) {
        let mut carry = 0;
        for limb in number.iter_mut() {
            let high = *limb >> (LIMB - 1);
            *limb = *limb << 1 | carry;
            carry = high;
        }
        self.reduce_once(number, carry);
    }

    fn square(&self, number: &mut [u32], space: &mut [u32]) {
        self.product(number, number, space);
        self.take(number, space);
    }

    fn multiply(&self, factor: &[u32], number: &mut [u32], space: &mut [u32]) {
        self.product(factor, number, space);
        self.take(number, space);
    }

    /// Computes the Montgomery product a * b / R in the upper half of `space`, less than twice the
    /// modulus.
    fn product(&self, a: &[u32], b: &[u32], space: &mut [u32]) {
        space.fill(0);
        for (shift, a) in a.iter().enumerate() {
            let Some(t) = space.get_mut(shift..shift + b.len() + 2) else {
                return;
            };
            add_product(*a, b, t);
            // Makes the lowest limb zero.
            let least = t.first().copied().unwrap_or_default();
            add_product(least.wrapping_mul(self.inverse), &self.limbs, t);
        }
    }

    /// Takes the product from `space`, reduced below the modulus.
    fn take(&self, number: &mut [u32], space: &[u32]) {
        let upper = space.get(number.len()..).unwrap_or_default();
        let Some((low, [high, ..])) = upper.split_at_checked(number.len()) else {
            return;
        };
        number.copy_from_slice(low);
        self.reduce_once(number, *high);
    }

    /// Subtracts the modulus from a number less than twice as large, whose highest bit is in
    /// `carry`.
    fn reduce_once(&self, number: &mut [u32], carry: u32) {
        if carry == 0 && is_below(number, &self.limbs) {
            return;
        }
        let mut borrow = false;
        for (limb, modulus) in number.iter_mut().zip(&self.limbs) {
            let (difference, first) = limb.overflowing_sub(*modulus);
            let (difference, second) = difference.overflowing_sub(borrow.into());
            *limb = difference;
            borrow = first || second;
        }
    }
}

/// Adds `a * b` to `t`, which is longer.
fn add_product(a: u32, b: &[u32], t: &mut [u32]) {
    let (low, high) = t.split_at_mut(b.len());
    let mut carry = 0;
    for (t, b) in low.iter_mut().zip(b) {
        let sum = u64::from(a) * u64::from(*b) + u64::from(*t) + u64::from(carry);
        (*t, carry) = halves(sum);
    }
    for t in high {
        (*t, carry) = halves(u64::from(*t) + u64::from(carry));
    }
}

/// Returns the low and the high half.
fn halves(number: u64) -> (u32, u32) {
    (number as u32, (number >> LIMB) as u32)
}

fn is_below(a: &[u32], b: &[u32]) -> bool {
    a.iter().rev().lt(b.iter().rev())
}

/// Reads bytes into zeroed limbs; at most four times as many bytes.
fn from_bytes(big_endian: &[u8], limbs: &mut [u32]) {
    for (limb, chunk) in limbs.iter_mut().zip(big_endian.rchunks(4)) {
        *limb = chunk
            .iter()
            .fold(0, |limb, byte| limb << 8 | u32::from(*byte));
    }
}

/// Returns the last `len` bytes.
fn to_bytes(limbs: &[u32], len: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = zeros(len)?;
    for (chunk, limb) in bytes.rchunks_mut(4).zip(limbs) {
        let limb = limb.to_be_bytes();
        chunk.copy_from_slice(limb.get(limb.len() - chunk.len()..).unwrap_or_default());
    }
    Ok(bytes)
}

/// Returns this many zeros, if the heap has room for them.
fn zeros<T: Clone + Default>(len: usize) -> Result<Vec<T>, Error> {
    let mut zeros = Vec::new();
    zeros
        .try_reserve_exact(len)
        .map_err(|_| Error::OutOfMemory)?;
    zeros.resize(len, T::default());
    Ok(zeros)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
    use crypto_bigint::{BoxedUint, Odd};

    /// Computes the same with crypto-bigint.
    fn expected(modulus: &[u8], base: &[u8], exponent: u64) -> Vec<u8> {
        let bits = u32::try_from(modulus.len() * 8).unwrap();
        let number = |bytes| BoxedUint::from_be_slice(bytes, bits).unwrap();
        let params = BoxedMontyParams::new_vartime(Odd::new(number(modulus)).unwrap());
        let power = BoxedMontyForm::new(number(base), &params).pow(&BoxedUint::from(exponent));
        let bytes = power.retrieve().to_be_bytes().into_vec();
        bytes[bytes.len() - modulus.len()..].to_vec()
    }

    #[test]
    fn powers_are_those_of_another_library() {
        let mut seed = [0; 4];
        for round in 0..400_u32 {
            getrandom::fill(&mut seed).unwrap();
            let len = 1 + usize::from(seed[0]) % 40 + if round % 50 == 0 { 256 } else { 0 };
            let mut modulus = vec![0; len];
            let mut base = vec![0; len];
            getrandom::fill(&mut modulus).unwrap();
            getrandom::fill(&mut base).unwrap();
            // Includes edge cases: many ones, many zeros.
            match round % 4 {
                0 => modulus.fill(0xff),
                1 => base.fill(0xff),
                _ => {}
            }
            modulus[0] |= 1 << (seed[1] % 8);
            modulus[len - 1] |= 3;
            base[0] = base[0].min(modulus[0] - 1);
            let exponent = [3, 5, 17, 65537, 0x1_ffff_ffff, 2][usize::from(seed[2]) % 6];
            let power = Modulus::new(&modulus).unwrap().power(&base, exponent);
            assert_eq!(
                power,
                Ok(expected(&modulus, &base, exponent)),
                "{base:x?} ^ {exponent} mod {modulus:x?}"
            );
        }
    }

    #[test]
    fn only_odd_moduli_above_one() {
        for refused in [&b""[..], b"\0\0", b"\x01", b"\0\x01", b"\x04"] {
            assert_eq!(Modulus::new(refused).err(), Some(Error::Invalid));
        }
        assert_eq!(Modulus::new(b"\0\x07").unwrap().bits(), 3);
    }

    #[test]
    fn the_base_is_below_the_modulus() {
        let seven = Modulus::new(b"\x07").unwrap();
        assert_eq!(seven.power(b"\x06", 3), Ok(vec![6]));
        assert_eq!(seven.power(b"\x00", 3), Ok(vec![0]));
        assert_eq!(seven.power(b"\x07", 3), Err(Error::Invalid));
        assert_eq!(seven.power(&[0xff; 4], 3), Err(Error::Invalid));
        assert_eq!(seven.power(&[0, 0, 0, 0, 6], 3), Err(Error::Invalid));
        assert_eq!(seven.power(b"\x06", 0), Err(Error::Invalid));
    }
}
