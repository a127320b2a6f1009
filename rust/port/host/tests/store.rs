//! Records of a session in a directory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::{env, fs, io, process};
use thread_mqtt_host::FileStore;
use thread_mqtt_session::{Store, StoreError};

/// A directory for one test, removed afterwards.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("thread-mqtt-store-{name}-{}", process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn records(store: &mut FileStore) -> BTreeMap<u16, Vec<u8>> {
    let mut found = BTreeMap::new();
    let each = &mut |key, record: &[u8]| drop(found.insert(key, record.to_vec()));
    store.load(each).expect("it can be read");
    found
}

#[test]
fn records_are_there_again_after_a_restart() {
    let scratch = Scratch::new("restart");
    let path = scratch.0.join("a/b");
    let mut store = FileStore::open(&path).expect("it is made");
    store.put(0, b"session").unwrap();
    store.put(0x8001, b"old").unwrap();
    store.put(0x8001, b"new").unwrap();
    store.put(0xFFFF, b"").unwrap();
    store.put(0x1000, b"gone").unwrap();
    store.delete(0x1000).unwrap();
    store.delete(0x1001).expect("nothing there is no error");
    drop(store);
    // Left over from an interrupted write, and a file that is not ours.
    fs::write(path.join("8002.record.new"), b"half").unwrap();
    let others = [
        "README",
        "notes.new",
        "2026",
        "cafe.new",
        "8003.record.old",
        "BEEF.record",
        "+123.record",
        "CAFE.record.new",
        "12345.record",
    ];
    for name in others {
        fs::write(path.join(name), b"of a user").unwrap();
    }
    fs::create_dir(path.join("abcd.record")).unwrap();
    // No process writes to it.
    let pipe = path.join("abce.record");
    let made = process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let mut store = FileStore::open(&path).expect("it is there");
    let expected = [(0, &b"session"[..]), (0x8001, b"new"), (0xFFFF, b"")];
    let expected = expected.map(|(key, record)| (key, record.to_vec()));
    assert_eq!(records(&mut store), BTreeMap::from(expected));
    assert!(!path.join("8002.record.new").exists());
    for name in others {
        assert_eq!(fs::read(path.join(name)).unwrap(), b"of a user", "{name}");
    }
}

#[test]
fn a_second_process_does_not_get_it() {
    let scratch = Scratch::new("lock");
    let store = FileStore::open(&scratch.0).expect("it is free");
    let error = FileStore::open(&scratch.0).expect_err("it is taken");
    assert_eq!(error.kind(), io::ErrorKind::ResourceBusy);
    drop(store);
    FileStore::open(&scratch.0).expect("it is free again");
}

#[test]
fn what_cannot_be_written_is_told() {
    let scratch = Scratch::new("removed");
    let mut store = FileStore::open(&scratch.0).expect("it is made");
    fs::remove_dir_all(&scratch.0).unwrap();
    // ENOENT.
    assert_eq!(store.put(1, b"x"), Err(StoreError::Failed(-2)));
    let path = scratch.0.clone();
    fs::write(&path, b"a file").unwrap();
    assert!(FileStore::open(&path).is_err());
    fs::remove_file(&path).unwrap();
}
