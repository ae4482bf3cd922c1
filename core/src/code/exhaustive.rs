//! Every code of 7 digits, with every error in one digit and every swap of neighbours.
//!
//! Codes that end alike, and whose beginnings come to the same interim digit, take and refuse the same in between: they
//! are checked together and counted one by one, or 69 million checks would take minutes without optimisation. A sample
//! goes through [`Code`]'s own reading.

use super::{Code, CodeError, DAMM};

const LEN: usize = 7;

/// What the end of a code makes of each interim digit: a code is sound where all of it makes 0 of 0.
type End = [u8; 10];

#[derive(Debug, Default, PartialEq, Eq)]
struct Checked {
    codes: u32,
    errors: u32,
    swaps: u32,
}

/// Checks what may be in front of an end that begins at this place, then does so for all longer ends.
fn check_in_front_of(place: usize, end: &End, checked: &mut Checked) {
    check_errors(place - 1, end, checked);
    if place >= 2 {
        check_swaps(place - 2, end, checked);
        for digit in 0..10 {
            let longer = DAMM.map(|row| end[usize::from(row[digit])]);
            check_in_front_of(place - 1, &longer, checked);
        }
    } else {
        // The one first digit that fits.
        checked.codes += 1;
    }
}

/// The interim digits that the digits in front of a place come to, and how many beginnings come to each.
fn beginnings(place: usize) -> (usize, u32) {
    // Each column of the table is a permutation: no interim digit is more frequent than another.
    if place == 0 { (1, 1) } else { (10, 10_u32.pow(place as u32 - 1)) }
}

/// Of the ten digits that may be at a place, one makes a sound code: the others are errors in it.
fn check_errors(place: usize, end: &End, checked: &mut Checked) {
    let (interims, alike) = beginnings(place);
    for row in &DAMM[..interims] {
        let sound = row.iter().filter(|after| end[usize::from(**after)] == 0).count();
        assert_eq!(sound, 1, "{sound} digits fit at {place}");
        checked.errors += 9 * alike;
    }
}

/// Of two digits and their swap at most one makes a sound code.
fn check_swaps(place: usize, end: &End, checked: &mut Checked) {
    let (interims, alike) = beginnings(place);
    for row in &DAMM[..interims] {
        for (x, y) in (0..10).flat_map(|x| (0..x).map(move |y| (x, y))) {
            let is_sound = |a: usize, b: usize| end[usize::from(DAMM[usize::from(row[a])][b])] == 0;
            let sound = u32::from(is_sound(x, y)) + u32::from(is_sound(y, x));
            assert!(sound < 2, "{x} and {y} at {place} may be swapped");
            checked.swaps += sound * alike;
        }
    }
}

#[test]
fn every_one_digit_error_and_every_swap_of_neighbours_in_every_code_of_seven_digits_is_told() {
    let mut checked = Checked::default();
    check_in_front_of(LEN, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], &mut checked);
    // Nine other digits at each of seven places. Neighbours are alike in one code of ten, but for the last two, which
    // are alike where the check digit follows itself: as often.
    let all = Checked { codes: 1_000_000, errors: 63_000_000, swaps: 6 * 900_000 };
    assert_eq!(checked, all);
}

#[test]
fn what_reads_codes_tells_the_same_in_a_sample_of_them() {
    let read = |digits: [u8; LEN]| digits.iter().map(u8::to_string).collect::<String>().parse::<Code>();
    let mut codes = 0;
    for number in (0..10_u32.pow(LEN as u32)).step_by(4999) {
        let digits: [u8; LEN] = std::array::from_fn(|place| (number / 10_u32.pow(place as u32) % 10) as u8);
        if read(digits).is_err() {
            continue;
        }
        codes += 1;
        for place in 0..LEN {
            for wrong in (0..10).filter(|wrong| *wrong != digits[place]) {
                let mut typed = digits;
                typed[place] = wrong;
                assert_eq!(read(typed), Err(CodeError::CheckDigit), "{typed:?}");
            }
            if place + 1 < LEN && digits[place] != digits[place + 1] {
                let mut typed = digits;
                typed.swap(place, place + 1);
                assert_eq!(read(typed), Err(CodeError::CheckDigit), "{typed:?}");
            }
        }
    }
    assert!(codes > 100, "{codes}");
}
