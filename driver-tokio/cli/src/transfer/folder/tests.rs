use super::*;

fn named(path: &Path) -> Named {
    Named { word: path.display().to_string(), path: path.to_owned() }
}

fn names(found: &Found) -> Vec<String> {
    found.items.iter().map(|item| item.names.join("/")).collect()
}

/// A folder `top` of several things, and one beside it.
fn tree() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path().join("top");
    fs::create_dir_all(top.join("sub/empty")).unwrap();
    fs::write(top.join("b"), "bb").unwrap();
    fs::write(top.join("a"), "").unwrap();
    fs::write(top.join("sub/c"), "c").unwrap();
    fs::write(folder.path().join("outside"), "secret").unwrap();
    folder
}

#[test]
fn all_that_is_in_a_folder_is_found_in_the_same_order_each_time() {
    let folder = tree();
    let top = named(&folder.path().join("top"));
    let found = find(&[top.clone(), named(&folder.path().join("outside"))]).unwrap();
    assert_eq!(names(&found), ["top/a", "top/b", "top/sub/c", "top/sub/empty", "outside"]);
    assert_eq!(found.items[3].what, What::Folder {});
    assert!(matches!(found.items[1].what, What::File { size: 2, executable: false, modified: Some(_) }));
    assert_eq!(found.items, find(&[top, named(&folder.path().join("outside"))]).unwrap().items);
}

#[test]
fn the_same_file_has_the_same_key_until_it_changes() {
    let folder = tree();
    let file = named(&folder.path().join("outside"));
    let key = || find(std::slice::from_ref(&file)).unwrap().items[0].key;
    let before = key();
    assert_eq!(key(), before);
    fs::write(&file.path, "longer than it was").unwrap();
    assert_ne!(key(), before);
}

#[cfg(unix)]
#[test]
fn links_that_lead_out_of_a_folder_are_skipped_and_none_is_walked_in_circles() {
    let folder = tree();
    let top = folder.path().join("top");
    for (name, to) in [
        ("out", "../outside"),
        ("up", ".."),
        ("circle", "sub"),
        ("nowhere", "gone"),
        ("in", "sub/c"),
        ("root", "/etc/passwd"),
    ] {
        std::os::unix::fs::symlink(to, top.join(name)).unwrap();
    }
    let found = find(&[named(&top)]).unwrap();
    assert_eq!(names(&found), ["top/a", "top/b", "top/in", "top/sub/c", "top/sub/empty"]);
    assert!(matches!(found.items[2].what, What::File { size: 1, .. }));
    let mut skipped: Vec<_> =
        found.skipped.iter().map(|skipped| skipped.path.file_name().unwrap().to_str().unwrap()).collect();
    skipped.sort_unstable();
    assert_eq!(skipped, ["circle", "nowhere", "out", "root", "up"]);
    assert!(found.skipped.iter().all(|skipped| skipped.why == Why::Link));
}

#[cfg(unix)]
#[test]
fn a_link_that_the_user_names_is_followed_and_keeps_its_name() {
    let folder = tree();
    let link = folder.path().join("link");
    std::os::unix::fs::symlink("top", &link).unwrap();
    assert_eq!(names(&find(&[named(&link)]).unwrap())[0], "link/a");
}

#[cfg(unix)]
#[test]
fn what_is_neither_file_nor_folder_is_skipped_within_a_folder_and_else_an_error() {
    let folder = tree();
    let socket = folder.path().join("top/socket");
    let _listening = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let found = find(&[named(&folder.path().join("top"))]).unwrap();
    assert_eq!(found.skipped, [Skipped { path: socket.clone(), why: Why::Special }]);
    assert!(find(&[named(&socket)]).is_err());
    assert!(find(&[named(&folder.path().join("gone"))]).is_err());
}

#[test]
fn what_lies_too_deep_is_an_error() {
    let folder = tree();
    let deep: PathBuf = (0..MAX_DEPTH).map(|_| "d").collect();
    fs::create_dir_all(folder.path().join("top").join(&deep)).unwrap();
    let (path, error) = find(&[named(&folder.path().join("top"))]).unwrap_err();
    assert_eq!(error.to_string(), "it lies too deep", "{path:?}");
}
