//! SNTP version 4 (RFC 4330, RFC 5905): one query, one answer of 48 bytes.
//!
//! A query contains only a cookie: 64 random bits instead of the client's transmit timestamp, which
//! the server sends back. A peer that has not seen the query cannot forge the answer, and the query
//! does not reveal what time the device believes.

use super::clock::SLACK;

/// Port assigned by IANA.
pub(crate) const PORT: u16 = 123;

/// Length of a message without extensions.
const LENGTH: usize = 48;

/// Unix epoch in NTP seconds, which count from 1900.
const UNIX_IN_NTP: u64 = 2_208_988_800;

/// 2026-01-01. NTP's 32-bit seconds wrap every 136 years, next in 2036. Of the possible times, the
/// one nearest to this or to a later floor is meant.
const PIVOT: u64 = 1_767_225_600;

/// What a server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Unix seconds.
    Time(u64),
    /// A kiss-o'-death: the server refuses to be queried; its code says why.
    Kiss([u8; 4]),
    /// The server is not synchronised.
    Unsynchronised,
    /// A time long past.
    BeforeFloor,
}

/// Encodes the query: version 4, mode 3 (client), the cookie, nothing else.
pub(crate) fn request(cookie: u64) -> [u8; LENGTH] {
    let mut message = [0; LENGTH];
    message[0] = 4 << 3 | 3;
    message[40..].copy_from_slice(&cookie.to_be_bytes());
    message
}

/// Decodes a possible answer to the query with this cookie; `None` if it is not. `floor` is a time
/// known to have passed, in Unix seconds.
pub(crate) fn read(message: &[u8], cookie: u64, floor: u64) -> Option<Answer> {
    // Extensions and a MAC may follow; they are useless without a key.
    let message = message.first_chunk::<LENGTH>()?;
    let (leap, version, mode) = (message[0] >> 6, message[0] >> 3 & 7, message[0] & 7);
    let stratum = message[1];
    let &[o0, o1, o2, o3, o4, o5, o6, o7] = message[24..].first_chunk::<8>()?;
    let originate = u64::from_be_bytes([o0, o1, o2, o3, o4, o5, o6, o7]);
    // Servers answer in the version of the query, or in the previous one.
    if originate != cookie || mode != 4 || !matches!(version, 3 | 4) {
        return None;
    }
    let code = *message[12..].first_chunk::<4>()?;
    // RFC 5905 section 7.4: only these three ask the client to change its behaviour.
    if stratum == 0 && [*b"DENY", *b"RSTR", *b"RATE"].contains(&code) {
        return Some(Answer::Kiss(code));
    }
    let transmit = message[40..].first_chunk::<8>()?;
    // Stratum 16 is 0 on the wire (section 7.3). A server sends it while unsynchronised, with INIT
    // or nothing as its code.
    if leap == 3 || !(1..=15).contains(&stratum) || *transmit == [0; 8] {
        return Some(Answer::Unsynchronised);
    }
    let &[s0, s1, s2, s3, ..] = transmit;
    let seconds = unix_seconds(u32::from_be_bytes([s0, s1, s2, s3]), floor.max(PIVOT));
    Some(if seconds.saturating_add(SLACK) < floor {
        Answer::BeforeFloor
    } else {
        Answer::Time(seconds.max(floor))
    })
}

