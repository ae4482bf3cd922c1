//! Makes a file name that is safe on every platform of one that a peer offered.
//!
//! The result is one path component: no separator, no `..`, no leading dot, nothing that a terminal or
//! Windows takes for something else.

/// The longest name that is written, in bytes: room for ` (9999)` and for what a part file adds below the
/// 255 that file systems take.
const MAX_BYTES: usize = 200;

/// A longer extension is taken for a part of the name.
const MAX_EXTENSION: usize = 16;

/// What stands for a character that is not allowed.
const FILLER: char = '_';

/// The name under which a file that is offered as `offered` is stored. Total: every text has one.
pub(crate) fn sanitise(offered: &str) -> String {
    let name: String = offered.chars().filter_map(allowed).collect();
    let name = name.trim().trim_end_matches(['.', ' ']);
    let name = match name.strip_prefix('.') {
        Some(rest) => format!("{FILLER}{rest}"),
        None if name.is_empty() => "file".to_owned(),
        None if is_reserved(name) => format!("{FILLER}{name}"),
        None => name.to_owned(),
    };
    shorten(&name)
}

/// Separators and what Windows forbids become the filler; what cannot be seen goes.
fn allowed(c: char) -> Option<char> {
    match c {
        '/' | '\\' | '<' | '>' | ':' | '"' | '|' | '?' | '*' => Some(FILLER),
        c if is_invisible(c) => None,
        c => Some(c),
    }
}

/// Control characters, and those that turn or hide the text around them.
pub(crate) fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The device names of Windows, with or without an extension.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_uppercase();
    if matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$") {
        return true;
    }
    let port = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
    matches!(port, Some("0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³"))
}

/// Cuts the stem, at a character, so that the extension stays.
fn shorten(name: &str) -> String {
    if name.len() <= MAX_BYTES {
        return name.to_owned();
    }
    let (stem, extension) = split_extension(name);
    let stem = &stem[..stem.floor_char_boundary(MAX_BYTES - extension.len())];
    format!("{}{extension}", stem.trim_end_matches(['.', ' ']))
}

/// The stem, and the extension with its dot; none where it is none worth keeping.
pub(crate) fn split_extension(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(at) if at > 0 && name.len() - at <= MAX_EXTENSION => name.split_at(at),
        Some(_) | None => (name, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_name_stays_as_it_is() {
        for name in ["a.txt", "Ünïcödé 文件.tar.gz", "no extension", "a (1).txt", "-rf", "x..y"] {
            assert_eq!(sanitise(name), name);
        }
    }

    #[test]
    fn a_path_becomes_one_component() {
        assert_eq!(sanitise("../../etc/passwd"), "_._.._etc_passwd");
        assert_eq!(sanitise("C:\\Windows\\a.dll"), "C__Windows_a.dll");
        assert_eq!(sanitise("/"), "_");
        assert_eq!(sanitise(".."), "file");
        assert_eq!(sanitise("."), "file");
        assert_eq!(sanitise(""), "file");
    }

    #[test]
    fn a_name_is_never_hidden_and_has_nothing_invisible() {
        assert_eq!(sanitise(".bashrc"), "_bashrc");
        assert_eq!(sanitise("a\u{202e}txt.exe\n\0\u{1b}[2J"), "atxt.exe[2J");
        assert_eq!(sanitise("\u{feff} a.txt. . "), "a.txt");
    }

    #[test]
    fn a_device_of_windows_is_renamed() {
        for name in ["con", "NUL.txt", "com1", "LPT9.tar.gz", "COM¹", "aux .txt"] {
            assert_eq!(sanitise(name), format!("_{name}"));
        }
        assert_eq!(sanitise("console.txt"), "console.txt");
        assert_eq!(sanitise("com10"), "com10");
    }

    #[test]
    fn a_long_name_is_cut_at_a_character_and_keeps_its_extension() {
        let cut = sanitise(&format!("{}.jpeg", "ü".repeat(300)));
        assert!(cut.len() <= MAX_BYTES && cut.ends_with("ü.jpeg"), "{cut}");
        assert!(sanitise(&format!("a.{}", "x".repeat(300))).len() <= MAX_BYTES);
    }

    #[test]
    fn what_is_sanitised_stays_as_it_is() {
        for name in ["../x", ".hidden", "con", "a\0b", "..", &"y".repeat(500), "a. . .", " . "] {
            let once = sanitise(name);
            assert_eq!(sanitise(&once), once, "{name:?}");
            assert!(!once.contains(['/', '\\', '\0']) && !once.starts_with('.') && !once.is_empty());
        }
    }
}
