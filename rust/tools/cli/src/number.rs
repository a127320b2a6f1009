//! Numbers on the command line. Errors state the range and an example.
use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command, Error};
use std::ffi::OsStr;
use std::marker::PhantomData;

/// Parses a number in this range. `unit` follows the word "number".
#[derive(Debug, Clone, Copy)]
pub(crate) struct Number<T> {
    unit: &'static str,
    least: u64,
    most: u64,
    example: u64,
    of: PhantomData<T>,
}

const fn number<T>(unit: &'static str, least: u64, most: u64, example: u64) -> Number<T> {
    Number {
        unit,
        least,
        most,
        example,
        of: PhantomData,
    }
}

pub(crate) const PORT: Number<u16> = number("", 1, 65_535, 8_883);
pub(crate) const COUNT: Number<u64> = number(" of messages", 1, u64::MAX, 10);
pub(crate) const REDIRECTS: Number<u8> = number("", 0, 255, 3);
/// Seconds, in the range of MQTT.
pub(crate) const U32: Number<u32> = number(" of seconds", 0, u32::MAX as u64, 3_600);
/// Packet sizes from the smallest limit that a session accepts to the largest packet that MQTT
/// allows.
pub(crate) const PACKET: Number<u32> = number(" of bytes", 64, 268_435_460, 65_536);
pub(crate) const CHAIN: Number<usize> = number(" of certificates", 1, 7, 3);

impl<T: TryFrom<u64> + Clone + Send + Sync + 'static> TypedValueParser for Number<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<T, Error> {
        let read = value.to_str().and_then(|text| text.parse().ok());
        let fits = read.filter(|number| (self.least..=self.most).contains(number));
        fits.and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| {
                let Self {
                    unit,
                    least,
                    most,
                    example,
                    ..
                } = self;
                let option = argument.map(ToString::to_string).unwrap_or_default();
                let value = value.to_string_lossy();
                Error::raw(
                    ErrorKind::ValueValidation,
                    format!(
                        "invalid value '{value}' for '{option}': write a number{unit} from {least} to \
                         {most}, for example {example}\n"
                    ),
                )
                .with_cmd(command)
            })
    }
}
