//! Codes that one person reads to another: generated, never chosen.
//!
//! 6 or 8 random digits and a check digit by Damm's scheme, which tells every error in one digit and every
//! swap of neighbours, so that a typing error uses up no attempt.

use crate::error::CodeError;
use crate::rng::Rng;
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

/// Damm's table: a totally anti-symmetric quasigroup of order 10. Row by interim digit, column by digit.
/// M. Damm, "Total anti-symmetrische Quasigruppen", 2004, p. 111.
const DAMM: [[u8; 10]; 10] = [
    [0, 3, 1, 7, 5, 9, 8, 6, 4, 2],
    [7, 0, 9, 2, 1, 5, 4, 8, 6, 3],
    [4, 2, 0, 6, 8, 7, 1, 3, 5, 9],
    [1, 7, 5, 0, 9, 8, 3, 4, 2, 6],
    [6, 1, 2, 3, 0, 4, 5, 9, 7, 8],
    [3, 6, 7, 4, 2, 0, 9, 5, 8, 1],
    [5, 8, 6, 9, 7, 2, 0, 1, 3, 4],
    [8, 9, 4, 5, 3, 6, 2, 0, 1, 7],
    [9, 4, 3, 8, 6, 1, 7, 2, 0, 5],
    [2, 5, 8, 1, 4, 3, 6, 7, 9, 0],
];

/// The zeros of every script's decimal digits, ascending: 1 to 9 follow each. Unicode 14, general
/// category Nd.
const ZEROS: [u32; 66] = [
    0x0030, 0x0660, 0x06f0, 0x07c0, 0x0966, 0x09e6, 0x0a66, 0x0ae6, 0x0b66, 0x0be6, 0x0c66, 0x0ce6, 0x0d66,
    0x0de6, 0x0e50, 0x0ed0, 0x0f20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50,
    0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30,
    0x11066, 0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0,
    0x11950, 0x11c50, 0x11d50, 0x11da0, 0x16a60, 0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec,
    0x1d7f6, 0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0,
];

/// A pairing code of 7 or 9 digits, whose last digit proves the others free of typing errors.
///
/// Shown as `482-1935`. Read by [`FromStr`], which takes the digits of any script, drops spaces and
/// dashes, and tells a typing error before anything is sent. Secret while it is valid: zeroised on drop,
/// hidden from `Debug`.
///
/// ```
/// use handfast_core::{Code, error::CodeError};
///
/// let code: Code = " 482 1935".parse()?;
/// assert_eq!(code.to_string(), "482-1935");
/// assert_eq!("482-1953".parse::<Code>(), Err(CodeError::CheckDigit));
/// # Ok::<(), CodeError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Code(Zeroizing<String>);

/// How long a generated code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CodeLength {
    /// 6 digits and the check digit.
    Seven,
    /// 8 digits and the check digit: after many wrong codes.
    Nine,
}

impl Code {
    /// A fresh code.
    pub(crate) fn generate(rng: &mut Rng, length: CodeLength) -> Self {
        let random_digits = match length {
            CodeLength::Seven => 6,
            CodeLength::Nine => 8,
        };
        let mut text = Zeroizing::new(String::with_capacity(random_digits + 1));
        for _ in 0..random_digits {
            text.push(char::from(b'0' + rng.below(10) as u8));
        }
        let check = damm(&text);
        text.push(char::from(b'0' + check));
        Self(text)
    }

    /// All digits, the check digit included, as the key exchange takes them.
    pub(crate) fn digits(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl FromStr for Code {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<Self, CodeError> {
        // Room for the longest code: growing would leave a copy behind.
        let mut digits = Zeroizing::new(String::with_capacity(9));
        for letter in text.chars().filter(|letter| !is_separator(*letter)) {
            let digit = decimal(letter).ok_or(CodeError::Alphabet)?;
            if digits.len() == 9 {
                return Err(CodeError::Length);
            }
            digits.push(char::from(b'0' + digit));
        }
        if digits.len() != 7 && digits.len() != 9 {
            return Err(CodeError::Length);
        }
        // The check digit of a code that ends in its own check digit is 0.
        if damm(&digits) == 0 { Ok(Self(digits)) } else { Err(CodeError::CheckDigit) }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (head, tail) = self.0.split_at(3);
        match tail.len() {
            4 => write!(f, "{head}-{tail}"),
            _ => write!(f, "{head}-{}-{}", &tail[..3], &tail[3..]),
        }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(..)")
    }
}

/// The check digit of ASCII digits.
fn damm(digits: &str) -> u8 {
    digits.bytes().fold(0, |interim, digit| DAMM[usize::from(interim)][usize::from(digit - b'0')])
}

/// What people put between digits.
fn is_separator(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{ff0d}')
}

/// The value of a decimal digit of any script.
fn decimal(letter: char) -> Option<u8> {
    let point = u32::from(letter);
    let zero = ZEROS[..ZEROS.partition_point(|zero| *zero <= point)].last()?;
    u8::try_from(point - zero).ok().filter(|digit| *digit < 10)
}

#[cfg(test)]
mod exhaustive;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Rng, Seed};
    use proptest::prelude::*;

