//! Files that are odd, and disks that are full.

use crate::device::{Device, error, noise, pair, same};
use crate::lab::{Net, in_lab, sh};
use std::fs;

#[test]
fn several_files_and_an_empty_one_arrive_whole() {
    in_lab(Net::V4, |lab| {
        let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
        pair(&a, &b);
        let receiving = a.receive(&[]);
        let files = [b.file("one", &noise(1_000_000)), b.file(".empty", b""), b.file("con", b"x")];
        let mut words = vec!["send"];
        words.extend(files.iter().map(|file| file.to_str().unwrap()));
        words.push("a");
        b.run(&words);
        receiving.event_where("received", |e| e["bytes"] == 1);
        assert_eq!(a.received(), ["_con", "_empty", "one"]);
        assert!(same(&files[0], &a.path("in/one")));
    });
}

#[test]
fn a_full_disk_is_told_on_both_sides_and_leaves_nothing() {
    in_lab(Net::V4, |lab| {
        let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
        pair(&a, &b);
        let folder = a.path("in");
        fs::create_dir(&folder).unwrap();
        sh(&format!("mount -t tmpfs -o size=1m tmpfs {}", folder.display()));
        let receiving = a.receive(&[]);
        let file = b.file("big", &noise(4_000_000));
        let (code, events) = b.start(&["send", file.to_str().unwrap(), "a"]).end();
        assert_eq!((code, error(&events).0), (10, "transfer"));
        assert!(error(&events).1.contains("its disk is full"), "{}", error(&events).1);
        assert!(receiving.event("error")["message"].as_str().unwrap().contains("the disk is full"));
        assert_eq!(a.received(), Vec::<String>::new());
        // And it goes on receiving what fits.
        let small = b.file("small", b"fits");
        b.run(&["send", small.to_str().unwrap(), "a"]);
        receiving.event("received");
        receiving.interrupt();
        receiving.end();
        sh(&format!("umount {}", folder.display()));
    });
}

#[test]
fn a_device_that_does_not_receive_refuses_files() {
    in_lab(Net::V4, |lab| {
        let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
        pair(&a, &b);
        let file = b.file("x", b"x");
        for words in [["discover"], ["pair"]] {
            let busy = a.start(&words);
            busy.event("listening");
            let (code, events) = b.start(&["send", file.to_str().unwrap(), "a"]).end();
            let (kind, message) = error(&events);
            assert_eq!((code, kind), (10, "transfer"), "{words:?}: {message}");
            assert_eq!(message, "a takes no files; run `handfast recv` there");
            busy.interrupt();
            busy.end();
        }
    });
}
