//! Standard input on one device, standard output on another.

use crate::device::{Device, Running, Said, noise, pair};
use crate::lab::{Lab, Net, in_lab};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

const SIZE: usize = 100_000_000;

fn piped(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// 100 MB from a writer to a reader that is slow at first, and whether all of it arrived.
fn through(sender: &Device, receiver: &Device) {
    let mut receiving = piped(&mut receiver.command(&["recv", "-"]));
    let told = Said::listen(receiving.stderr.take().unwrap());
    told.wait(|text| text.contains("listening").then_some(())).expect("a receiver");
    let mut sending = piped(&mut sender.command(&["send", "-", receiver.name(), "--timeout", "60"]));
    let mut stdin = sending.stdin.take().unwrap();
    let writing = thread::spawn(move || stdin.write_all(&noise(SIZE)));
    let pid = Pid::from_child(&receiving);
    let sent = thread::spawn(move || {
        let output = sending.wait_with_output().unwrap();
        if !output.status.success() {
            // Else its reader would wait for ever.
            kill_process(pid, Signal::KILL).unwrap();
        }
        output
    });
    let mut stdout = receiving.stdout.take().unwrap();
    let (mut arrived, mut buf) = (Vec::new(), vec![0; 64 * 1024]);
    for _ in 0..20 {
        let len = stdout.read(&mut buf).unwrap();
        arrived.extend_from_slice(&buf[..len]);
        thread::sleep(Duration::from_millis(20));
    }
    // What a reader does not take waits where it comes from.
    assert!(!writing.is_finished());
    stdout.read_to_end(&mut arrived).unwrap();
    let sent = sent.join().unwrap();
    assert!(sent.status.success(), "{sent:?}");
    writing.join().unwrap().unwrap();
    assert!(receiving.wait().unwrap().success(), "{}", told.text());
    assert!(told.text().contains("received   -"), "{}", told.text());
    assert!(arrived == noise(SIZE));
}

fn world(lab: &Lab) -> (Device, Device) {
    let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
    pair(&a, &b);
    (a, b)
}

#[test]
fn a_pipe_goes_from_each_device_to_the_other_at_the_pace_of_its_reader() {
    in_lab(Net::V4, |lab| {
        let (a, b) = world(lab);
        through(&a, &b);
        through(&b, &a);
    });
}

#[test]
fn a_pipe_goes_through_the_nodes_of_other_commands() {
    in_lab(Net::V4, |lab| {
        let (a, b) = world(lab);
        let nodes = [&a, &b].map(|device| device.start(&["node"]));
        for node in &nodes {
            node.event("listening");
        }
        through(&a, &b);
        nodes.iter().for_each(Running::interrupt);
    });
}

#[test]
fn a_pipe_is_a_file_of_the_given_name_where_folders_are_received_into() {
    in_lab(Net::V4, |lab| {
        let (a, b) = world(lab);
        let receiving = a.receive(&[]);
        let mut sending = piped(&mut b.command(&["send", "-", "a", "--as", "backup.tar", "--json"]));
        sending.stdin.take().unwrap().write_all(&noise(3_000_000)).unwrap();
        assert!(sending.wait_with_output().unwrap().status.success());
        receiving.event_where("received", |e| e["bytes"] == 3_000_000);
        assert!(std::fs::read(a.path("in/backup.tar")).unwrap() == noise(3_000_000));
    });
}

#[test]
fn a_pipe_whose_writer_is_killed_is_an_error_for_its_reader() {
    in_lab(Net::V4, |lab| {
        let (a, b) = world(lab);
        let mut receiving = piped(&mut a.command(&["recv", "-", "--idle-timeout", "1"]));
        let mut sending = piped(&mut b.command(&["send", "-", "a", "--idle-timeout", "1"]));
        let mut stdin = sending.stdin.take().unwrap();
        stdin.write_all(&noise(1_000_000)).unwrap();
        let mut stdout = receiving.stdout.take().unwrap();
        stdout.read_exact(&mut [0; 100_000]).unwrap();
        sending.kill().unwrap();
        sending.wait().unwrap();
        stdout.read_to_end(&mut Vec::new()).unwrap();
        assert_eq!(receiving.wait_with_output().unwrap().status.code(), Some(10));
    });
}