/// Returns the Unix time nearest to `pivot` whose NTP seconds end in these 32 bits.
fn unix_seconds(ntp: u32, pivot: u64) -> u64 {
    // Signed difference of two wrapping counters.
    let ahead = ntp.wrapping_sub((pivot + UNIX_IN_NTP) as u32) as i32;
    pivot.saturating_add_signed(ahead.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOKIE: u64 = 0x0123_4567_89ab_cdef;
    /// 2026-11-25 02:00:00.
    const NOW: u64 = 1_795_572_000;

    /// Returns a good answer with these NTP seconds.
    fn answer(ntp: u32) -> [u8; LENGTH] {
        let mut message = [0; LENGTH];
        message[0] = 4 << 3 | 4;
        message[1] = 2;
        message[24..32].copy_from_slice(&COOKIE.to_be_bytes());
        message[40..44].copy_from_slice(&ntp.to_be_bytes());
        message[47] = 1;
        message
    }

    fn at(unix: u64) -> [u8; LENGTH] {
        answer((unix + UNIX_IN_NTP) as u32)
    }

    fn changed(change: impl FnOnce(&mut [u8; LENGTH])) -> Option<Answer> {
        let mut message = at(NOW);
        change(&mut message);
        read(&message, COOKIE, 0)
    }

    #[test]
    fn the_question_tells_only_its_cookie() {
        let message = request(COOKIE);
        assert_eq!(message[0], 0x23);
        assert!(message[1..40].iter().all(|byte| *byte == 0));
        assert_eq!(message[40..], COOKIE.to_be_bytes());
    }

    #[test]
    fn a_good_answer_is_the_time() {
        assert_eq!(changed(|_| {}), Some(Answer::Time(NOW)));
        // Version 3, a pending leap second, stratum 1 and 15.
        for (byte, value) in [(0, 3 << 3 | 4), (0, 1 << 6 | 4 << 3 | 4), (1, 1), (1, 15)] {
            assert_eq!(
                changed(|message| message[byte] = value),
                Some(Answer::Time(NOW))
            );
        }
    }

    #[test]
    fn extensions_may_follow_but_nothing_may_be_missing() {
        let mut long = at(NOW).to_vec();
        long.extend([7; 20]);
        assert_eq!(read(&long, COOKIE, 0), Some(Answer::Time(NOW)));
        for length in 0..LENGTH {
            assert_eq!(read(&long[..length], COOKIE, 0), None);
        }
    }

    #[test]
    fn what_does_not_know_the_cookie_is_no_answer() {
        assert_eq!(read(&at(NOW), COOKIE ^ 1, 0), None);
        assert_eq!(read(&at(NOW), COOKIE ^ 1 << 63, 0), None);
        // Not even a kiss.
        let mut kiss = at(NOW);
        kiss[1] = 0;
        assert_eq!(read(&kiss, 0, 0), None);
    }

    #[test]
    fn only_servers_answer() {
        for mode in [0, 1, 2, 3, 5, 6, 7] {
            assert_eq!(changed(|message| message[0] = 4 << 3 | mode), None);
        }
        for version in [0, 1, 2, 5, 6, 7] {
            assert_eq!(changed(|message| message[0] = version << 3 | 4), None);
        }
        // A query sent back.
        assert_eq!(read(&request(COOKIE), COOKIE, 0), None);
    }

    /// Returns how stratum 0 with this code is decoded.
    fn stratum_0(code: [u8; 4]) -> Option<Answer> {
        changed(|message| {
            message[0] = 3 << 6 | 4 << 3 | 4;
            message[1] = 0;
            message[12..16].copy_from_slice(&code);
        })
    }

    #[test]
    fn a_kiss_has_a_code() {
        for code in [*b"DENY", *b"RSTR", *b"RATE"] {
            assert_eq!(stratum_0(code), Some(Answer::Kiss(code)));
        }
    }

    #[test]
    fn a_server_without_the_time_says_so() {
        let unsynchronised = Some(Answer::Unsynchronised);
        assert_eq!(
            changed(|message| message[0] = 3 << 6 | 4 << 3 | 4),
            unsynchronised
        );
        assert_eq!(changed(|message| message[1] = 16), unsynchronised);
        // As sent by chrony, by ntpd, after a step, and two that are to be ignored.
        for code in [[0; 4], *b"INIT", *b"STEP", *b"XFAC"] {
            assert_eq!(stratum_0(code), unsynchronised);
        }
        assert_eq!(changed(|message| message[40..].fill(0)), unsynchronised);
    }

    #[test]
    fn the_counter_comes_round_in_2036() {
        // 2036-02-07 06:28:15, the last second of NTP's first era, and the following ones.
        let last = u64::from(u32::MAX) - UNIX_IN_NTP;
        for floor in [0, NOW, last - 1] {
            assert_eq!(
                read(&answer(u32::MAX), COOKIE, floor),
                Some(Answer::Time(last))
            );
            // 0 seconds with a fraction.
            assert_eq!(
                read(&answer(0), COOKIE, floor),
                Some(Answer::Time(last + 1))
            );
            assert_eq!(
                read(&answer(100), COOKIE, floor),
                Some(Answer::Time(last + 101))
            );
        }
        // Long after, with firmware of that time.
        let later = last + 90 * 365 * 86_400;
        assert_eq!(
            read(&at(later), COOKIE, later - 9),
            Some(Answer::Time(later))
        );
    }

    #[test]
    fn what_has_passed_does_not_come_again() {
        assert_eq!(read(&at(NOW), COOKIE, NOW), Some(Answer::Time(NOW)));
        // A fast clock set the floor.
        assert_eq!(read(&at(NOW - SLACK), COOKIE, NOW), Some(Answer::Time(NOW)));
        assert_eq!(
            read(&at(NOW - SLACK - 1), COOKIE, NOW),
            Some(Answer::BeforeFloor)
        );
        assert_eq!(read(&at(0), COOKIE, NOW), Some(Answer::BeforeFloor));
    }
}