    /// Codes of both lengths.
    fn some_codes() -> Vec<Code> {
        let mut rng = Rng::child(&Seed::new([5; 32]), "codes");
        let seven: Vec<_> = (0..300).map(|_| Code::generate(&mut rng, CodeLength::Seven)).collect();
        let nine: Vec<_> = (0..300).map(|_| Code::generate(&mut rng, CodeLength::Nine)).collect();
        [seven, nine].concat()
    }

    #[test]
    fn a_generated_code_reads_back_from_what_is_shown() {
        for code in some_codes() {
            assert_eq!(code.to_string().parse(), Ok(code));
        }
    }

    #[test]
    fn a_code_is_shown_in_groups() {
        let shown = |digits: &str| Code(Zeroizing::new(digits.to_owned())).to_string();
        assert_eq!(shown("4821935"), "482-1935");
        assert_eq!(shown("482193567"), "482-193-567");
    }

    /// This holds for codes of every length: an error in one digit changes the interim digit, because each
    /// column is a permutation of the interim digits and each row of the digits; it stays changed for the
    /// same reason. A swap of neighbours changes it because the table is totally anti-symmetric.
    #[test]
    fn the_table_tells_every_one_digit_error_and_every_swap() {
        for c in 0..10 {
            let row: u32 = (0..10).map(|x| 1 << DAMM[c][x]).sum();
            let column: u32 = (0..10).map(|i| 1 << DAMM[i][c]).sum();
            assert_eq!((row, column), (0x3ff, 0x3ff), "row and column {c} are permutations");
            for x in 0..10 {
                for y in (0..10).filter(|y| *y != x) {
                    let (xy, yx) = (DAMM[usize::from(DAMM[c][x])][y], DAMM[usize::from(DAMM[c][y])][x]);
                    assert_ne!(xy, yx, "{x} and {y} swapped after {c}");
                }
            }
            assert_eq!(DAMM[c][c], 0, "the check digit of an interim digit is itself");
        }
    }

    #[test]
    fn every_typing_error_in_a_sample_of_codes_is_told() {
        for code in some_codes() {
            let right = code.digits();
            for at in 0..right.len() {
                for digit in (b'0'..=b'9').filter(|digit| *digit != right[at]) {
                    let mut typed = right.to_vec();
                    typed[at] = digit;
                    assert_eq!(String::from_utf8(typed).unwrap().parse::<Code>(), Err(CodeError::CheckDigit));
                }
                let mut typed = right.to_vec();
                if at + 1 < typed.len() && typed[at] != typed[at + 1] {
                    typed.swap(at, at + 1);
                    assert_eq!(String::from_utf8(typed).unwrap().parse::<Code>(), Err(CodeError::CheckDigit));
                }
            }
        }
    }

    #[test]
    fn spaces_dashes_and_the_digits_of_other_scripts_are_read() {
        let code: Code = "4821935".parse().unwrap();
        for typed in
            [" 482-1935 ", "4 8 2 1 9 3 5", "482\u{2013}1935", "٤٨٢١٩٣٥", "４８２−１９３５", "४८२\u{a0}1935"]
        {
            assert_eq!(typed.parse(), Ok(code.clone()), "{typed}");
        }
    }

    #[test]
    fn what_is_no_code_is_told_why() {
        for (typed, why) in [
            ("", CodeError::Length),
            ("482", CodeError::Length),
            ("48219350", CodeError::Length),
            ("4821935000", CodeError::Length),
            ("48219E5", CodeError::Alphabet),
            ("4821935\u{200b}", CodeError::Alphabet),
            ("482_1935", CodeError::Alphabet),
            ("½821935", CodeError::Alphabet),
            ("4821936", CodeError::CheckDigit),
        ] {
            assert_eq!(typed.parse::<Code>(), Err(why), "{typed}");
        }
    }

    #[test]
    fn debug_hides_the_code() {
        let code = &some_codes()[0];
        assert_eq!(format!("{code:?}"), "Code(..)");
    }

    #[test]
    fn the_zeros_of_scripts_ascend_without_overlap() {
        assert!(ZEROS.windows(2).all(|pair| pair[0] + 10 <= pair[1]));
    }

    proptest! {
        #[test]
        fn every_code_reads_back(seed: [u8; 32], nine: bool) {
            let length = if nine { CodeLength::Nine } else { CodeLength::Seven };
            let code = Code::generate(&mut Rng::child(&Seed::new(seed), "codes"), length);
            prop_assert_eq!(code.to_string().parse(), Ok(code.clone()));
            prop_assert_eq!(code.digits().len(), if nine { 9 } else { 7 });
        }

        #[test]
        fn digits_of_any_length_are_a_code_or_an_error(text in "[0-9 -]{0,200}") {
            if let Ok(code) = text.parse::<Code>() {
                let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_digit).collect();
                prop_assert_eq!(code.digits(), &digits);
            }
        }

        #[test]
        fn any_text_is_a_code_or_an_error(text in ".{0,20}") {
            if let Ok(code) = text.parse::<Code>() {
                prop_assert_eq!(code.to_string().parse(), Ok(code));
            }
        }
    }
}
