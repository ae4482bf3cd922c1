//! Folders, from one device to another.

use crate::device::{Device, noise, pair};
use crate::lab::{Net, in_lab};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

/// What is in a folder: of files their bytes, whether they are executable, and when they were changed.
fn tree(folder: &Path) -> BTreeMap<String, Option<(Vec<u8>, bool, i64)>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            let about = fs::metadata(&path).unwrap();
            if about.is_dir() {
                all.insert(name, None);
                folders.push(path);
            } else {
                let is_executable = about.permissions().mode() & 0o100 != 0;
                all.insert(name, Some((fs::read(&path).unwrap(), is_executable, about.mtime())));
            }
        }
    }
    all
}

#[test]
fn a_folder_arrives_as_it_is_beside_one_of_its_name() {
    in_lab(Net::V4, |lab| {
        let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
        pair(&a, &b);
        let top = b.path("photos");
        fs::create_dir_all(top.join("2024/empty")).unwrap();
        fs::write(top.join("2024/one.jpg"), noise(3_000_000)).unwrap();
        fs::write(top.join("Ünï 文件"), "x").unwrap();
        fs::write(top.join("script.sh"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(top.join("script.sh"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(top.join("nothing"), "").unwrap();
        for n in 0..40 {
            fs::write(top.join(format!("2024/{n}")), noise(n * 100)).unwrap();
        }
        let file = fs::File::options().append(true).open(top.join("2024/0")).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000)).unwrap();
        let sent = tree(&top);
        symlink("/etc/passwd", top.join("link")).unwrap();

        let receiving = a.receive(&[]);
        let other = b.file("other", b"beside it");
        let (photos, other) = (top.to_str().unwrap(), other.to_str().unwrap());
        let events = b.run(&["send", photos, other, "a"]);
        let skipped: Vec<_> = events.iter().filter(|e| e["event"] == "skipped").collect();
        assert_eq!((skipped.len(), &skipped[0]["reason"]), (1, &"link".into()), "{skipped:?}");
        assert!(skipped[0]["path"].as_str().unwrap().ends_with("photos/link"), "{skipped:?}");
        receiving.event_where("received", |e| e["bytes"] == 9);
        assert_eq!(a.received(), ["other", "photos"]);
        assert_eq!(tree(&a.path("in/photos")), sent);
        assert_eq!(a.parts(), 0);
        b.run(&["send", photos, "a"]);
        assert_eq!(a.received(), ["other", "photos", "photos (1)"]);
        assert_eq!(tree(&a.path("in/photos (1)")), sent);
    });
}

#[test]
fn a_receiver_that_waits_for_one_command_ends_after_all_of_it() {
    in_lab(Net::V4, |lab| {
        let (a, b) = (Device::new(lab, "a"), Device::new(lab, "b"));
        pair(&a, &b);
        let receiving = a.receive(&["--once"]);
        let files = ["one", "two", "three"].map(|name| b.file(name, &noise(100_000)));
        let mut words = vec!["send"];
        words.extend(files.iter().map(|file| file.to_str().unwrap()));
        words.push("a");
        b.run(&words);
        let (code, events) = receiving.end();
        assert_eq!(code, 0, "{events:#?}");
        assert_eq!(a.received(), ["one", "three", "two"]);
    });
}
