//! The command as people meet it: on a terminal.

use crate::device::{Device, Said, pair};
use crate::lab::{Net, in_lab};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};

/// A process with a pseudo-terminal of its own for standard input, output and error. Killed on drop.
struct Terminal {
    child: Child,
    keyboard: File,
    screen: Said,
}

impl Terminal {
    fn start(device: &Device, words: &[&str]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let slave =
            rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let (stdin, stdout) = (slave.try_clone().unwrap(), slave.try_clone().unwrap());
        let inner = device.command(words);
        // Makes the terminal the controlling one, so that its Ctrl-C is a signal.
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(inner.get_program()).args(inner.get_args());
        command.stdin(Stdio::from(stdin)).stdout(Stdio::from(stdout)).stderr(Stdio::from(slave));
        let child = command.spawn().unwrap();
        let keyboard = File::from(master);
        Self { child, screen: Said::listen(keyboard.try_clone().unwrap()), keyboard }
    }

    /// Waits until the screen shows it; gives all that it shows.
    fn see(&self, text: &str) -> String {
        let seen = self.screen.wait(|screen| screen.contains(text).then(|| screen.to_owned()));
        seen.unwrap_or_else(|| panic!("no {text:?} on the screen:\n{}", self.screen.text()))
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    fn end(mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap_or(-1)
    }

    /// The code that the screen shows.
    fn code(&self) -> String {
        let screen = self.see(" s left");
        let at = screen.find("code       ").expect("the code") + "code       ".len();
        screen[at..].lines().next().unwrap().trim().to_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn two_people_pair_and_send_on_their_terminals() {
    in_lab(Net::V4, |lab| {
        let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
        let mut showing = Terminal::start(&a, &["pair"]);
        let code = showing.code();
        let mut typing = Terminal::start(&b, &["pair", &code]);
        typing.see("Pair with a (");
        typing.press("y\n");
        showing.see("Pair with b (");
        showing.press("\n");
        typing.see("paired     ");
        showing.see("paired     ");
        assert_eq!((showing.end(), typing.end()), (0, 0));

        let folder = a.path("in");
        let mut receiving = Terminal::start(&a, &["recv", "--dir", folder.to_str().unwrap()]);
        receiving.see("listening");
        let file = b.file("hello.txt", b"hello");
        let sending = Terminal::start(&b, &["send", file.to_str().unwrap(), "a"]);
        sending.see("sent       ");
        receiving.see("offer      hello.txt (5 B) from b");
        receiving.see("received   ");
        assert_eq!(sending.end(), 0);
        receiving.press("\u{3}");
        receiving.see("interrupted");
        assert_eq!(receiving.end(), 130);
        assert_eq!(std::fs::read(folder.join("hello.txt")).unwrap(), b"hello");
    });
}

#[test]
fn who_says_no_to_the_device_that_typed_the_code_leaves_both_unpaired() {
    in_lab(Net::V4, |lab| {
        let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
        let mut showing = Terminal::start(&a, &["pair"]);
        let code = showing.code();
        let typing = Terminal::start(&b, &["pair", &code, "--yes"]);
        showing.see("Pair with b (");
        showing.press("n\n");
        typing.see("refused");
        assert_eq!((showing.end(), typing.end()), (9, 9));
        assert_eq!((a.paired(), b.paired()), (vec![], vec![]));
    });
}

#[test]
fn who_is_dialled_by_a_device_that_shows_a_code_is_asked_for_it() {
    in_lab(Net::V4, |lab| {
        let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
        let folder = b.path("in");
        let mut receiving = Terminal::start(&b, &["recv", "--dir", folder.to_str().unwrap()]);
        receiving.see("listening");
        let showing = Terminal::start(&a, &["pair", "b", "--yes"]);
        let code = showing.code();
        receiving.see("Type the code");
        receiving.press("000-0001\n");
        receiving.see("typing error");
        receiving.press(&format!("{code}\n"));
        receiving.see("Pair with a (");
        receiving.press("yes\n");
        receiving.see("paired     ");
        assert_eq!(showing.end(), 0);
        receiving.press("\u{3}");
        assert_eq!(receiving.end(), 130);
        assert_eq!((a.paired(), b.paired()), (vec!["b".to_owned()], vec!["a".to_owned()]));
    });
}

#[test]
fn who_presses_enter_refuses_to_pair() {
    in_lab(Net::V4, |lab| {
        let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
        let mut receiving = Terminal::start(&b, &["recv"]);
        receiving.see("listening");
        let showing = Terminal::start(&a, &["pair", "b"]);
        receiving.see("Type the code");
        receiving.press("\n");
        assert_eq!(showing.end(), 9);
        receiving.press("\u{3}");
        receiving.end();
        assert_eq!((a.paired(), b.paired()), (vec![], vec![]));
    });
}

#[test]
fn ctrl_c_ends_a_command_that_waits() {
    in_lab(Net::V4, |lab| {
        let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
        pair(&a, &b);
        let mut showing = Terminal::start(&a, &["pair"]);
        showing.code();
        showing.press("\u{3}");
        assert_eq!(showing.end(), 130);
    });
}

#[test]
fn ctrl_c_at_the_question_for_a_code_refuses_to_pair() {
    in_lab(Net::V4, |lab| {
        let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
        let mut receiving = Terminal::start(&b, &["recv"]);
        receiving.see("listening");
        let showing = Terminal::start(&a, &["pair", "b"]);
        receiving.see("Type the code");
        receiving.press("\u{3}");
        assert_eq!(receiving.end(), 130);
        assert_eq!(showing.end(), 9);
        assert_eq!((a.paired(), b.paired()), (vec![], vec![]));
    });
}

#[test]
fn whoever_pairs_is_asked_on_his_own_terminal_while_another_command_is_the_node() {
    in_lab(Net::V4, |lab| {
        let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
        let mut node = Terminal::start(&a, &["node"]);
        node.see("listening");
        let mut showing = Terminal::start(&a, &["pair"]);
        let code = showing.code();
        let typing = Terminal::start(&b, &["pair", &code, "--yes"]);
        showing.see("Pair with b (");
        assert!(!node.screen.text().contains("Pair with"), "{}", node.screen.text());
        showing.press("\n");
        showing.see("paired     ");
        assert_eq!((showing.end(), typing.end()), (0, 0));
        node.press("\u{3}");
        assert_eq!(node.end(), 130);
    });
}
