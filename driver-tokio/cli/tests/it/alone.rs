//! What one host shows without a network of its own.

use crate::device::{Device, error};
use std::process::Command;

#[test]
fn the_demo_finds_pairs_sends_and_ends_with_its_figures() {
    let device = Device::on_loopback("demo");
    let events = device.run(&["demo", "--size", "8"]);
    let done = events.last().unwrap();
    assert_eq!(
        (&done["event"], &done["ok"], &done["bytes"]),
        (&"done".into(), &true.into(), &(8 << 20).into())
    );
    assert!(done["mib_per_s"].as_f64().unwrap() > 0.0, "{done}");
    for figure in ["discovered_ms", "paired_ms"] {
        assert!(done[figure].is_u64(), "{done}");
    }
    for event in ["found", "code", "paired", "progress"] {
        assert!(events.iter().any(|e| e["event"] == event), "no {event} in {events:#?}");
    }
    assert!(!device.path("home").exists(), "the demo has homes of its own");
}

#[test]
fn a_killed_process_leaves_a_home_that_can_be_used() {
    let device = Device::on_loopback("a");
    let first = device.receive(&[]);
    first.kill();
    assert_eq!(first.end().0, -1);
    assert_eq!(device.paired(), Vec::<String>::new());
}

#[test]
fn wrong_arguments_are_an_error_in_json_too() {
    let device = Device::on_loopback("a");
    for words in [&["dance"][..], &["send", "alone"], &["pair", "a", "b"], &["recv", "--app", "No Good"]] {
        let (code, events) = device.start(words).end();
        assert_eq!((code, error(&events).0), (2, "usage"), "{words:?}");
    }
    let output = device.command(&["recv", "--interface", "nope0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no network interface `nope0`"), "{output:?}");
}

#[test]
fn the_help_lists_the_exit_codes() {
    let output = Device::on_loopback("a").command(&["--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && help.contains("130  interrupted by Ctrl-C"), "{help}");
}

#[test]
fn a_code_with_a_typing_error_is_caught_before_anything_is_sent() {
    let device = Device::on_loopback("a");
    for code in ["482-1930", "123456", "1234 56789 0"] {
        let (exit, events) = device.start(&["pair", code]).end();
        assert_eq!((exit, error(&events).0), (8, "wrong_code"), "{code}");
        assert!(!events.iter().any(|e| e["event"] == "listening"));
    }
}

#[test]
fn a_device_that_was_never_paired_is_no_receiver() {
    let device = Device::on_loopback("a");
    let file = device.file("x", b"x");
    let (code, events) = device.start(&["send", file.to_str().unwrap(), "nobody"]).end();
    assert_eq!((code, error(&events).0), (7, "not_paired"));
}

#[test]
fn what_completes_the_command_is_sound_and_knows_every_command() {
    let device = Device::on_loopback("a");
    for (shell, check) in [("bash", &["bash", "-n"][..]), ("zsh", &["zsh", "-n"]), ("fish", &["fish", "-n"])]
    {
        let output = device.command(&["completions", shell]).output().unwrap();
        assert!(output.status.success());
        let script = device.file(shell, &output.stdout);
        for command in ["send", "recv", "node", "completions"] {
            assert!(String::from_utf8_lossy(&output.stdout).contains(command), "{shell}: {command}");
        }
        // Of these shells a host has bash at least.
        match Command::new(check[0]).args(&check[1..]).arg(&script).output() {
            Ok(checked) => assert!(checked.status.success(), "{checked:?}"),
            Err(error) => assert_ne!(shell, "bash", "{error}"),
        }
    }
    for shell in ["powershell", "elvish"] {
        assert!(!device.command(&["completions", shell]).output().unwrap().stdout.is_empty());
    }
}

#[test]
fn bash_completes_the_name_of_a_device_unless_it_is_more_than_a_name() {
    let device = Device::on_loopback("a");
    let script = device.command(&["completions", "bash"]).output().unwrap().stdout;
    let script = device.file("completions", &script);
    // What `handfast peers` says, for a test.
    let bait = device.path("carried-out");
    let program = format!(
        "#!/bin/sh\necho '{}'\necho '{}'\n",
        r#"{"v":1,"event":"paired","peer":"p","label":"l","name":"laptop"}"#,
        format_args!(
            r#"{{"v":1,"event":"paired","peer":"p","label":"l","name":"la$(touch {})"}}"#,
            bait.display()
        ),
    );
    let program = device.file("handfast", program.as_bytes());
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let line = format!(
        "PATH={}:$PATH; . {}; COMP_WORDS=(handfast send file la); COMP_CWORD=3; \
         _handfast_peers handfast la file; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        program.parent().unwrap().display(),
        script.display()
    );
    let output = Command::new("bash").args(["-c", &line]).output().unwrap();
    let completed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(completed.lines().any(|line| line == "laptop"), "{output:?}");
    assert!(!completed.contains("touch") && !bait.exists(), "{output:?}");
}
