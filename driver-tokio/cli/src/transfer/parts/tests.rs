use super::*;
use handfast_core::{Identity, PeerIdKind};
use std::io::Write as _;

fn peer(n: u8) -> PeerId {
    Identity::from_entropy([n; 32]).public_key().peer_id(PeerIdKind::Sha1)
}

fn id(n: u8) -> Id {
    Bin([n; 16])
}

fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// What a transfer that broke off leaves.
fn leave(parts: &Parts, peer: PeerId, key: Id) {
    let mut part = parts.open(peer, key).unwrap();
    part.file().write_all(&vec![7; WORTH_KEEPING as usize]).unwrap();
}

#[test]
fn a_file_has_its_name_only_once_it_is_published_and_its_part_is_gone_then() {
    let folder = tempfile::tempdir().unwrap();
    let mut part = Parts::of(folder.path()).open(peer(1), id(1)).unwrap();
    part.file().write_all(b"whole").unwrap();
    assert_eq!(names(folder.path()), [FOLDER]);
    let path = part.publish(folder.path(), "a.txt", Looks::default()).unwrap();
    assert_eq!(names(folder.path()), ["a.txt"]);
    assert_eq!(fs::read(path).unwrap(), b"whole");
}

#[test]
fn a_part_is_kept_where_it_is_worth_it_and_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let parts = Parts::of(folder.path());
    drop(parts.open(peer(1), id(1)).unwrap());
    assert_eq!(names(folder.path()), Vec::<String>::new());
    leave(&parts, peer(1), id(1));
    assert_eq!(parts.open(peer(1), id(1)).unwrap().read(u64::MAX).unwrap().0, WORTH_KEEPING);
    assert_eq!(parts.open(peer(1), id(2)).unwrap().read(u64::MAX).unwrap().0, 0);
    assert_eq!(parts.open(peer(2), id(1)).unwrap().read(u64::MAX).unwrap().0, 0);
    // One that is longer than the file it is to be is of no use.
    assert_eq!(parts.open(peer(1), id(1)).unwrap().read(5).unwrap().0, 0);
    leave(&parts, peer(1), id(3));
    let mut spoilt = parts.open(peer(1), id(3)).unwrap();
    spoilt.spoil();
    drop(spoilt);
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

#[test]
fn a_part_that_another_transfer_is_at_is_left_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let parts = Parts::of(folder.path());
    leave(&parts, peer(1), id(1));
    let _first = parts.open(peer(1), id(1)).unwrap();
    let mut second = parts.open(peer(1), id(1)).unwrap();
    assert_eq!(second.read(u64::MAX).unwrap().0, 0);
}

#[test]
fn a_peer_that_leaves_many_parts_loses_its_own_oldest_and_nobody_elses() {
    let folder = tempfile::tempdir().unwrap();
    let parts = Parts::of(folder.path());
    leave(&parts, peer(2), id(1));
    for n in 0..40 {
        leave(&parts, peer(1), id(n));
        parts.note_folder(peer(1), id(n), "folder").unwrap();
    }
    let kept = names(&folder.path().join(FOLDER));
    assert_eq!(kept.iter().filter(|name| name.starts_with(&prefix(peer(1)))).count(), MAX_OF_A_PEER);
    assert!(kept.contains(&format!("{}-{}.part", prefix(peer(2)), id(1))), "{kept:?}");
    assert!(kept.contains(&format!("{}-{}.part", prefix(peer(1)), id(39))), "{kept:?}");
    for n in 3..80 {
        leave(&parts, peer(n), id(1));
    }
    assert_eq!(names(&folder.path().join(FOLDER)).len(), MAX_IN_ALL);
}

#[test]
fn what_is_old_goes_unless_a_transfer_is_at_it_and_what_is_not_ours_stays() {
    let folder = tempfile::tempdir().unwrap();
    let parts = Parts::of(folder.path());
    let old = SystemTime::now() - KEPT - Duration::from_secs(60);
    leave(&parts, peer(1), id(1));
    let mut busy = parts.open(peer(1), id(2)).unwrap();
    busy.file().write_all(b"x").unwrap();
    let kept = folder.path().join(FOLDER);
    fs::write(kept.join("mine"), "mine").unwrap();
    for name in names(&kept) {
        File::options().append(true).open(kept.join(name)).unwrap().set_modified(old).unwrap();
    }
    parts.make_room(peer(1)).unwrap();
    assert_eq!(names(&kept), [format!("{}-{}.part", prefix(peer(1)), id(2)), "mine".to_owned()]);
}

#[cfg(unix)]
#[test]
fn no_link_is_followed_where_parts_are() {
    use std::os::unix::fs::symlink;
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let parts = Parts::of(folder.path());
    symlink(outside.path(), folder.path().join(FOLDER)).unwrap();
    assert!(parts.open(peer(1), id(1)).is_err());
    assert_eq!(names(outside.path()), Vec::<String>::new());
    fs::remove_file(folder.path().join(FOLDER)).unwrap();
    fs::create_dir(folder.path().join(FOLDER)).unwrap();
    let victim = outside.path().join("victim");
    fs::write(&victim, "whole").unwrap();
    symlink(&victim, folder.path().join(FOLDER).join(format!("{}-{}.part", prefix(peer(1)), id(1)))).unwrap();
    assert!(parts.open(peer(1), id(1)).is_err());
    assert_eq!(fs::read(victim).unwrap(), b"whole");
}

#[test]
fn a_folder_is_known_again_as_long_as_it_is_there_and_not_whole() {
    let folder = tempfile::tempdir().unwrap();
    let parts = Parts::of(folder.path());
    assert_eq!(parts.folder_of(peer(1), id(1)), None);
    fs::create_dir(folder.path().join("photos (1)")).unwrap();
    parts.note_folder(peer(1), id(1), "photos (1)").unwrap();
    assert_eq!(parts.folder_of(peer(1), id(1)).as_deref(), Some("photos (1)"));
    assert_eq!(parts.folder_of(peer(2), id(1)), None);
    for name in ["..", ".", "gone", "../elsewhere", "/", ""] {
        parts.note_folder(peer(1), id(2), name).unwrap();
        assert_eq!(parts.folder_of(peer(1), id(2)), None, "{name:?}");
    }
    parts.forget_folder(peer(1), id(1));
    assert_eq!(parts.folder_of(peer(1), id(1)), None);
}
